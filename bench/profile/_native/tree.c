/* SPDX-License-Identifier: GPL-2.0-only */
/* Call paths and cells in two tables of open addressing; see tree.h. */
#include "tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Powers of two; tests make them small. */
#ifndef PATHS
#define PATHS (UINT32_C(1) << 20)
#define CELLS (UINT32_C(1) << 21)
#endif
#define NAME_ROOM 4096

struct path {
	uint64_t site;
	path_id caller;
	path_id id;
};

static struct path *paths;
/* By number, the place of a path in the table. */
static uint32_t *path_places;
static uint32_t path_count;
static struct cell *cells;
static uint32_t cell_count;
/* Whether something did not fit: counted under the root, and told. */
static bool full;

static uint32_t hash(uint64_t address, uint32_t id, uint32_t size)
{
	uint64_t mixed = (address ^ ((uint64_t)id << 40)) * UINT64_C(0x9e3779b97f4a7c15);
	mixed ^= mixed >> 29;
	mixed *= UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(mixed >> 32) & (size - 1);
}

bool tree_init(void)
{
	paths = calloc(PATHS, sizeof *paths);
	path_places = calloc(PATHS, sizeof *path_places);
	cells = calloc(CELLS, sizeof *cells);
	return paths && path_places && cells;
}

void tree_clear(void)
{
	memset(paths, 0, PATHS * sizeof *paths);
	memset(cells, 0, CELLS * sizeof *cells);
	path_count = cell_count = 0;
	full = false;
}

path_id tree_path(path_id caller, uint64_t site)
{
	uint32_t at = hash(site, caller, PATHS);

	while (paths[at].id && (paths[at].site != site || paths[at].caller != caller))
		at = (at + 1) & (PATHS - 1);
	if (paths[at].id)
		return paths[at].id;
	if (path_count >= PATHS / 4 * 3) {
		full = true;
		return 0;
	}
	path_count++;
	paths[at] = (struct path){.site = site, .caller = caller, .id = path_count};
	path_places[path_count] = at;
	return path_count;
}

struct cell *tree_cell(path_id path, uint64_t block)
{
	static struct cell lost;
	uint32_t at = hash(block, path, CELLS);

	while (cells[at].block && (cells[at].block != block || cells[at].path != path))
		at = (at + 1) & (CELLS - 1);
	if (cells[at].block)
		return &cells[at];
	if (cell_count >= CELLS / 4 * 3) {
		full = true;
		return &lost;
	}
	cell_count++;
	cells[at].block = block;
	cells[at].path = path;
	return &cells[at];
}

void tree_close(void)
{
	for (uint32_t at = 0; at < CELLS; at++) {
		cells[at].closed = cells[at].count;
		cells[at].closed_runs = cells[at].runs;
	}
}

static void write_tree(FILE *file)
{
	for (path_id id = 1; id <= path_count; id++) {
		const struct path *path = &paths[path_places[id]];
		fprintf(file, "path %" PRIu32 " %" PRIx64 "\n", path->caller, path->site);
	}
	for (uint32_t at = 0; at < CELLS; at++)
		if (cells[at].closed)
			fprintf(file, "cell %" PRIu32 " %" PRIx64 " %" PRIu64 " %" PRIu64 "\n",
				cells[at].path, cells[at].block, cells[at].closed,
				cells[at].closed_runs);
	fprintf(file, "end %s\n", full ? "full" : "whole");
}

bool tree_write(const char *folder, uint32_t number)
{
	char part[NAME_ROOM], name[NAME_ROOM];

	snprintf(name, sizeof name, "%s/%" PRIu32 ".blocks", folder, number);
	if ((size_t)snprintf(part, sizeof part, "%s.part", name) >= sizeof part)
		return false;
	FILE *file = fopen(part, "w");
	if (!file)
		return false;
	write_tree(file);
	bool written = !ferror(file);
	if (fclose(file) || !written || rename(part, name)) {
		unlink(part);
		return false;
	}
	return true;
}
