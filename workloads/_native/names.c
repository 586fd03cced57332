/* SPDX-License-Identifier: GPL-2.0-only */
/* Tree shape and names; see names.h. */
#include "names.h"
#include "random.h"

#include <string.h>

#define DIGIT_BITS      4
#define DIGITS_PER_WORD 16

/* base to the power, or 0 beyond MAX_COUNT. */
static uint64_t power(uint64_t base, uint64_t exponent)
{
	uint64_t result = 1;
	while (exponent--) {
		if (base > MAX_COUNT / result)
			return 0;
		result *= base;
	}
	return result;
}

uint64_t shape_level(const struct shape *shape, uint64_t level, uint64_t *count)
{
	*count = power(shape->branching, level);
	if (shape->branching == 1)
		return level;
	return (*count - 1) / (shape->branching - 1);
}

const char *shape_init(struct shape *shape)
{
	if (shape->depth > MAX_DEPTH)
		return "depth: more than 128";
	if (shape->branching < 1 || shape->branching > MAX_COUNT)
		return "branching: less than 1 or more than 2^40";
	if (shape->files_per_dir < 1 || shape->files_per_dir > MAX_COUNT)
		return "files_per_dir: less than 1 or more than 2^40";
	if (shape->name_length < 2 || shape->name_length > MAX_NAME)
		return "name_length: less than 2 or more than 255";
	if (shape->file_size > MAX_COUNT)
		return "file_size: more than 2^40";
	if (sizeof TREE_DIR + (shape->depth + 1) * (shape->name_length + 1) > MAX_PATH)
		return "depth and name_length: a path would be longer than 4032 bytes";
	shape->leaves = power(shape->branching, shape->depth);
	if (!shape->leaves || shape->files_per_dir > MAX_COUNT / shape->leaves)
		return "depth, branching and files_per_dir: more than 2^40 files";
	shape->files = shape->leaves * shape->files_per_dir;
	shape->first_leaf = shape_level(shape, shape->depth, &shape->leaves);
	shape->dirs = shape->first_leaf + shape->leaves;
	uint64_t digits = shape->name_length - 1;
	shape->bits = digits < DIGITS_PER_WORD ? (unsigned)digits * DIGIT_BITS : 64;
	if (shape->bits < 64 && (shape->files | shape->dirs) >> shape->bits)
		return "name_length: too short to give every file and directory its own name";
	return NULL;
}

uint64_t shape_count(const struct shape *shape, enum kind kind)
{
	if (kind == KIND_DIR)
		return shape->dirs;
	if (kind == KIND_FILE)
		return shape->files;
	return shape->bits < 40 ? UINT64_C(1) << shape->bits : MAX_COUNT;
}

/* A bijection on the lowest bits: two indices never share a name, and order does not show. */
static uint64_t scramble(uint64_t x, unsigned bits)
{
	uint64_t mask = UINT64_MAX >> (64 - bits);
	unsigned half = bits / 2;
	x &= mask;
	x = ((x ^ (x >> half)) * UINT64_C(0xbf58476d1ce4e5b9)) & mask;
	x = ((x ^ (x >> half)) * UINT64_C(0x94d049bb133111eb)) & mask;
	return x ^ (x >> half);
}

static void put_hex(char *text, uint64_t value, uint64_t digits)
{
	while (digits--) {
		text[digits] = "0123456789abcdef"[value & 15];
		value >>= DIGIT_BITS;
	}
}

void shape_name(const struct shape *shape, enum kind kind, uint64_t index, char *name)
{
	uint64_t key = mix64(shape->seed * 256 + (uint64_t)kind);
	uint64_t digits = shape->name_length - 1;
	uint64_t first = digits < DIGITS_PER_WORD ? digits : DIGITS_PER_WORD;
	uint64_t value = scramble(index + key, shape->bits);

	name[0] = (char)kind;
	put_hex(name + 1, value, first);
	for (uint64_t at = first; at < digits;) {
		uint64_t left = digits - at;
		uint64_t count = left < DIGITS_PER_WORD ? left : DIGITS_PER_WORD;
		value = mix64(value + key + at);
		put_hex(name + 1 + at, value, count);
		at += count;
	}
	name[shape->name_length] = '\0';
}

/* Writes the path of a directory; its length. */
static size_t dir_path(const struct shape *shape, uint64_t index, char *path)
{
	uint64_t chain[MAX_DEPTH];
	size_t above = 0, length = sizeof TREE_DIR - 1;

	for (; index; index = (index - 1) / shape->branching)
		chain[above++] = index;
	memcpy(path, TREE_DIR, sizeof TREE_DIR);
	while (above) {
		path[length++] = '/';
		shape_name(shape, KIND_DIR, chain[--above], path + length);
		length += shape->name_length;
	}
	return length;
}

size_t shape_path(const struct shape *shape, enum kind kind, uint64_t index, char *path)
{
	if (kind == KIND_DIR)
		return dir_path(shape, index, path);
	uint64_t leaf = index / shape->files_per_dir % shape->leaves;
	size_t length = dir_path(shape, shape->first_leaf + leaf, path);
	path[length++] = '/';
	shape_name(shape, kind, index, path + length);
	return length + shape->name_length;
}

void shape_content(uint64_t seed, uint64_t stream, uint64_t offset, void *buffer, size_t bytes)
{
	uint64_t base = mix64(seed ^ mix64(stream)) + offset / 8;
	unsigned char *at = buffer;
	for (uint64_t word = 0; bytes; word++) {
		uint64_t value = mix64(base + word);
		size_t count = bytes < sizeof value ? bytes : sizeof value;
		memcpy(at, &value, count);
		at += count;
		bytes -= count;
	}
}
