/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shared counters file, version 2, little-endian; bench/requests/counters.py reads it while it grows.
 *
 *   offset  what
 *        0  "FPBC"
 *        4  u32 version (2)
 *        8  u32 number of opcodes (128)
 *       12  u32 number of named fields
 *       16  u32 timing: 1 has requests timed. The one thing that the reader writes, and only while
 *           no request is under way: what is timed is remembered until its reply
 *       20  u32 0
 *       24  u64 requests received, one per opcode, indexed by opcode
 *     1048  u64 requests whose reply was timed, one per opcode
 *     2072  u64 nanoseconds between the read of those requests and the write of their replies
 *     3096  named fields, 32 bytes each: char name[24] (NUL-padded), u64 value
 *
 * The names travel with the values, so that no list has to be kept equal in two languages.
 */
#ifndef FUSE_BENCH_COUNTERS_H
#define FUSE_BENCH_COUNTERS_H

#include <stdint.h>

#define COUNTERS_VERSION 2u
#define COUNTERS_OPCODES 128u

/* X(name): every named field, in file order. */
#define COUNTERS_FIELDS(X)                                                                 \
	X(ids_open) /* backing ids registered and not closed */                            \
	X(ids_opened) /* backing ids registered since the start */                         \
	X(ids_failed) /* inodes whose registration failed: they stay unattached */         \
	X(ids_errno) /* errno of the last failure, 0 if none */                            \
	X(replies_edited) /* replies that went out with a backing id (INIT not counted) */ \
	X(replies_lost) /* replies unedited because too many requests were in flight */    \
	X(forget_lookups) /* lookups given back by FORGET and BATCH_FORGET */              \
	X(batch_forget_items) /* inodes named in BATCH_FORGET requests */                  \
	X(opcodes_unknown) /* requests with an opcode of 128 or more */                    \
	X(level) /* level asked for, as a rank */                                          \
	X(level_in_force) /* level that INIT brought; 0 until then */                      \
	X(init_minor) /* protocol minor the kernel speaks */                               \
	X(init_offered) /* INIT flags the kernel offered */                                \
	X(init_negotiated) /* INIT flags of the reply */

enum counters_field {
#define X(name) FIELD_##name,
	COUNTERS_FIELDS(X)
#undef X
		FIELD_COUNT
};

struct counters {
	char magic[4];
	uint32_t version;
	uint32_t opcodes;
	uint32_t fields;
	uint32_t timing;
	uint32_t padding;
	uint64_t requests[COUNTERS_OPCODES];
	uint64_t timed[COUNTERS_OPCODES];
	uint64_t server_ns[COUNTERS_OPCODES];
	struct {
		char name[24];
		uint64_t value;
	} field[FIELD_COUNT];
};

/* Where to count; never NULL. Private memory until counters_map() has been called. */
extern struct counters *counters;

/* Creates ``path`` anew and counts into it from now on. Returns 0 or -errno. */
int counters_map(const char *path);

/* Several threads may count, a reader in another process may look: relaxed is enough for both. */
static inline void counters_request(uint32_t opcode)
{
	if (opcode < COUNTERS_OPCODES)
		__atomic_fetch_add(&counters->requests[opcode], 1, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(&counters->field[FIELD_opcodes_unknown].value, 1,
				   __ATOMIC_RELAXED);
}

/* Whether requests are to be timed: a load beside counters that every request touches anyway. */
static inline int counters_timing(void)
{
	return __atomic_load_n(&counters->timing, __ATOMIC_RELAXED) != 0;
}

static inline void counters_time(uint32_t opcode, uint64_t server_ns)
{
	if (opcode >= COUNTERS_OPCODES)
		return;
	__atomic_fetch_add(&counters->timed[opcode], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&counters->server_ns[opcode], server_ns, __ATOMIC_RELAXED);
}

static inline void counters_add(enum counters_field which, uint64_t by)
{
	__atomic_fetch_add(&counters->field[which].value, by, __ATOMIC_RELAXED);
}

static inline void counters_set(enum counters_field which, uint64_t value)
{
	__atomic_store_n(&counters->field[which].value, value, __ATOMIC_RELAXED);
}

#endif
