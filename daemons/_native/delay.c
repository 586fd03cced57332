/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests held back; see delay.h. */

#define _GNU_SOURCE
#include "delay.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "counters.h"

/* Of the calibration: 64 x 64 waits of 2 us, some 10 ms at the start of a server with delays. */
#define BATCHES 64
#define WAITS   64
#define WAIT_NS 2000

int delays_set;
static uint64_t delays_ns[COUNTERS_OPCODES];
/* What a wait takes beyond what it was asked for: its first reading of the clock, and its last. */
static uint64_t excess_ns;

static void wait_for(uint64_t ns)
{
	const uint64_t start = clock_ns();

	while (clock_ns() - start < ns)
		;
}

/*
 * Time of WAITS waits, each behind a system call, as they are in service: the clock's first reading
 * is slower there. The quickest batch counts: if the CPU is taken away, that is no excess.
 */
static uint64_t quickest(uint64_t ns)
{
	uint64_t least = UINT64_MAX;

	for (int batch = 0; batch < BATCHES; batch++) {
		const uint64_t start = clock_ns();
		uint64_t took;

		for (int i = 0; i < WAITS; i++) {
			syscall(SYS_getppid);
			if (ns != 0)
				wait_for(ns);
		}
		took = clock_ns() - start;
		if (took < least)
			least = took;
	}
	return least;
}

static uint64_t excess(void)
{
	const uint64_t with = quickest(WAIT_NS);
	const uint64_t asked = quickest(0) + WAITS * WAIT_NS;

	return with > asked ? (with - asked) / WAITS : 0;
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
	if (opcode < COUNTERS_OPCODES && delays_ns[opcode] > excess_ns)
		wait_for(delays_ns[opcode] - excess_ns);
}
