/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of the C mirror, checked. */
#ifndef FUSE_BENCH_SERVER_OPTIONS_H
#define FUSE_BENCH_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counters.h"

/* Exit codes, those of the project (bench.model.Exit). */
enum { EXIT_SERVED = 0, EXIT_BUG = 1, EXIT_USAGE = 2, EXIT_NO_FUSE = 3 };

enum readdir_mode { MODE_READDIR, MODE_READDIRPLUS, MODE_AUTO };

/* What requests about extended attributes get: the backing's answer; ENOSYS, which the kernel
 * remembers for as long as the mount lives; EOPNOTSUPP, which it does not; the backing's answer, if
 * the kernel does not pass them through. */
enum xattr_way { XATTR_ANSWER, XATTR_ENOSYS, XATTR_OFF, XATTR_PASSTHROUGH };

/* Which inodes the levels above rw attach: of every type, root too, or as the posted server does. */
enum attach_what { ATTACH_ALL, ATTACH_FILES };

struct server_options {
	const char *backing;
	const char *mountpoint;
	const char *name;
	const char *level_name;
	int level; /* enum shim_level */
	bool readdir_passthrough;
	enum attach_what attach;
	double attr_timeout, entry_timeout; /* seconds */
	const char *counters; /* file, or NULL */
	uint64_t delays_ns[COUNTERS_OPCODES];
	size_t fd_cache;
	enum readdir_mode readdir_mode;
	enum xattr_way xattr;
	unsigned int threads;
	bool clone_fd, allow_other, debug;
	size_t open_files; /* the limit of descriptors, raised as far as it goes */
};

/* Read-only once options_parse() has returned. */
extern struct server_options options;

/* Fills ``options``. What is wrong goes to stderr in one line. Returns an exit code, or -1 to go on. */
int options_parse(int argc, char **argv);

/* Everything a person can get wrong about the two directories. The same return values. */
int options_check(void);

#endif
