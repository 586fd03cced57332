/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests in flight: which opcode and inode a ``unique`` belongs to, between the read of a request
 * and the write of its reply (a reply carries the unique only). Fixed memory, no lock.
 */
#ifndef FUSE_BENCH_PENDING_H
#define FUSE_BENCH_PENDING_H

#include <stdint.h>

struct pending {
	uint32_t opcode;
	uint64_t nodeid;
	uint64_t read_ns; /* CLOCK_MONOTONIC when it was read; 0 if it is not timed */
};

/* Remembers a request. Returns 0, or -1 when there is no room: its reply will not be known. */
int pending_put(uint64_t unique, struct pending request);

/* Takes a request out again. Returns 1 and fills ``request``, or 0 if it is not remembered. */
int pending_take(uint64_t unique, struct pending *request);

#endif
