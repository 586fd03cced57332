/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of the files and directories clients hold open, by file handle: and a file handle
 * is the descriptor itself (the shim relies on it), so this is an array.
 */
#ifndef FUSE_BENCH_SERVER_FILES_H
#define FUSE_BENCH_SERVER_FILES_H

#include <stddef.h>
#include <stdint.h>

struct listing;

/* Room for descriptors below ``limit``. Returns 0 or an errno. */
int files_start(size_t limit);

/* Notes that ``fd`` is open on ``nodeid``, as a directory if it has a listing. */
void files_opened(int fd, uint64_t nodeid, struct listing *listing);

/* The listing of a directory, or NULL. */
struct listing *files_listing(int fd);

/* Forgets and closes ``fd``; returns its listing for the caller to free. */
struct listing *files_close(int fd);

/*
 * A new O_PATH descriptor of an inode that a client has open, or -1. Another thread may close the
 * file meanwhile and its number be given to another one: the caller checks what it got.
 */
int files_reopen(uint64_t nodeid);

#endif
