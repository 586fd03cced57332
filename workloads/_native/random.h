/* SPDX-License-Identifier: GPL-2.0-only */
/* Seeded numbers that are the same on every machine: splitmix64 and an unbiased bounded draw. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

/* The finaliser of splitmix64: a bijection on 64 bits that leaves no visible order. */
static inline uint64_t mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static inline uint64_t random_next(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return mix64(*state);
}

/* A number below bound (not 0, below 2^32), every one equally likely (Lemire's method). */
static inline uint32_t random_below(uint64_t *state, uint32_t bound)
{
	uint64_t product = (random_next(state) >> 32) * bound;
	if ((uint32_t)product < bound) {
		uint32_t reject = (uint32_t)(-bound) % bound;
		while ((uint32_t)product < reject)
			product = (random_next(state) >> 32) * bound;
	}
	return (uint32_t)(product >> 32);
}

#endif
