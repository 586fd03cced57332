/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzing of tree specifications: any six numbers, and any indices of the tree that they make.
 *
 * What is taken must hold: names of the asked length, each with its own index, paths that fit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../workloads/_native/names.h"

static void require(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

/* The next number of the input: small, near a limit, or any, so that limits are met. */
static uint64_t take(const uint8_t **data, size_t *size)
{
	uint64_t value = 0;
	uint8_t kind;

	if (*size < 9)
		return 1;
	kind = **data;
	memcpy(&value, *data + 1, sizeof(value));
	*data += 9, *size -= 9;
	switch (kind % 4) {
	case 0:
		return value & 0xf;
	case 1:
		return value & 0x1ff;
	case 2:
		return (UINT64_C(1) << (value >> 8 & 63)) + (value & 7) - 3;
	default:
		return value;
	}
}

static void check_name(const struct shape *shape, enum kind kind, uint64_t index, uint64_t other)
{
	char *name = malloc(shape->name_length + 1), *second = malloc(shape->name_length + 1);

	shape_name(shape, kind, index, name);
	shape_name(shape, kind, other, second);
	require(strlen(name) == shape->name_length && name[0] == (char)kind, "a name's length");
	require((strcmp(name, second) == 0) == (index == other), "one name, one index");
	free(name);
	free(second);
}

static void check_path(const struct shape *shape, enum kind kind, uint64_t index)
{
	char *path = malloc(MAX_PATH);
	const size_t length = shape_path(shape, kind, index, path);

	require(length < MAX_PATH && length == strlen(path), "a path's length");
	require(strncmp(path, TREE_DIR, strlen(TREE_DIR)) == 0, "a path lies in the tree");
	free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum kind kinds[] = {KIND_DIR, KIND_FILE, KIND_MISSING};
	struct shape shape = {0};
	uint64_t total = 0, count;

	shape.depth = take(&data, &size);
	shape.branching = take(&data, &size);
	shape.files_per_dir = take(&data, &size);
	shape.name_length = take(&data, &size);
	shape.file_size = take(&data, &size);
	shape.seed = take(&data, &size);
	if (shape_init(&shape))
		return 0;
	require(shape.leaves && shape.files / shape.leaves == shape.files_per_dir, "files");
	for (uint64_t level = 0; level <= shape.depth; level++) {
		require(shape_level(&shape, level, &count) == total,
			"a level begins where the last ends");
		total += count;
	}
	require(total == shape.dirs, "levels hold all directories");
	for (size_t i = 0; i < 3; i++) {
		const uint64_t all = shape_count(&shape, kinds[i]);
		const uint64_t index = take(&data, &size) % all;

		check_name(&shape, kinds[i], index, take(&data, &size) % all);
		check_path(&shape, kinds[i], index);
		check_path(&shape, kinds[i], all - 1);
	}
	return 0;
}
