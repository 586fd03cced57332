/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of requests, those of bench.model.Opcode: GETATTR, LOOKUP, ... */
#ifndef FUSE_BENCH_SERVER_OPCODES_H
#define FUSE_BENCH_SERVER_OPCODES_H

#include <stddef.h>

/* The name of an opcode, or NULL if it has none here. */
const char *opcode_name(unsigned int opcode);

/* The opcode whose name are the first ``length`` bytes of ``name``, or -1. */
int opcode_number(const char *name, size_t length);

#endif
