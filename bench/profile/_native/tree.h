/* SPDX-License-Identifier: GPL-2.0-only */
/* What a window is made of: call paths as a tree, and instructions by call path and block. */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stdint.h>

/* A call path: the path it is called from, and the address of the call; 0 is the root of all. */
typedef uint32_t path_id;

struct cell {
	uint64_t block;
	uint64_t count;
	/* How often the block was run. */
	uint64_t runs;
	/* Both when the window closed last: see tree_close(). */
	uint64_t closed, closed_runs;
	path_id path;
};

/* Makes room; false if there is none. */
bool tree_init(void);

/* Forgets everything. */
void tree_clear(void);

/* The call path for a call made at an address of another one. */
path_id tree_path(path_id caller, uint64_t site);

/* Where the instructions of a block are counted under a path. Valid until tree_clear(). */
struct cell *tree_cell(path_id path, uint64_t block);

/* What is counted from here on belongs to the window only if it opens again. */
void tree_close(void);

/* Writes paths and counts; false when that fails. */
bool tree_write(const char *folder, uint32_t number);

#endif
