/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers in a message, which need not lie where the processor would like them. */
#ifndef FUSE_BENCH_BYTES_H
#define FUSE_BENCH_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t get32(const void *buffer, size_t offset)
{
	uint32_t value;

	memcpy(&value, (const char *)buffer + offset, sizeof(value));
	return value;
}

static inline uint64_t get64(const void *buffer, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)buffer + offset, sizeof(value));
	return value;
}

#endif
