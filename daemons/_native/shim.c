/* SPDX-License-Identifier: GPL-2.0-only */
/* The hook between libfuse and /dev/fuse; see shim.h. */

#define _GNU_SOURCE
#include "shim.h"

#include <dlfcn.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backing.h"
#include "bytes.h"
#include "clock.h"
#include "counters.h"
#include "delay.h"
#include "edit.h"
#include "fuse_abi.h"
#include "pending.h"
#include "reply_ids.h"
#include "shim_state.h"

/* The longest reply that is edited: header, long entry, open. */
#define REPLY_MAX (OUT_HEADER_SIZE + LONG_ENTRY_SIZE + OPEN_OUT_SIZE)
/* An entry or attributes with their header; replies with data are longer, and not copied. */
#define SMALL_REPLY (OUT_HEADER_SIZE + LONG_ENTRY_SIZE)
#define BIT(opcode) (UINT64_C(1) << (opcode))

struct shim_state shim = {.session_fd = -1, .level = LEVEL_NONE};
static __thread int clone_fd = -1; /* see shim_use_clone() */
static uint64_t init_offer;
/* Replies to these opcodes are edited; unless requests are timed, only these are remembered. */
static uint64_t edited_opcodes = BIT(OP_INIT);
/* Requests that get no reply. */
static const uint64_t unanswered =
	BIT(OP_FORGET) | BIT(OP_INTERRUPT) | BIT(OP_NOTIFY_REPLY) | BIT(OP_BATCH_FORGET);

/* Requests */

static uint64_t opcodes_edited_at(int level)
{
	const uint64_t listing = shim.options.readdir ? BIT(OP_OPENDIR) : 0;
	const uint64_t opening = BIT(OP_OPEN) | BIT(OP_CREATE) | BIT(OP_TMPFILE);

	switch (level) {
	case LEVEL_RW:
		return opening;
	case LEVEL_ATTACH_GETATTR:
		return opening | listing | BIT(OP_GETATTR);
	case LEVEL_ATTACH_LOOKUP:
	case LEVEL_LOOKUP:
		return opening | listing | BIT(OP_GETATTR) | BIT(OP_LOOKUP) | BIT(OP_MKNOD) |
		       BIT(OP_MKDIR) | BIT(OP_SYMLINK) | BIT(OP_LINK);
	default:
		return 0;
	}
}

static void note_forget(const uint8_t *body, size_t len, uint32_t opcode)
{
	size_t items, i;

	if (opcode == OP_FORGET && len >= 8) {
		counters_add(FIELD_forget_lookups, get64(body, 0));
	} else if (opcode == OP_BATCH_FORGET && len >= 8) {
		/* u32 count, u32 dummy, then pairs of u64 nodeid, u64 nlookup */
		items = get32(body, 0);
		counters_add(FIELD_batch_forget_items, items);
		for (i = 0; i < items && 8 + 16 * (i + 1) <= len; i++)
			counters_add(FIELD_forget_lookups, get64(body, 8 + 16 * i + 8));
	}
}

static bool is_among(uint64_t opcodes, uint32_t opcode)
{
	return opcode < 64 && (opcodes & BIT(opcode));
}

static void remember(const uint8_t *request, uint32_t opcode, uint64_t read_ns)
{
	const bool edited = is_among(edited_opcodes, opcode);
	struct pending pending;

	if (!edited && (read_ns == 0 || is_among(unanswered, opcode)))
		return;
	pending = (struct pending){opcode, get64(request, IN_NODEID), read_ns};
	if (pending_put(get64(request, IN_UNIQUE), pending) != 0 && edited)
		counters_add(FIELD_replies_lost, 1);
}

static void note_request(const uint8_t *request, size_t len, uint64_t read_ns)
{
	const uint32_t opcode = get32(request, IN_OPCODE);
	const uint8_t *body = request + IN_HEADER_SIZE;

	counters_request(opcode);
	if (opcode == OP_FORGET || opcode == OP_BATCH_FORGET) {
		note_forget(body, len - IN_HEADER_SIZE, opcode);
	} else if (opcode == OP_INIT && len >= IN_HEADER_SIZE + INIT_IN_FLAGS) {
		init_offer = shim_init_offer(body, len - IN_HEADER_SIZE);
		counters_set(FIELD_init_offered, init_offer);
		counters_set(FIELD_init_minor, get32(body, INIT_IN_MINOR));
	}
	remember(request, opcode, read_ns);
	delay_request(opcode);
}

static ssize_t hook_read(int fd, void *buffer, size_t size, void *userdata)
{
	ssize_t got = read(clone_fd < 0 ? fd : clone_fd, buffer, size);

	(void)userdata;
	if (got >= (ssize_t)IN_HEADER_SIZE)
		note_request(buffer, (size_t)got, counters_timing() ? clock_ns() : 0);
	return got;
}

/* Replies */

static void edit_init(uint8_t *body, size_t len)
{
	uint64_t flags = shim_edit_init(body, len, init_offer, shim.options.level);
	int level = shim.options.level;

	counters_set(FIELD_init_negotiated, flags);
	if (!(flags & INIT_PASSTHROUGH))
		level = LEVEL_NONE;
	else if (level >= LEVEL_ATTACH_GETATTR && !(flags & INIT_PASSTHROUGH_INO))
		level = LEVEL_RW; /* the one lower level that is sure to be there */
	shim.level = level;
	counters_set(FIELD_level_in_force, (uint64_t)level);
	edited_opcodes = opcodes_edited_at(level);
	if (level != shim.options.level)
		fprintf(stderr, "shim: the kernel offers 0x%llx: level %d asked for, %d in force\n",
			(unsigned long long)init_offer, shim.options.level, level);
}

/* Edits a reply of REPLY_MAX bytes room in place. Returns its new length. */
static size_t edit_reply(struct pending request, uint8_t *reply, size_t len)
{
	uint8_t *body = reply + OUT_HEADER_SIZE;
	struct reply_ids ids;

	if (request.opcode == OP_INIT) {
		edit_init(body, len - OUT_HEADER_SIZE);
		return len;
	}
	if (len - OUT_HEADER_SIZE != shim_reply_size(request.opcode))
		return len;
	ids = reply_ids(request, body);
	counters_add(FIELD_replies_edited, ids.inode != 0 || ids.open != 0);
	return shim_edit_reply(reply, len, shim.level, request.opcode, ids.inode, ids.open);
}

/* To be called last before a reply is written: within the write the client is woken. */
static void note_reply(struct pending request)
{
	if (request.read_ns != 0)
		counters_time(request.opcode, clock_ns() - request.read_ns);
}

static size_t length(const struct iovec *iov, int count)
{
	size_t len = 0;

	for (int i = 0; i < count; i++)
		len += iov[i].iov_len;
	return len;
}

/* A small reply goes out in one piece: write() costs the kernel less than writev() of two. */
static ssize_t write_reply(int fd, const struct iovec *iov, int count)
{
	uint8_t reply[SMALL_REPLY];
	size_t len = 0;

	if (count < 2 || length(iov, count) > sizeof(reply))
		return writev(fd, iov, count);
	for (int i = 0; i < count; i++) {
		memcpy(reply + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return write(fd, reply, len);
}

static ssize_t write_edited(int fd, const struct iovec *iov, int count, struct pending request)
{
	uint8_t reply[REPLY_MAX];
	size_t len = 0;

	for (int i = 0; i < count; i++) {
		memcpy(reply + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	len = edit_reply(request, reply, len);
	note_reply(request);
	return write(fd, reply, len);
}

static ssize_t hook_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct pending request;

	(void)userdata;
	if (clone_fd >= 0)
		fd = clone_fd;
	/* Level none, after INIT: two comparisons and a short copy are all a reply costs. */
	if ((edited_opcodes == 0 && !counters_timing()) || count < 1 ||
	    iov[0].iov_len < OUT_HEADER_SIZE)
		return write_reply(fd, iov, count);
	/* Notifications have unique 0 and were never remembered. */
	if (!pending_take(get64(iov[0].iov_base, OUT_UNIQUE), &request))
		return write_reply(fd, iov, count);
	if (is_among(edited_opcodes, request.opcode) && get32(iov[0].iov_base, OUT_ERROR) == 0 &&
	    length(iov, count) <= REPLY_MAX - SHIM_GROWTH)
		return write_edited(fd, iov, count, request);
	note_reply(request);
	return write_reply(fd, iov, count);
}

/* The server's side */

int shim_configure(const struct shim_options *wanted)
{
	shim.options = *wanted;
	shim.options.counters = NULL; /* the caller's string, not ours to keep */
	if (wanted->counters) {
		int status = counters_map(wanted->counters);

		if (status != 0)
			return status;
	}
	counters_set(FIELD_level, (uint64_t)shim.options.level);
	return 0;
}

int shim_delay(uint32_t opcode, uint64_t ns)
{
	return delay_set(opcode, ns);
}

void shim_use_clone(int fd)
{
	clone_fd = fd;
}

void shim_forgotten(const uint64_t *nodeids, size_t count)
{
	if (shim.level != LEVEL_NONE)
		backing_forget(shim.session_fd, nodeids, count);
}

__attribute__((visibility("default"))) int fuse_session_mount(struct fuse_session *session,
							      const char *mountpoint)
{
	/* No splice hooks: libfuse then offers no splicing, and every request passes hook_read(). */
	static const struct fuse_custom_io hooks = {.read = hook_read, .writev = hook_writev};
	int (*mount_really)(struct fuse_session *, const char *);
	int status;

	/* ISO C has no cast from an object to a function pointer; POSIX wants this one to work. */
	*(void **)&mount_really = dlsym(RTLD_NEXT, "fuse_session_mount");
	if (!mount_really) {
		fprintf(stderr, "shim: fuse_session_mount: %s\n", dlerror());
		return -1;
	}
	status = mount_really(session, mountpoint);
	if (status != 0)
		return status;
	shim.session_fd = fuse_session_fd(session);
	status = fuse_session_custom_io(session, &hooks, shim.session_fd);
	if (status != 0) {
		fprintf(stderr, "shim: fuse_session_custom_io: %s\n", strerror(-status));
		fuse_session_unmount(session);
		return -1;
	}
	return 0;
}
