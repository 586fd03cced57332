/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in force on the one session of a process: plain variables, written before requests come. */
#ifndef FUSE_BENCH_SHIM_STATE_H
#define FUSE_BENCH_SHIM_STATE_H

#include "shim.h"

struct shim_state {
	struct shim_options options;
	int session_fd;
	/*
	 * What INIT brought: LEVEL_NONE until then, and for good if the kernel does not play along.
	 * Plain, because the kernel sends nothing else before INIT is answered.
	 */
	int level;
};

extern struct shim_state shim;

#endif
