/* SPDX-License-Identifier: GPL-2.0-only */
/* Marks that a program leaves for who emulates its machine: an 8-byte NOP, which does nothing anywhere.
 *
 * nopl IMMEDIATE(%rax,%rax): 0f 1f 84 00, then the kind of mark and three bytes that no compiler writes.
 */
#ifndef MARK_H
#define MARK_H

#include <stddef.h>
#include <string.h>

enum mark {
	/* A window is to be profiled: its number follows, highest bit first. */
	MARK_ANNOUNCE = 1,
	MARK_BIT_0 = 2,
	MARK_BIT_1 = 3,
	/* The clock was read, ops begin; and the reverse. Threads do this each for itself. */
	MARK_BEGIN = 4,
	MARK_END = 5,
	/* The window is to be written down. */
	MARK_WRITE = 6,
};

/* The address under which tasks that ran ops are noted: no call is made from there. */
#define MARK_CLIENT UINT64_C(0xfffffffffffffff0)

#define MARK_OPCODE "0x0f, 0x1f, 0x84, 0x00"
#define MARK_MAGIC  "0x7e, 0x5f, 0xb3"

/* A mark, in order with the code around it. */
#if defined(__x86_64__)
#define MARK(kind) \
	__asm__ volatile(".byte " MARK_OPCODE ", %c0, " MARK_MAGIC : : "i"(kind) : "memory")
#else
#define MARK(kind) ((void)(kind))
#endif

/* The kind of mark that an instruction is, or -1. */
static inline int mark_kind(const unsigned char *bytes, size_t size)
{
	static const unsigned char opcode[] = {0x0f, 0x1f, 0x84, 0x00},
				   magic[] = {0x7e, 0x5f, 0xb3};

	if (size != 8 || memcmp(bytes, opcode, 4) || memcmp(bytes + 5, magic, 3))
		return -1;
	return bytes[4];
}

#endif
