/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dialect of inode-operations passthrough that we speak: every constant of it that is out of
 * tree, and that another posting may put elsewhere. bench/probe/dialect.py has the same table.
 */
#ifndef FUSE_BENCH_DIALECT_H
#define FUSE_BENCH_DIALECT_H

#include <stdint.h>

/*
 * Bit 43 has three owners: FUSE_PASSTHROUGH_INO in the 2026 series, FUSE_HAS_LOOKUP_HANDLE in
 * another series, FUSE_HAS_IO_URING_BUFPOOL in protocol 7.46. An offer of it proves nothing.
 */
#define INIT_PASSTHROUGH_INO (UINT64_C(1) << 43)

/* fuse_attr_out: the only spare field has the id of the attach-getattr variant. */
#define ATTR_OUT_BACKING_ID 12u

/* The 312-byte entry of the attach-lookup variant. */
#define LONG_ENTRY_SIZE       312u
#define LONG_ENTRY_BACKING_ID 40u
#define LONG_ENTRY_STATX      56u

/* struct fuse_backing_map: s32 fd, u32 flags, u64 ops_mask, which mainline calls padding. */
#define BACKING_MAP_SIZE     16u
#define BACKING_MAP_OPS_MASK 8u
#define OPS_BIT(opcode)      (UINT64_C(1) << ((opcode) - 1))

/* SETXATTR, GETXATTR, LISTXATTR and REMOVEXATTR in it: the lab kernel's own, with fuse.iops_xattr=Y. */
#define OPS_XATTRS (UINT64_C(0xf) << 20)

#endif
