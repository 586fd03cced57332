/* SPDX-License-Identifier: GPL-2.0-only */
/* The clock that requests are timed by: the one that the kernel's tracepoints are read in, too. */
#ifndef FUSE_BENCH_CLOCK_H
#define FUSE_BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

#endif
