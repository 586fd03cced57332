/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loop that reads and handles requests, in one thread or several, and how it ends.
 *
 * Not libfuse's own loop: that one starts and ends threads as requests come, takes a lock around
 * every request for it, and can miss a signal that comes in before it waits.
 */
#ifndef FUSE_BENCH_SERVER_LOOP_H
#define FUSE_BENCH_SERVER_LOOP_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

/* Blocks the signals that end the server. From now on only loop_run() takes them. */
void loop_block_signals(void);

/*
 * Serves until unmounted or told to end: with ``threads`` workers, none of which is left when it
 * returns, or alone if that is 1.
 * Returns 0, or an errno if it could not be begun (and what failed is logged).
 */
int loop_run(struct fuse_session *session, unsigned int threads, bool clone_fd);

#endif
