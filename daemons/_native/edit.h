/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Edits of FUSE replies as pure functions over buffers: no file descriptor, no global, no system
 * call, so that tests hold them against the interface text byte for byte.
 */
#ifndef FUSE_BENCH_EDIT_H
#define FUSE_BENCH_EDIT_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)

/* How much is passed through; the numbers are Level.rank of bench/model.py. */
enum shim_level {
	LEVEL_NONE = 0,
	LEVEL_RW = 1,
	LEVEL_ATTACH_GETATTR = 2,
	LEVEL_ATTACH_LOOKUP = 3,
	LEVEL_LOOKUP = 4, /* experimental: kernel/patches/0012 */
};

/* The 64 flags a kernel offers in an INIT request body; 0 in a body too short to hold them. */
uint64_t shim_init_offer(const uint8_t *init_in, size_t len);

/*
 * Asks for passthrough in an INIT reply body, as far as ``level`` wants it and ``offer`` has it.
 * Returns the flags of the reply as they now stand; the buffer is unchanged if passthrough cannot
 * be had (not offered, writeback cache negotiated, reply of an old protocol).
 */
uint64_t shim_edit_init(uint8_t *init_out, size_t len, uint64_t offer, int level);

/* OPEN, the tail of CREATE, OPENDIR: passthrough with ``backing_id``. */
void shim_edit_open(uint8_t *open_out, int32_t backing_id);

/* GETATTR of the attach-getattr variant: the id goes into the spare field. */
void shim_edit_attr(uint8_t *attr_out, int32_t backing_id);

/* Writes the 312-byte entry made from the 128-byte one; ``backing_id`` 0 is none. */
void shim_long_entry(uint8_t *long_entry, const uint8_t *entry, int32_t backing_id);

/*
 * Edits a whole reply, header included, to a successful request: ``inode_id`` goes where inodes are
 * attached (GETATTR; entries, which become long), ``open_id`` where files are opened; 0 is none.
 * ``reply`` has room for SHIM_GROWTH more bytes. Returns the new length, also in the header.
 */
#define SHIM_GROWTH (312 - 128)
size_t shim_edit_reply(uint8_t *reply, size_t len, int level, uint32_t opcode, int32_t inode_id,
		       int32_t open_id);

/* The body a reply to ``opcode`` must have to be edited, in bytes; 0 for one never edited. */
size_t shim_reply_size(uint32_t opcode);

/*
 * The ops_mask to register an inode of type ``mode`` with, when the reply to ``opcode`` is what
 * carries the id. 0 is a mask too: plain read/write passthrough, all that mainline takes.
 */
uint64_t shim_ops_mask(int level, int readdir, uint32_t mode, uint32_t opcode);

/* The argument of FUSE_DEV_IOC_BACKING_OPEN, 16 bytes. */
void shim_backing_map(uint8_t *map, int32_t fd, uint64_t ops_mask);

/* The ioctl numbers, 0 BACKING_OPEN, 1 BACKING_CLOSE: for tests. */
uint32_t shim_ioctl_number(int which);

#pragma GCC visibility pop

#endif
