/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests in flight; see pending.h. */

#include "pending.h"

#include <stddef.h>

/*
 * 2048 sets of 4 slots. The kernel numbers requests by counting up, so consecutive uniques land in
 * different sets and a set overflows only with thousands of requests in flight.
 */
#define SETS 2048u
#define WAYS 4u

struct slot {
	uint64_t unique; /* 0: free. The kernel never sends a request with unique 0. */
	uint64_t nodeid;
	uint64_t read_ns;
	uint32_t opcode;
	uint32_t padding;
};

static struct slot slots[SETS][WAYS] __attribute__((aligned(64)));

static struct slot *set_of(uint64_t unique)
{
	/* Multiplicative hash: some kernels put a CPU number into the low or high bits. */
	return slots[(unique * UINT64_C(0x9e3779b97f4a7c15)) >> 53];
}

int pending_put(uint64_t unique, struct pending request)
{
	struct slot *set = set_of(unique);

	for (size_t i = 0; i < WAYS; i++) {
		uint64_t is_free = 0;

		if (!__atomic_compare_exchange_n(&set[i].unique, &is_free, unique, 0,
						 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		/*
		 * Only the thread that replies to this unique looks at the rest of the slot, and the
		 * server itself hands the request over to that thread: plain stores will do.
		 */
		set[i].nodeid = request.nodeid;
		set[i].read_ns = request.read_ns;
		set[i].opcode = request.opcode;
		return 0;
	}
	return -1;
}

int pending_take(uint64_t unique, struct pending *request)
{
	struct slot *set = set_of(unique);

	for (size_t i = 0; i < WAYS; i++) {
		if (__atomic_load_n(&set[i].unique, __ATOMIC_RELAXED) != unique)
			continue;
		request->nodeid = set[i].nodeid;
		request->read_ns = set[i].read_ns;
		request->opcode = set[i].opcode;
		__atomic_store_n(&set[i].unique, 0, __ATOMIC_RELEASE);
		return 1;
	}
	return 0;
}
