/* SPDX-License-Identifier: GPL-2.0-only */
/* What every inner loop is made of: the loop itself, and how a failure is recorded.
 *
 * drive() is inlined into each loop with the operation and the mode as constants, so there is no
 * indirect call per op. Whether to stop is asked between chunks, not per op.
 */
#ifndef DRIVE_H
#define DRIVE_H

#include "ops.h"

#include "clock.h"
#include "histogram.h"
#include "mark.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define COLD   static __attribute__((cold, noinline, unused))
#define CHUNK  64

/* A sleeping thread is woken late by that much; the rest is waited for awake. */
#define WAKE_NS 50000

typedef int visit_op(struct lane *lane, const struct visit *visit);

enum mode { BATCH, TIMED, PACED };

/* Records why a visit failed; a helper, so that the loops stay small. */
COLD int fail(struct lane *lane, const struct visit *visit, int error, const char *what)
{
	lane->failure.error = error;
	lane->failure.visit = visit;
	snprintf(lane->failure.what, sizeof lane->failure.what, "%s: %s", what, strerror(error));
	return -1;
}

COLD int fail_entry(struct lane *lane, const struct visit *visit, const char *entry,
		    const char *what)
{
	int error = errno;
	snprintf(lane->failure.entry, sizeof lane->failure.entry, "%s", entry);
	return fail(lane, visit, error, what);
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

INLINE void wait_until(uint64_t due_ns)
{
	for (uint64_t now = now_ns(); now < due_ns; now = now_ns()) {
		if (due_ns - now <= WAKE_NS)
			continue;
		uint64_t until = due_ns - WAKE_NS;
		struct timespec wake = {.tv_sec = (time_t)(until / 1000000000U),
					.tv_nsec = (long)(until % 1000000000U)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL);
	}
}

/* Up to count visits that do not wrap; how many succeeded. */
INLINE uint64_t stretch(struct lane *lane, uint64_t count, visit_op *op, enum mode mode,
			uint64_t *clock)
{
	const struct visit *first = lane->at, *visit = first;
	for (; visit != first + count; visit++) {
		if (mode == PACED)
			wait_until(lane->due_ns);
		if (op(lane, visit))
			break;
		if (mode == BATCH)
			continue;
		uint64_t now = now_ns();
		histogram_add(lane->histogram, now - (mode == PACED ? lane->due_ns : *clock));
		*clock = now;
		lane->due_ns += lane->interval_ns;
	}
	lane->at = visit;
	return (uint64_t)(visit - first);
}

INLINE void drive(struct lane *lane, struct thread_group *group, visit_op *op, uint64_t chunk,
		  enum mode mode)
{
	uint64_t left = lane->quota, clock;
	lane->start_ns = clock = now_ns();
	lane->due_ns += clock;
	MARK(MARK_BEGIN);
	while (left && !thread_group_stopped(group)) {
		uint64_t ahead = (uint64_t)(lane->end - lane->at);
		uint64_t count = left < ahead ? left : ahead;
		if (count > chunk)
			count = chunk;
		uint64_t done = stretch(lane, count, op, mode, &clock);
		left -= done;
		if (lane->at == lane->end) {
			lane->at = lane->begin;
			lane->passes++;
		}
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
		drive(lane, group, visit_##name, chunk, BATCH);                 \
	}                                                                       \
	static void timed_##name(struct lane *lane, struct thread_group *group) \
	{                                                                       \
		drive(lane, group, visit_##name, chunk, TIMED);                 \
	}                                                                       \
	static void paced_##name(struct lane *lane, struct thread_group *group) \
	{                                                                       \
		drive(lane, group, visit_##name, 1, PACED);                     \
	}                                                                       \
	const struct op_loops loops_##name = {batch_##name, timed_##name, paced_##name}

#endif
