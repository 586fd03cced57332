/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File handles: what tells an inode from every other one, also from a later one of the same number,
 * and what finds it again without a descriptor.
 */
#ifndef FUSE_BENCH_SERVER_HANDLES_H
#define FUSE_BENCH_SERVER_HANDLES_H

#include <stdbool.h>
#include <stdint.h>

struct handle {
	int type;
	unsigned int size; /* 0: none, the file system has no handles */
	unsigned char bytes[128]; /* MAX_HANDLE_SZ */
};

/* The handle of ``name`` in ``fd``, or of ``fd`` itself if ``name`` is "". Returns 0 or an errno. */
int handle_of(int fd, const char *name, struct handle *handle);

/* An O_PATH descriptor of the inode on the file system of ``mount_fd``, or -1 with errno set. */
int handle_open(int mount_fd, const struct handle *handle);

/* Whether inodes can be reopened by handle here: needs the file system and a capability. */
bool handles_work(int root_fd);

#endif
