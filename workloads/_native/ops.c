/* SPDX-License-Identifier: GPL-2.0-only */
/* One inner loop per operation: the system call, the check of its result, the next visit.
 *
 * drive() is inlined into each loop with the operation as a constant, so there is no indirect
 * call per op. Whether to stop is asked between chunks, not per op.
 */
#define _GNU_SOURCE
#include "ops.h"
#include "clock.h"
#include "histogram.h"
#include "mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INLINE static inline __attribute__((always_inline))
#define COLD   static __attribute__((cold, noinline))
#define CHUNK  64

typedef int visit_op(struct lane *lane, const struct visit *visit);

/* Records why a visit failed; a helper, so that the loops stay small. */
COLD int fail(struct lane *lane, const struct visit *visit, int error, const char *what)
{
	lane->failure.error = error;
	lane->failure.visit = visit;
	snprintf(lane->failure.what, sizeof lane->failure.what, "%s: %s", what, strerror(error));
	return -1;
}

COLD int fail_entry(struct lane *lane, const struct visit *visit, const char *entry)
{
	int error = errno;
	snprintf(lane->failure.entry, sizeof lane->failure.entry, "%s", entry);
	return fail(lane, visit, error, "statx");
}

COLD int fail_count(struct lane *lane, const struct visit *visit, const char *what, uint64_t wanted,
		    uint64_t got)
{
	lane->failure.error = EIO;
	lane->failure.visit = visit;
	snprintf(lane->failure.what, sizeof lane->failure.what, "%s: wanted %llu, got %llu", what,
		 (unsigned long long)wanted, (unsigned long long)got);
	return -1;
}

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
	if (got == BLOCK)
		return 0;
	if (got < 0)
		return fail(lane, visit, errno, "pread");
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

static inline bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Which entries of a directory are stat'ed: none, each as its buffer is read, or the chosen ones
 * when all have been listed. */
enum stats { STAT_NONE, STAT_EACH, STAT_CHOSEN };

/* Counts the entries in one filled buffer, statting each if asked to; -1 after a failure. */
INLINE int take_buffer(struct lane *lane, const struct visit *visit, int fd, size_t bytes,
		       enum stats stats)
{
	uint64_t entries = 0;
	for (size_t at = 0; at < bytes;) {
		const struct dirent64 *entry = (const void *)(lane->buffer + at);
		at += entry->d_reclen;
		if (is_dot(entry->d_name))
			continue;
		entries++;
		if (stats == STAT_EACH &&
		    statx(fd, entry->d_name, lane->statx_flags, STATX_BASIC_STATS, &lane->st))
			return fail_entry(lane, visit, entry->d_name);
	}
	lane->entries += entries;
	return 0;
}

INLINE int list(struct lane *lane, const struct visit *visit, int fd, enum stats stats)
{
	uint64_t before = lane->entries;
	for (;;) {
		ssize_t got = getdents64(fd, lane->buffer, lane->buffer_bytes);
		if (got < 0)
			return fail(lane, visit, errno, "getdents64");
		if (!got)
			break;
		if (take_buffer(lane, visit, fd, (size_t)got, stats))
			return -1;
	}
	if (visit->aux != ANY_COUNT && lane->entries - before != visit->aux)
		return fail_count(lane, visit, "getdents64: entries", visit->aux,
				  lane->entries - before);
	return 0;
}

INLINE int stat_chosen(struct lane *lane, const struct visit *visit, int fd)
{
	const char *name = visit->name;
	for (name += strlen(name) + 1; *name; name += strlen(name) + 1)
		if (statx(fd, name, lane->statx_flags, STATX_BASIC_STATS, &lane->st))
			return fail_entry(lane, visit, name);
	return 0;
}

INLINE int open_and_list(struct lane *lane, const struct visit *visit, enum stats stats)
{
	int fd = openat(visit->fd, visit->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(lane, visit, errno, "open");
	int result = list(lane, visit, fd, stats);
	if (stats == STAT_CHOSEN && !result)
		result = stat_chosen(lane, visit, fd);
	if (close(fd) && !result)
		return fail(lane, visit, errno, "close");
	return result;
}

INLINE int visit_scan(struct lane *lane, const struct visit *visit)
{
	return open_and_list(lane, visit, STAT_NONE);
}

INLINE int visit_scan_stat(struct lane *lane, const struct visit *visit)
{
	return open_and_list(lane, visit, STAT_EACH);
}

INLINE int visit_scan_stat_some(struct lane *lane, const struct visit *visit)
{
	return open_and_list(lane, visit, STAT_CHOSEN);
}

INLINE int visit_rescan(struct lane *lane, const struct visit *visit)
{
	if (lseek(visit->fd, 0, SEEK_SET) < 0)
		return fail(lane, visit, errno, "lseek");
	return list(lane, visit, visit->fd, STAT_NONE);
}

/* Up to count visits that do not wrap; how many succeeded. */
INLINE uint64_t stretch(struct lane *lane, uint64_t count, visit_op *op, uint64_t *clock)
{
	const struct visit *first = lane->at, *visit = first;
	for (; visit != first + count; visit++) {
		if (op(lane, visit))
			break;
		if (clock) {
			uint64_t now = now_ns();
			histogram_add(lane->histogram, now - *clock);
			*clock = now;
		}
	}
	lane->at = visit;
	return (uint64_t)(visit - first);
}

INLINE void drive(struct lane *lane, struct thread_group *group, visit_op *op, uint64_t chunk,
		  bool timed)
{
	uint64_t left = lane->quota, clock;
	lane->start_ns = clock = now_ns();
	MARK(MARK_BEGIN);
	while (left && !thread_group_stopped(group)) {
		uint64_t ahead = (uint64_t)(lane->end - lane->at);
		uint64_t count = left < ahead ? left : ahead;
		if (count > chunk)
			count = chunk;
		uint64_t done = stretch(lane, count, op, timed ? &clock : NULL);
		left -= done;
		if (lane->at == lane->end)
			lane->at = lane->begin;
		if (done != count)
			break;
	}
	MARK(MARK_END);
	lane->end_ns = now_ns();
	lane->done = lane->quota - left;
}

#define LOOPS(name, chunk)                                                      \
	static void batch_##name(struct lane *lane, struct thread_group *group) \
	{                                                                       \
		drive(lane, group, visit_##name, chunk, false);                 \
	}                                                                       \
	static void timed_##name(struct lane *lane, struct thread_group *group) \
	{                                                                       \
		drive(lane, group, visit_##name, chunk, true);                  \
	}                                                                       \
	const struct op_loops loops_##name = {batch_##name, timed_##name}

LOOPS(statx, CHUNK);
LOOPS(fstat, CHUNK);
LOOPS(missing, CHUNK);
LOOPS(open_close, CHUNK);
LOOPS(pread, CHUNK);
LOOPS(empty, CHUNK);
/* One listing can take a tenth of a second, so whether to stop is asked after each. */
LOOPS(scan, 1);
LOOPS(rescan, 1);
LOOPS(scan_stat, 1);
LOOPS(scan_stat_some, 1);
