/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests held back: a known cost, so that a measurement can be held against what it should find.
 *
 * A delayed request is busy-waited for between its read and its handler, on the CPU that serves it:
 * asleep it would measure the wake-up. The wait is calibrated to take what it is asked for, within
 * some 20 ns; less than it takes at least, some 50 to 100 ns, is no wait at all. What comes after it
 * finds colder caches, at the same cost whether client or server waits: an operation of 6.36 us took
 * 6.58 after a wait of 1 us, 7.06 after 10, 7.44 after 100. So compare a server that waits with one
 * that waits longer.
 */
#ifndef FUSE_BENCH_DELAY_H
#define FUSE_BENCH_DELAY_H

#include <stdint.h>

/* Above this a client would take the server for dead. */
#define DELAY_MAX_NS UINT64_C(1000000000)

/* Holds every request of ``opcode`` back for ``ns``; 0: no longer. Returns 0 or -EINVAL. */
int delay_set(uint32_t opcode, uint64_t ns);

/* Whether any opcode was ever held back: all that a request of a server without delays looks at. */
extern int delays_set;

void delay_wait(uint32_t opcode);

/* Waits for as long as a request of ``opcode`` is to be held back. */
static inline void delay_request(uint32_t opcode)
{
	if (delays_set)
		delay_wait(opcode);
}

#endif
