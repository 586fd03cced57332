/* SPDX-License-Identifier: GPL-2.0-only */
/* A group: T threads that pass one start barrier together, and a caller that waits for them.
 *
 * Threads are made anew for each run, before the barrier, so that they inherit the affinity the
 * caller has at that moment. A group of one is the caller itself: where threads share a descriptor
 * table the kernel must take a reference on every descriptor it is handed, which was measured at
 * 75 ns per statx. Signals are blocked while a body runs: one must not interrupt the system call
 * under measurement (FUSE would answer EINTR). The caller acts on them a few times a second.
 */
#ifndef THREAD_GROUP_H
#define THREAD_GROUP_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct thread_group;

typedef void thread_group_body(struct thread_group *group, int index, void *shared);
/* Called in the caller's thread about five times a second; not 0 asks the threads to stop. */
typedef int thread_group_poll(void *argument);

struct thread_group {
	int threads;
	thread_group_body *body;
	void *shared;
	thread_group_poll *poll;
	void *poll_argument;
	/* Set by whoever wants all threads to end early. */
	atomic_bool stop;
	/* A group of one has to ask by itself; see thread_group_stopped. */
	bool alone;
	uint64_t polled_ns;
	sigset_t signals_before;
};

/* Runs body once on each thread; 0, or the errno that kept a thread from being made. */
int thread_group_run(struct thread_group *group);

/* Lets signals in and polls, if it is time to; for groups of one. */
void thread_group_poll_alone(struct thread_group *group);

/* Whether to end early. Bodies ask between bundles of work, every few milliseconds or oftener;
 * in a group of one it costs a clock reading. */
static inline bool thread_group_stopped(struct thread_group *group)
{
	if (group->alone)
		thread_group_poll_alone(group);
	return atomic_load_explicit(&group->stop, memory_order_relaxed);
}

#endif
