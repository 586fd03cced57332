/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests held back; see delay.h. */

#define _GNU_SOURCE
#include "delay.h"

#include <errno.h>

#include "clock.h"
#include "counters.h"

#define BATCHES 64
#define READINGS 64

int delays_set;
static uint64_t delays_ns[COUNTERS_OPCODES];
/*
 * What the wait takes beyond the time between its first reading of the clock and its last: half a
 * reading before the one, half after the other, and half of one past the end on average.
 */
static uint64_t excess_ns;

/* Of the quickest batch: one that the CPU was taken away from would make every delay too short. */
static uint64_t excess(void)
{
	uint64_t least = UINT64_MAX;

	for (int batch = 0; batch < BATCHES; batch++) {
		const uint64_t start = clock_ns();
		uint64_t now = start;

		for (int i = 0; i < READINGS; i++)
			now = clock_ns();
		if (now - start < least)
			least = now - start;
	}
	return least * 3 / 2 / READINGS;
}

int delay_set(uint32_t opcode, uint64_t ns)
{
	if (opcode >= COUNTERS_OPCODES || ns > DELAY_MAX_NS)
		return -EINVAL;
	if (ns != 0 && !delays_set) {
		excess_ns = excess();
		delays_set = 1;
	}
	delays_ns[opcode] = ns;
	return 0;
}

void delay_wait(uint32_t opcode)
{
	uint64_t ns, start;

	if (opcode >= COUNTERS_OPCODES || delays_ns[opcode] == 0)
		return;
	ns = delays_ns[opcode];
	start = clock_ns();
	while (clock_ns() - start + excess_ns < ns)
		;
}
