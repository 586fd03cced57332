/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The inodes the kernel knows: lookup counts, file handles, and a bounded number of descriptors.
 *
 * A mirror cannot keep a descriptor for every inode: the open-file limit may be 20 000 and hard,
 * while a tree has millions of inodes. So an inode is remembered by its file handle and reopened
 * when needed. nodeid = st_ino, except for the root and for the two numbers that FUSE has taken (see
 * nodeid_of); so everything must lie on one file system, and what lies on another one is refused with
 * EXDEV. Numbers are reused once a file is gone while the kernel may still hold the old inode: the
 * handle tells the two apart, and the later one gets another node number (see nodeid_alias).
 *
 * Where the file system has no handles, descriptors are kept for good, up to the limit; beyond it
 * inodes are refused with EMFILE, and the reason is logged.
 *
 * Any thread may call any function. The table is in shards with a lock each, held for a few loads
 * and stores, never over a system call but one that closes a backing id. Functions return 0 or an
 * errno.
 */
#ifndef FUSE_BENCH_SERVER_INODES_H
#define FUSE_BENCH_SERVER_INODES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "server_fds.h"

#define ROOT_NODEID 1u

/*
 * The node number of an inode below the root. 0 is "no such name" and 1 the root to the kernel, so the
 * two inodes that may have these numbers are given the highest ones, which no file system reaches.
 */
static inline uint64_t nodeid_of(uint64_t ino)
{
	return ino > ROOT_NODEID ? ino : UINT64_MAX - ino;
}

/* How many inodes of one number may be known at once, and the bits of a node number that tell them apart. */
#define ALIAS_BITS 8
#define ALIASES    (1u << ALIAS_BITS)

/*
 * The node number of an inode whose own number is, or was, that of others the kernel still knows: 0 is
 * the first. The node number must differ: one that comes back with another generation makes the kernel
 * declare its inode bad (fuse_iget and fuse_make_bad, fs/fuse/inode.c), and a client between LOOKUP and
 * GETATTR gets EIO, where ESTALE would have had it look again. It is its own inverse.
 */
static inline uint64_t nodeid_alias(uint64_t nodeid, unsigned int alias)
{
	return nodeid ^ (uint64_t)alias << (64 - ALIAS_BITS);
}

/* How an inode is told to the kernel. */
struct node {
	uint64_t id, generation;
};

struct inode_figures {
	uint64_t inodes, lookups, forgets, reopened;
};

/* ``limit`` bounds the descriptors kept. */
int inodes_start(const char *root, size_t limit);

/* The descriptor of the root, open for reading. */
int inodes_root_fd(void);

/* A descriptor of ``nodeid`` that stays open until held_put(); ESTALE if the inode is gone. */
int inode_hold(uint64_t nodeid, struct held **held);

/* Attributes and node of a name; counts one lookup of its inode. */
int inode_lookup(int dir_fd, const char *name, struct stat *attr, struct node *node);

/* The same for a file that has been created and opened as ``fd``. */
int inode_lookup_open(int fd, struct stat *attr, struct node *node);

/* The same for a name being listed: opens nothing, so that a long listing evicts nothing. */
int inode_lookup_listed(int dir_fd, const char *name, struct stat *attr, struct node *node);

/* The kernel gives lookups back. */
void inode_forget(uint64_t nodeid, uint64_t lookups);

/* One lookup was never seen by the kernel: the request was gone when its reply came. */
void inode_unlookup(uint64_t nodeid);

/* For the shim: a descriptor of ``nodeid`` for the caller to close, or -1. */
int inode_descriptor(uint64_t nodeid);

struct inode_figures inodes_figures(void);

#endif
