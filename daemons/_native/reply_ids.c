/* SPDX-License-Identifier: GPL-2.0-only */
/* The backing ids a reply carries; see reply_ids.h. */

#define _GNU_SOURCE
#include "reply_ids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backing.h"
#include "bytes.h"
#include "edit.h"
#include "fuse_abi.h"
#include "shim_state.h"

/* For backing_id(): a descriptor of our own for what the server's file handle ``fh`` is open on. */
static int open_of_handle(uint64_t nodeid, int fh, int *owned)
{
	char path[32];
	int fd;

	(void)nodeid;
	/*
	 * Not the handle itself: the id keeps the registered open file, and one that is open for
	 * writing would make execve() of the file fail with ETXTBSY until the inode is forgotten.
	 */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fh);
	fd = open(path, O_PATH | O_CLOEXEC);
	*owned = 1;
	return fd;
}

/* For backing_id(): the descriptor the server has for an inode. */
static int open_of_inode(uint64_t nodeid, int unused, int *owned)
{
	int fd = shim.options.fd_of ? shim.options.fd_of(nodeid) : -1;

	(void)unused;
	*owned = shim.options.fd_of_owned;
	if (fd < 0)
		errno = ENOENT;
	return fd;
}

static bool attaches(uint32_t mode)
{
	return !shim.options.files_only || S_ISREG(mode);
}

/* A directory that is not attached is registered for being listed, if at all. */
static uint64_t mask_of(uint32_t mode, uint32_t opcode)
{
	uint64_t mask = shim_ops_mask(shim.level, shim.options.readdir, mode, opcode);

	if (shim.options.xattrs && (mask & OPS_BIT(OP_GETATTR)))
		mask |= OPS_XATTRS;
	return attaches(mode) ? mask : mask & OPS_BIT(OP_READDIR);
}

static int32_t id_of_inode(uint64_t nodeid, uint32_t mode, uint32_t opcode)
{
	if (!attaches(mode))
		return 0;
	return backing_id(shim.session_fd, nodeid, mask_of(mode, opcode), open_of_inode, 0);
}

static int32_t id_of_handle(uint64_t nodeid, const uint8_t *open_out, uint32_t mode,
			    uint32_t opcode)
{
	const uint64_t mask = mask_of(mode, opcode);

	if (!shim.options.fh_is_fd)
		return backing_id(shim.session_fd, nodeid, mask, open_of_inode, 0);
	return backing_id(shim.session_fd, nodeid, mask, open_of_handle,
			  (int)get64(open_out, OPEN_FH));
}

struct reply_ids reply_ids(struct pending request, const uint8_t *body)
{
	const uint32_t opcode = request.opcode;
	const uint64_t entry_nodeid = get64(body, ENTRY_NODEID);
	struct reply_ids ids = {0, 0};

	switch (opcode) {
	case OP_OPEN:
		ids.open = id_of_handle(request.nodeid, body, S_IFREG, opcode);
		break;
	case OP_OPENDIR:
		ids.open = id_of_handle(request.nodeid, body, S_IFDIR, opcode);
		break;
	case OP_GETATTR:
		/* Root is never looked up: where lookups attach, it alone is attached here. */
		if (shim.level >= LEVEL_ATTACH_LOOKUP && request.nodeid != ROOT_ID)
			break;
		/*
		 * Every GETATTR that arrives, not the first only: one that arrives from an inode we hold an
		 * id for comes from a new kernel inode of the same number, which is not attached yet.
		 */
		ids.inode =
			id_of_inode(request.nodeid, get32(body, ATTR_OUT_ATTR + ATTR_MODE), opcode);
		break;
	case OP_CREATE:
	case OP_TMPFILE:
		if (shim.level >= LEVEL_ATTACH_LOOKUP)
			ids.inode = id_of_handle(entry_nodeid, body + ENTRY_SIZE, S_IFREG, opcode);
		ids.open = id_of_handle(entry_nodeid, body + ENTRY_SIZE, S_IFREG, OP_OPEN);
		break;
	default:
		if (entry_nodeid != 0) /* a cached negative entry has no inode */
			ids.inode = id_of_inode(entry_nodeid, get32(body, ENTRY_ATTR + ATTR_MODE),
						opcode);
		break;
	}
	return ids;
}
