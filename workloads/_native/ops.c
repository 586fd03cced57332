/* SPDX-License-Identifier: GPL-2.0-only */
/* Inner loops of operations that look at what is there: the system call, the check of its result. */
#define _GNU_SOURCE
#include "drive.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

INLINE int visit_statx(struct lane *lane, const struct visit *visit)
{
	if (statx(visit->fd, visit->name, lane->statx_flags, STATX_BASIC_STATS, &lane->st))
		return fail(lane, visit, errno, "statx");
	return 0;
}

INLINE int visit_fstat(struct lane *lane, const struct visit *visit)
{
	if (statx(visit->fd, "", lane->statx_flags | AT_EMPTY_PATH, STATX_BASIC_STATS, &lane->st))
		return fail(lane, visit, errno, "statx of an open file");
	return 0;
}

INLINE int visit_missing(struct lane *lane, const struct visit *visit)
{
	if (!statx(visit->fd, visit->name, lane->statx_flags, STATX_BASIC_STATS, &lane->st))
		return fail(lane, visit, EEXIST, "statx of a name that must be missing");
	if (errno != ENOENT)
		return fail(lane, visit, errno, "statx of a missing name");
	return 0;
}

INLINE int visit_open_close(struct lane *lane, const struct visit *visit)
{
	int fd = openat(visit->fd, visit->name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(lane, visit, errno, "open");
	if (close(fd))
		return fail(lane, visit, errno, "close");
	return 0;
}

INLINE int visit_pread(struct lane *lane, const struct visit *visit)
{
	ssize_t got = pread(visit->fd, lane->buffer, BLOCK, (off_t)visit->aux * BLOCK);
	if (got == BLOCK && (!visit->word || !memcmp(lane->buffer, &visit->word, 8)))
		return 0;
	if (got < 0)
		return fail(lane, visit, errno, "pread");
	if (got == BLOCK)
		return fail(lane, visit, EBADMSG, "pread: other bytes than the tree's");
	return fail_count(lane, visit, "pread: bytes of a block", BLOCK, (uint64_t)got);
}

INLINE int visit_empty(struct lane *lane, const struct visit *visit)
{
	long result = 0;
	/* The compiler must believe that a call took these and may have failed. */
	__asm__ volatile(""
			 : "+r"(result)
			 : "r"(visit->fd), "r"(visit->name), "r"(&lane->st)
			 : "memory");
	if (result)
		return fail(lane, visit, errno, "nothing");
	return 0;
}

LOOPS(statx, CHUNK);
LOOPS(fstat, CHUNK);
LOOPS(missing, CHUNK);
LOOPS(open_close, CHUNK);
LOOPS(pread, CHUNK);
LOOPS(empty, CHUNK);
