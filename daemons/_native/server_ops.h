/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The request handlers, in groups, and what the groups share.
 *
 * Nothing in them knows of passthrough: that is the shim's business, so that plain-c and
 * passthrough-c differ in nothing else. What every handler keeps: it replies exactly once; names and
 * targets are bytes; a failed system call's errno is the reply; a handler that replies with an entry
 * has counted one lookup of its inode, any other leaves the counts alone. File handles are
 * descriptors, which the shim relies on.
 *
 * There is no ACCESS (the mount has default_permissions: the kernel checks), and no GETLK, SETLK and
 * FLOCK: the kernel keeps the locks of its clients itself, and one that waited here would block a
 * worker.
 */
#ifndef FUSE_BENCH_SERVER_OPS_H
#define FUSE_BENCH_SERVER_OPS_H

#include <fuse_lowlevel.h>
#include <stdint.h>

#include "server_inodes.h"

/* Room for a name of a descriptor, for calls that take no O_PATH descriptor. */
struct fd_path {
	char text[32];
};

struct fd_path fd_path(int fd);

/* The reply of an entry from attributes. */
struct fuse_entry_param entry_of(const struct stat *attr, struct node node);

/* Looks ``name`` up and counts it. Returns 0 or an errno. */
int entry_lookup(int dir_fd, const char *name, struct fuse_entry_param *entry);

/* Replies with an entry, or ``error`` if it is not 0. */
void reply_entry(fuse_req_t request, int error, const struct fuse_entry_param *entry);

/*
 * Gives a new inode to the caller. After the fact and not by becoming the caller: the kernel has
 * checked the caller's rights (default_permissions), supplementary groups included, which we would
 * not have. In a set-gid directory the group is inherited and stays. Returns 0 or an errno.
 */
int give_to_caller(fuse_req_t request, int fd, int dir_fd, mode_t mode);

/*
 * Memory of this worker thread for one reply, at least ``size`` bytes, aligned for O_DIRECT; what it
 * held is lost. NULL without memory.
 */
char *reply_buffer(size_t size);

/* Frees it at the end of the thread. */
void reply_buffer_free(void);

/* What each group handles. */
void ops_add_inodes(struct fuse_lowlevel_ops *ops);
void ops_add_names(struct fuse_lowlevel_ops *ops);
void ops_add_files(struct fuse_lowlevel_ops *ops);
void ops_add_directories(struct fuse_lowlevel_ops *ops);
void ops_add_xattrs(struct fuse_lowlevel_ops *ops);

#endif
