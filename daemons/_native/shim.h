/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shim: sits between libfuse and /dev/fuse, counts requests, times them when asked to, holds them
 * back when asked to, and edits replies, so that a server
 * on a libfuse that has never heard of inode passthrough (3.14) speaks it.
 *
 * It defines ``fuse_session_mount``. A server that resolves that symbol to it - a C program linked
 * with it, or a Python process that loaded it with RTLD_GLOBAL before pyfuse3 - is hooked when it
 * mounts; nothing else changes for it. One session a process.
 *
 * How the shim comes by the file behind an inode. For OPEN, CREATE and OPENDIR the reply holds it:
 * the server's file handle *is* the descriptor (``fh_is_fd``). For attaching at GETATTR or LOOKUP
 * the server is asked (``fd_of``), once per inode and only then. The alternative - the server tells
 * the shim about every inode or every request - would cost each request of every level, plain
 * included, for what an attached inode needs once. So plain and passthrough run the same server code
 * and differ in nothing but ``level``.
 */
#ifndef FUSE_BENCH_SHIM_H
#define FUSE_BENCH_SHIM_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)

struct shim_options {
	int32_t level; /* enum shim_level of edit.h */
	int32_t readdir; /* pass readdir through as well (attach levels only) */
	int32_t files_only; /* attach regular files, as the posted server does, and nothing else */
	int32_t xattrs; /* extended attributes of attached inodes as well, where the kernel can */
	int32_t fh_is_fd; /* file handles in OPEN, CREATE, OPENDIR replies are descriptors */
	int32_t fd_of_owned; /* the shim closes what fd_of gives */
	int (*fd_of)(uint64_t nodeid); /* descriptor (O_PATH will do) of an inode, or -1 */
	const char *counters; /* counters file to create, or NULL */
};

/* Call before mounting. Returns 0 or -errno (of the counters file). */
int shim_configure(const struct shim_options *options);

/* Holds every request of ``opcode`` back for ``ns``; see delay.h. Returns 0 or -EINVAL. */
int shim_delay(uint32_t opcode, uint64_t ns);

/* The server's lookup count of these inodes has reached 0. */
void shim_forgotten(const uint64_t *nodeids, size_t count);

/*
 * From now on this thread reads requests from ``fd``, a clone of the session's descriptor, and so
 * writes their replies there: the kernel knows a request only where it was read.
 */
void shim_use_clone(int fd);

#pragma GCC visibility pop

#endif
