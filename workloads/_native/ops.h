/* SPDX-License-Identifier: GPL-2.0-only */
/* The operations and their inner loops: lanes of visits, run by one thread each. No Python here. */
#ifndef OPS_H
#define OPS_H

#include "thread_group.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* One thing to do, laid out in visiting order so that the driver only ever reads forward. */
struct visit {
	/* Ended by NUL. For ITEMS_CHOSEN the names chosen in this directory follow it, each ended by
     * NUL, and an empty one ends them. */
	const char *name;
	int fd;
	/* Entries a directory must have (ANY_COUNT: unknown), 4 KiB block of a file, or index of the
     * directory that fd stands for. */
	uint32_t aux;
};

#define ANY_COUNT UINT32_MAX
#define BLOCK     4096
#define ENTRY_MAX 256

struct failure {
	int error;
	const struct visit *visit;
	char what[96];
	/* Name within the visited directory, where the failing thing is an entry of it. */
	char entry[ENTRY_MAX];
};

/* One thread's share of the visits, its cursor, and everything it touches inside a window. */
struct lane {
	_Alignas(64) const struct visit *begin, *end, *at;
	uint64_t quota;
	uint64_t done;
	uint64_t entries;
	uint64_t start_ns, end_ns;
	unsigned char *buffer;
	size_t buffer_bytes;
	uint64_t *histogram;
	int root_fd;
	int statx_flags;
	/* Aligned, because the kernel copies 256 bytes to it. */
	_Alignas(64) struct statx st;
	struct failure failure;
};

/* Does lane->quota visits from lane->at on, cyclically; a failure is left in lane->failure. */
typedef void op_loop(struct lane *lane, struct thread_group *group);

struct op_loops {
	op_loop *batch;
	/* The same with one clock reading per op, counted into lane->histogram. */
	op_loop *timed;
};

extern const struct op_loops loops_statx, loops_fstat, loops_scan, loops_rescan, loops_scan_stat,
	loops_scan_stat_some, loops_missing, loops_open_close, loops_pread, loops_empty;

#endif
