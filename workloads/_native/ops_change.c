/* SPDX-License-Identifier: GPL-2.0-only */
/* Inner loops of operations that change something: names made, moved and removed, attributes set.
 *
 * A name that is made must be new, one that goes must be there: the system calls themselves say so.
 * What is set alternates from one pass over the visits to the next, so that each call changes it and
 * the values left behind tell how often each was visited.
 */
#define _GNU_SOURCE
#include "drive.h"

#include <fcntl.h>
#include <unistd.h>

#define NEW_FILE (O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC)
/* The time that the first pass sets; each later one sets a second more. */
#define FIRST_TIME 1000000000

INLINE int visit_create(struct lane *lane, const struct visit *visit)
{
	int fd = openat(visit->fd, visit->name, NEW_FILE, 0644);
	if (fd < 0)
		return fail(lane, visit, errno, "create");
	if (close(fd))
		return fail(lane, visit, errno, "close");
	return 0;
}

INLINE int visit_create_write(struct lane *lane, const struct visit *visit)
{
	int result = 0, fd = openat(visit->fd, visit->name, NEW_FILE, 0644);
	if (fd < 0)
		return fail(lane, visit, errno, "create");
	ssize_t put = write(fd, lane->buffer, BLOCK);
	if (put < 0)
		result = fail(lane, visit, errno, "write");
	else if (put != BLOCK)
		result = fail_count(lane, visit, "write: bytes of a block", BLOCK, (uint64_t)put);
	if (close(fd) && !result)
		result = fail(lane, visit, errno, "close");
	return result;
}

INLINE int visit_mknod(struct lane *lane, const struct visit *visit)
{
	if (mknodat(visit->fd, visit->name, S_IFREG | 0644, 0))
		return fail(lane, visit, errno, "mknod");
	return 0;
}

INLINE int visit_mkdir(struct lane *lane, const struct visit *visit)
{
	if (mkdirat(visit->fd, visit->name, 0755))
		return fail(lane, visit, errno, "mkdir");
	return 0;
}

INLINE int visit_unlink(struct lane *lane, const struct visit *visit)
{
	if (unlinkat(visit->fd, visit->name, 0))
		return fail(lane, visit, errno, "unlink");
	return 0;
}

INLINE int visit_rmdir(struct lane *lane, const struct visit *visit)
{
	if (unlinkat(visit->fd, visit->name, AT_REMOVEDIR))
		return fail(lane, visit, errno, "rmdir");
	return 0;
}

INLINE int visit_rename(struct lane *lane, const struct visit *visit)
{
	if (renameat(visit->fd, visit->name, visit->second_fd, visit->second))
		return fail(lane, visit, errno, "rename");
	return 0;
}

INLINE int visit_link(struct lane *lane, const struct visit *visit)
{
	if (linkat(visit->fd, visit->name, visit->second_fd, visit->second, 0))
		return fail(lane, visit, errno, "link");
	return 0;
}

INLINE int visit_symlink(struct lane *lane, const struct visit *visit)
{
	size_t length = strlen(visit->second);
	if (symlinkat(visit->second, visit->fd, visit->name))
		return fail(lane, visit, errno, "symlink");
	ssize_t got = readlinkat(visit->fd, visit->name, (char *)lane->buffer, lane->buffer_bytes);
	if (got < 0)
		return fail(lane, visit, errno, "readlink");
	if ((size_t)got != length || memcmp(lane->buffer, visit->second, length) != 0)
		return fail(lane, visit, EIO, "readlink: not the target that was given");
	return 0;
}

INLINE int visit_chmod(struct lane *lane, const struct visit *visit)
{
	if (fchmodat(visit->fd, visit->name, lane->passes & 1 ? 0644 : 0600, 0))
		return fail(lane, visit, errno, "chmod");
	return 0;
}

INLINE int visit_chown(struct lane *lane, const struct visit *visit)
{
	unsigned who = lane->passes & 1 ? 0 : 1;
	if (fchownat(visit->fd, visit->name, who, who, AT_SYMLINK_NOFOLLOW))
		return fail(lane, visit, errno, "chown");
	return 0;
}

INLINE int visit_utimes(struct lane *lane, const struct visit *visit)
{
	const struct timespec time = {.tv_sec = FIRST_TIME + (time_t)lane->passes};
	const struct timespec both[2] = {time, time};
	if (utimensat(visit->fd, visit->name, both, AT_SYMLINK_NOFOLLOW))
		return fail(lane, visit, errno, "utimensat");
	return 0;
}

INLINE int visit_truncate(struct lane *lane, const struct visit *visit)
{
	if (ftruncate(visit->fd, lane->passes & 1 ? 0 : BLOCK))
		return fail(lane, visit, errno, "ftruncate");
	return 0;
}

LOOPS(create, CHUNK);
LOOPS(create_write, CHUNK);
LOOPS(mknod, CHUNK);
LOOPS(mkdir, CHUNK);
LOOPS(unlink, CHUNK);
LOOPS(rmdir, CHUNK);
LOOPS(rename, CHUNK);
LOOPS(link, CHUNK);
LOOPS(symlink, CHUNK);
LOOPS(chmod, CHUNK);
LOOPS(chown, CHUNK);
LOOPS(utimes, CHUNK);
LOOPS(truncate, CHUNK);
