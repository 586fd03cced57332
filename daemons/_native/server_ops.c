/* SPDX-License-Identifier: GPL-2.0-only */
/* What the groups of request handlers share; see server_ops.h. */

#define _GNU_SOURCE
#include "server_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server_inodes.h"
#include "server_options.h"

/* What O_DIRECT asks for at most, whatever the device. */
#define BUFFER_ALIGNMENT 4096u

static __thread char *buffer;
static __thread size_t buffer_size;

struct fd_path fd_path(int fd)
{
	struct fd_path path;

	snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
	return path;
}

struct fuse_entry_param entry_of(const struct stat *attr, struct node node)
{
	return (struct fuse_entry_param){
		.ino = node.id,
		.generation = node.generation,
		.attr = *attr,
		.attr_timeout = options.attr_timeout,
		.entry_timeout = options.entry_timeout,
	};
}

int entry_lookup(int dir_fd, const char *name, struct fuse_entry_param *entry)
{
	struct node node;
	struct stat attr;
	int error = inode_lookup(dir_fd, name, &attr, &node);

	if (error == 0)
		*entry = entry_of(&attr, node);
	return error;
}

void reply_entry(fuse_req_t request, int error, const struct fuse_entry_param *entry)
{
	if (error != 0)
		fuse_reply_err(request, error);
	else if (fuse_reply_entry(request, entry) == -ENOENT)
		inode_unlookup(entry->ino); /* the client gave up: the kernel knows of no lookup */
}

int give_to_caller(fuse_req_t request, int fd, int dir_fd, mode_t mode)
{
	const struct fuse_ctx *caller = fuse_req_ctx(request);
	struct stat dir;
	gid_t gid;

	if (caller->uid == geteuid() && caller->gid == getegid())
		return 0;
	if (fstat(dir_fd, &dir) != 0)
		return errno;
	gid = dir.st_mode & S_ISGID ? (gid_t)-1 : caller->gid;
	if (fchownat(fd, "", caller->uid, gid, AT_EMPTY_PATH) != 0)
		return errno;
	/* The change of owner cleared them. */
	if ((mode & (S_ISUID | S_ISGID)) && chmod(fd_path(fd).text, mode & 07777) != 0)
		return errno;
	return 0;
}

char *reply_buffer(size_t size)
{
	const size_t rounded = (size + BUFFER_ALIGNMENT - 1) / BUFFER_ALIGNMENT * BUFFER_ALIGNMENT;
	char *larger;

	if (size <= buffer_size)
		return buffer;
	larger = aligned_alloc(BUFFER_ALIGNMENT, rounded);
	if (!larger)
		return NULL;
	free(buffer);
	buffer = larger;
	buffer_size = size;
	return buffer;
}

void reply_buffer_free(void)
{
	free(buffer);
	buffer = NULL;
	buffer_size = 0;
}
