/* SPDX-License-Identifier: GPL-2.0-only */
/* The backing ids a reply carries: which it needs at a level, and the files behind them. */
#ifndef FUSE_BENCH_REPLY_IDS_H
#define FUSE_BENCH_REPLY_IDS_H

#include <stdint.h>

#include "pending.h"

/* One for the inode the reply is about, one for the file it opens; 0 is none. */
struct reply_ids {
	int32_t inode;
	int32_t open;
};

/* The ids for the reply to a request, registered with the kernel if need be. */
struct reply_ids reply_ids(struct pending request, const uint8_t *body);

#endif
