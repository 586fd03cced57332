/* SPDX-License-Identifier: GPL-2.0-only */
/* Laying out: from Python's items to visits in memory, everything opened and in visiting order. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "pyglue.h"

#include "ops.h"

enum items {
	/* A path relative to the root, walked inside the window. */
	ITEMS_PATHS,
	/* As ITEMS_PATHS; a directory, and which of its entries are chosen. */
	ITEMS_CHOSEN,
	/* A directory, opened O_PATH before the window, and a name in it. */
	ITEMS_PAIRS,
	/* Two such: what one names becomes the other. */
	ITEMS_TWO,
	/* As ITEMS_PAIRS, and what a symbolic link of that name points to. */
	ITEMS_LINK,
	/* A path whose file or directory is opened before the window. */
	ITEMS_OPENED,
	/* As ITEMS_OPENED; each 4 KiB block of each file is one visit. */
	ITEMS_BLOCKS,
};

/* Whether the root's descriptor is all that is open before the window. */
static inline bool walks_paths(enum items items)
{
	return items == ITEMS_PATHS || items == ITEMS_CHOSEN;
}

/* Whether directories are open before the window, and names in them are visited. */
static inline bool by_directory(enum items items)
{
	return items == ITEMS_PAIRS || items == ITEMS_TWO || items == ITEMS_LINK;
}

/* What an op is expected to find, where that can be told. */
enum expects { NOTHING, ENTRIES, BYTES };

struct op_spec {
	const char *name;
	const struct op_loops *loops;
	enum items items;
	int open_flags;
	enum expects expects;
	/* Asks for an extended attribute, by name. */
	bool asks;
};

struct layout {
	const char *root;
	int root_fd;
	struct visit *visits;
	size_t size;
	char *names;
	int *fds;
	size_t opened;
	/* Directories that are open: their names as bytes, by the index that visits carry. */
	PyObject *dirs;
};

struct request {
	const struct op_spec *op;
	PyObject *items;
	/* NULL, an int for every directory, or a sequence with one for each. */
	PyObject *expected;
	/* Whether blocks are those of a tree's data files, made of this seed. */
	bool known_contents;
	uint64_t contents;
	bool random;
	uint64_t seed;
	int threads;
};

/* Fills a layout whose root and root_fd are set; -1 with an exception, to be released all the same. */
int layout_make(struct layout *layout, const struct request *request);
void layout_release(struct layout *layout);

#endif
