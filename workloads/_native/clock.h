/* SPDX-License-Identifier: GPL-2.0-only */
/* The clock of every window, CLOCK_MONOTONIC in nanoseconds; and waiting for it without idling. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* 256 instructions that cost who emulates them next to nothing. */
static inline void do_nothing(void)
{
	__asm__ volatile(".rept 256\n\tnop\n\t.endr" : : : "memory");
}

/* Keeps the CPU busy until then. Halves what is left with every reading of the clock, as these are
 * dear under emulation; where an instruction takes 2 ns it ends within 1 us. */
static inline void spin_until_ns(uint64_t end)
{
	for (uint64_t now = now_ns(); now < end; now = now_ns()) {
		uint64_t times = (end - now) / 1024;
		do
			do_nothing();
		while (times-- > 1);
	}
}

#endif
