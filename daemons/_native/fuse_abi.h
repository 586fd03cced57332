/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's side of the conversation: sizes, offsets, bits and ioctl numbers of the FUSE
 * protocol that the shim reads or writes, little-endian x86-64.
 *
 * They are spelt out here instead of taken from <linux/fuse.h>, because the interesting half is in
 * no released header: the distribution's header stops at protocol 7.38 (passthrough is 7.40) and
 * the inode-operations passthrough is out of tree.
 */
#ifndef FUSE_BENCH_FUSE_ABI_H
#define FUSE_BENCH_FUSE_ABI_H

#include <stdint.h>

#include "dialect.h"

/* Requests (enum fuse_opcode) whose body or reply the shim looks at. */
enum {
	OP_LOOKUP = 1,
	OP_FORGET = 2,
	OP_GETATTR = 3,
	OP_SETATTR = 4,
	OP_SYMLINK = 6,
	OP_MKNOD = 8,
	OP_MKDIR = 9,
	OP_LINK = 13,
	OP_OPEN = 14,
	OP_READ = 15,
	OP_WRITE = 16,
	OP_SETXATTR = 21,
	OP_GETXATTR = 22,
	OP_LISTXATTR = 23,
	OP_REMOVEXATTR = 24,
	OP_INIT = 26,
	OP_OPENDIR = 27,
	OP_READDIR = 28,
	OP_CREATE = 35,
	OP_INTERRUPT = 36,
	OP_NOTIFY_REPLY = 41,
	OP_BATCH_FORGET = 42,
	OP_TMPFILE = 51,
	OP_STATX = 52,
};

/* struct fuse_in_header: u32 len, u32 opcode, u64 unique, u64 nodeid, ... */
#define IN_HEADER_SIZE 40u
#define IN_OPCODE      4u
#define IN_UNIQUE      8u
#define IN_NODEID      16u

/* struct fuse_out_header: u32 len, s32 error, u64 unique. */
#define OUT_HEADER_SIZE 16u
#define OUT_LEN         0u
#define OUT_ERROR       4u
#define OUT_UNIQUE      8u

/* struct fuse_init_in / fuse_init_out, both 64 bytes since 7.36 resp. 7.23. */
#define INIT_SIZE            64u
#define INIT_IN_MINOR        4u
#define INIT_IN_FLAGS        12u
#define INIT_IN_FLAGS2       16u
#define INIT_OUT_FLAGS       12u
#define INIT_OUT_FLAGS2      32u
#define INIT_OUT_STACK_DEPTH 36u

#define INIT_WRITEBACK_CACHE (UINT64_C(1) << 16)
#define INIT_EXT             (UINT64_C(1) << 30)
#define INIT_PASSTHROUGH     (UINT64_C(1) << 37)

/* struct fuse_open_out: u64 fh, u32 open_flags, s32 backing_id. */
#define OPEN_OUT_SIZE   16u
#define OPEN_FH         0u
#define OPEN_FLAGS      8u
#define OPEN_BACKING_ID 12u

#define OPEN_DIRECT_IO              (1u << 0)
#define OPEN_NOFLUSH                (1u << 5)
#define OPEN_PARALLEL_DIRECT_WRITES (1u << 6)
#define OPEN_PASSTHROUGH            (1u << 7)

/* struct fuse_attr_out: u64 valid, u32 valid_nsec, u32 dummy, struct fuse_attr. */
#define ATTR_OUT_SIZE 104u
#define ATTR_OUT_ATTR 16u

/* struct fuse_attr, 88 bytes. */
#define ATTR_INO       0u
#define ATTR_SIZE      8u
#define ATTR_BLOCKS    16u
#define ATTR_ATIME     24u
#define ATTR_MTIME     32u
#define ATTR_CTIME     40u
#define ATTR_ATIMENSEC 48u
#define ATTR_MTIMENSEC 52u
#define ATTR_CTIMENSEC 56u
#define ATTR_MODE      60u
#define ATTR_NLINK     64u
#define ATTR_UID       68u
#define ATTR_GID       72u
#define ATTR_RDEV      76u
#define ATTR_BLKSIZE   80u

/* struct fuse_entry_out, 128 bytes: the first 40 are shared with the long one. */
#define ENTRY_SIZE   128u
#define ENTRY_NODEID 0u
#define ENTRY_ATTR   40u

/* struct fuse_statx, 256 bytes. */
#define FUSE_STATX_MASK       0u
#define FUSE_STATX_BLKSIZE    4u
#define FUSE_STATX_NLINK      16u
#define FUSE_STATX_UID        20u
#define FUSE_STATX_GID        24u
#define FUSE_STATX_MODE       28u
#define FUSE_STATX_INO        32u
#define FUSE_STATX_SIZE       40u
#define FUSE_STATX_BLOCKS     48u
#define FUSE_STATX_ATIME      64u
#define FUSE_STATX_CTIME      96u
#define FUSE_STATX_MTIME      112u
#define FUSE_STATX_RDEV_MAJOR 128u
#define FUSE_STATX_RDEV_MINOR 132u
/* STATX_BASIC_STATS of <linux/stat.h>: everything a fuse_attr can say, so no btime. */
#define FUSE_STATX_BASIC UINT32_C(0x7ff)

#define IOC_CLONE         0x8004e500u
#define IOC_BACKING_OPEN  0x4010e501u
#define IOC_BACKING_CLOSE 0x4004e502u

#define ROOT_ID UINT64_C(1) /* FUSE_ROOT_ID */

#endif
