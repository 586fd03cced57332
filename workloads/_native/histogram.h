/* SPDX-License-Identifier: GPL-2.0-only */
/* Latency histogram of fixed memory: log-linear buckets, as in HdrHistogram, 1 ns to 100 s.
 *
 * Below 256 ns every value has its own bucket; above, each power of two is cut into 128 buckets,
 * so that the upper bound a bucket is reported under is less than 1/128 (0.8 %) above its values.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS    7
#define HISTOGRAM_LOWEST  UINT64_C(1)
#define HISTOGRAM_HIGHEST UINT64_C(100000000000)
/* 100 s lies in the octave of 2^36, 29 octaves above the linear part. */
#define HISTOGRAM_BUCKETS ((36 - HISTOGRAM_BITS + 2) << HISTOGRAM_BITS)

static inline unsigned histogram_bucket(uint64_t ns)
{
	if (ns < HISTOGRAM_LOWEST)
		ns = HISTOGRAM_LOWEST;
	if (ns > HISTOGRAM_HIGHEST)
		ns = HISTOGRAM_HIGHEST;
	if (ns < (UINT64_C(1) << HISTOGRAM_BITS))
		return (unsigned)ns;
	unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - HISTOGRAM_BITS;
	return (shift << HISTOGRAM_BITS) + (unsigned)(ns >> shift);
}

/* The largest value that falls into a bucket. */
static inline uint64_t histogram_upper(unsigned bucket)
{
	if (bucket < (2U << HISTOGRAM_BITS))
		return bucket;
	unsigned shift = (bucket >> HISTOGRAM_BITS) - 1;
	uint64_t lead = bucket - (shift << HISTOGRAM_BITS);
	uint64_t upper = ((lead + 1) << shift) - 1;
	return upper < HISTOGRAM_HIGHEST ? upper : HISTOGRAM_HIGHEST;
}

static inline void histogram_add(uint64_t *counts, uint64_t ns)
{
	counts[histogram_bucket(ns)]++;
}

#endif
