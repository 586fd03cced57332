/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of a tree as a function of its shape: any path by index, nothing listed, nothing stored.
 *
 * Directories are numbered level by level: 0 is the root, the children of i are
 * i * branching + 1 ... i * branching + branching. Directories of the last level are the leaves and
 * hold the files; file k lies in leaf k / files_per_dir.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "random.h"

#define TREE_DIR  "tree"
#define MAX_DEPTH 128
#define MAX_NAME  255
#define MAX_PATH  4032
#define MAX_COUNT (UINT64_C(1) << 40)

enum kind { KIND_DIR = 'd', KIND_FILE = 'f', KIND_MISSING = 'm' };

struct shape {
	uint64_t depth, branching, files_per_dir, name_length, file_size, seed;
	/* Derived: */
	uint64_t dirs, first_leaf, leaves, files;
	unsigned bits;
};

/* Derives the counts; NULL, or what is wrong with the shape. */
const char *shape_init(struct shape *shape);

/* How many indices of a kind have a name. */
uint64_t shape_count(const struct shape *shape, enum kind kind);

/* Writes the name of one thing, name_length characters and NUL. Unique for its kind and index. */
void shape_name(const struct shape *shape, enum kind kind, uint64_t index, char *name);

/* Writes the path from the directory that holds TREE_DIR; its length. Room: MAX_PATH. */
size_t shape_path(const struct shape *shape, enum kind kind, uint64_t index, char *path);

/* First directory of a level, and how many there are. */
uint64_t shape_level(const struct shape *shape, uint64_t level, uint64_t *count);

/* Fills a buffer with bytes that follow from seed, stream and offset (a multiple of 8). */
void shape_content(uint64_t seed, uint64_t stream, uint64_t offset, void *buffer, size_t bytes);

/* Streams of data files begin here: those below are files of the tree. */
#define DATA_STREAM MAX_COUNT

/* Eight bytes of it, at offset 8 * word. */
static inline uint64_t content_word(uint64_t seed, uint64_t stream, uint64_t word)
{
	return mix64(mix64(seed ^ mix64(stream)) + word);
}

#endif
