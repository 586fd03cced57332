/* SPDX-License-Identifier: GPL-2.0-only */
/* Lanes, one per thread, and the windows run over them. No Python here. */
#ifndef WINDOW_H
#define WINDOW_H

#include "ops.h"

struct lanes_plan {
	struct visit *visits;
	size_t size;
	int threads;
	int statx_flags;
	size_t buffer_bytes;
	const char *root, *text;
	unsigned share, credit;
	/* One more than the largest descriptor, where descriptors stand for directories that visits
	 * go by; 0 where each visit has one of its own. */
	size_t directory_fds;
};

/* Cuts the visits into one run per thread; the first size mod threads lanes get one more.
 * NULL with errno. There must be as many visits as threads at least. */
struct lane *lanes_make(const struct lanes_plan *plan);
void lanes_free(struct lane *lanes, int threads);

struct window {
	struct lane *lanes;
	int threads;
	const struct op_loops *loops;
	bool histogram;
	/* Open loop: ops due per second, over all threads; 0: each as soon as the last is done. */
	double rate;
	/* The lane whose op failed first, or -1. */
	atomic_int failed;
	uint64_t ops, entries, stats, ns;
};

/* Hands out ops after those served before: number k of all goes to thread k mod threads.
 * 0, or ENOMEM. */
int window_prepare(struct window *window, uint64_t served, uint64_t ops);

/* Opens the window and waits for its end; 0, or the errno that kept threads from being made. */
int window_run(struct window *window, thread_group_poll *poll, void *argument);

#endif
