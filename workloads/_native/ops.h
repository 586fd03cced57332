/* SPDX-License-Identifier: GPL-2.0-only */
/* The operations and their inner loops: lanes of visits, run by one thread each. No Python here. */
#ifndef OPS_H
#define OPS_H

#include "thread_group.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* One thing to do, laid out in visiting order so that the driver only ever reads forward. */
struct visit {
	/* Ended by NUL. For ITEMS_CHOSEN the names chosen in this directory follow it, each ended by
	 * NUL, and an empty one ends them. */
	const char *name;
	union {
		/* What the name becomes (ITEMS_TWO, in the directory second_fd) or points to
		 * (ITEMS_LINK). */
		const char *second;
		/* First eight bytes of the block (ITEMS_BLOCKS), 0: not known. */
		uint64_t word;
	};
	int fd, second_fd;
	/* What must be found (ANY_COUNT: unknown), 4 KiB block of a file, or index of the directory
	 * that fd stands for. */
	uint32_t aux;
};

#define ANY_COUNT UINT32_MAX
#define BLOCK     4096
#define ENTRY_MAX 256
/* Room for an extended attribute, as libselinux has for a label. The kernel clears as much of its own at
 * every call (fs/xattr.c, do_getxattr): with 32 KiB that would be nine tenths of a native call. */
#define VALUE_BYTES 255

struct failure {
	int error;
	const struct visit *visit;
	char what[96];
	/* Name within the visited directory, where the failing thing is an entry of it. */
	char entry[ENTRY_MAX];
};

/* One thread's share of the visits, its cursor, and everything it touches inside a window. */
struct lane {
	_Alignas(64) const struct visit *begin, *end, *at;
	uint64_t quota;
	uint64_t done;
	uint64_t entries;
	/* Entries of listings that were stat'ed. */
	uint64_t stats;
	/* How often the lane has come to its end: what is set alternates with it. */
	uint64_t passes;
	/* Of each hundred entries listed so many are stat'ed; credit is the part of one left over. */
	unsigned share, credit;
	uint64_t start_ns, end_ns;
	/* Open loop: when the next op is due, and how far apart they are. */
	uint64_t due_ns, interval_ns;
	unsigned char *buffer;
	size_t buffer_bytes;
	uint64_t *histogram;
	/* Directories of its own, in the place of those that all lanes would share. */
	int *own_fds;
	size_t own_count;
	int statx_flags;
	/* Path of the root, and name of the extended attribute that is asked for. */
	const char *root, *text;
	/* Aligned, because the kernel copies 256 bytes to it. */
	_Alignas(64) struct statx st;
	struct failure failure;
	char value[VALUE_BYTES];
	/* For ls: kinds of extended attributes known not to be had, and what it looks at. */
	unsigned without;
	char path[PATH_MAX];
};

/* Does lane->quota visits from lane->at on, cyclically; a failure is left in lane->failure. */
typedef void op_loop(struct lane *lane, struct thread_group *group);

struct op_loops {
	op_loop *batch;
	/* The same with one clock reading per op, counted into lane->histogram. */
	op_loop *timed;
	/* An op every lane->interval_ns, whether or not the last is done; its latency is counted from
	 * when it was due. */
	op_loop *paced;
};

/* ops.c: one system call, or two, on what is there. */
extern const struct op_loops loops_statx, loops_fstat, loops_missing, loops_open_close, loops_pread,
	loops_empty;
/* ops_list.c: listings, and stats of what was listed. */
extern const struct op_loops loops_scan, loops_rescan, loops_scan_stat, loops_scan_stat_share,
	loops_scan_ls, loops_scan_stat_some;
/* ops_change.c: names made, moved and removed, attributes set. */
extern const struct op_loops loops_create, loops_create_write, loops_mknod, loops_mkdir,
	loops_unlink, loops_rmdir, loops_rename, loops_link, loops_symlink, loops_chmod,
	loops_chown, loops_utimes, loops_truncate;
/* ops_xattr.c: extended attributes. */
extern const struct op_loops loops_getxattr, loops_listxattr;

#endif
