/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of requests; see server_opcodes.h. */

#define _GNU_SOURCE
#include "server_opcodes.h"

#include <stddef.h>
#include <string.h>

#include "counters.h"

/* X(name, number): the names of bench.model.Opcode; a test holds the two together. */
#define OPCODES(X)             \
	X(LOOKUP, 1)           \
	X(FORGET, 2)           \
	X(GETATTR, 3)          \
	X(SETATTR, 4)          \
	X(READLINK, 5)         \
	X(SYMLINK, 6)          \
	X(MKNOD, 8)            \
	X(MKDIR, 9)            \
	X(UNLINK, 10)          \
	X(RMDIR, 11)           \
	X(RENAME, 12)          \
	X(LINK, 13)            \
	X(OPEN, 14)            \
	X(READ, 15)            \
	X(WRITE, 16)           \
	X(STATFS, 17)          \
	X(RELEASE, 18)         \
	X(FSYNC, 20)           \
	X(SETXATTR, 21)        \
	X(GETXATTR, 22)        \
	X(LISTXATTR, 23)       \
	X(REMOVEXATTR, 24)     \
	X(FLUSH, 25)           \
	X(INIT, 26)            \
	X(OPENDIR, 27)         \
	X(READDIR, 28)         \
	X(RELEASEDIR, 29)      \
	X(FSYNCDIR, 30)        \
	X(GETLK, 31)           \
	X(SETLK, 32)           \
	X(SETLKW, 33)          \
	X(ACCESS, 34)          \
	X(CREATE, 35)          \
	X(INTERRUPT, 36)       \
	X(BMAP, 37)            \
	X(DESTROY, 38)         \
	X(IOCTL, 39)           \
	X(POLL, 40)            \
	X(NOTIFY_REPLY, 41)    \
	X(BATCH_FORGET, 42)    \
	X(FALLOCATE, 43)       \
	X(READDIRPLUS, 44)     \
	X(RENAME2, 45)         \
	X(LSEEK, 46)           \
	X(COPY_FILE_RANGE, 47) \
	X(SETUPMAPPING, 48)    \
	X(REMOVEMAPPING, 49)   \
	X(SYNCFS, 50)          \
	X(TMPFILE, 51)         \
	X(STATX, 52)           \
	X(COPY_FILE_RANGE_64, 53)

static const char *const opcode_names[COUNTERS_OPCODES] = {
#define X(name, number) [number] = #name,
	OPCODES(X)
#undef X
};

const char *opcode_name(unsigned int opcode)
{
	return opcode < COUNTERS_OPCODES ? opcode_names[opcode] : NULL;
}

int opcode_number(const char *name, size_t length)
{
	for (unsigned int i = 0; i < COUNTERS_OPCODES; i++)
		if (opcode_names[i] && strlen(opcode_names[i]) == length &&
		    strncmp(opcode_names[i], name, length) == 0)
			return (int)i;
	return -1;
}
