/* SPDX-License-Identifier: GPL-2.0-only */
/* Edits of FUSE replies as pure functions over buffers; see edit.h. */

#include "edit.h"

#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "fuse_abi.h"

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

uint64_t shim_init_offer(const uint8_t *init_in, size_t len)
{
	uint64_t offer;

	if (len < INIT_IN_FLAGS + 4)
		return 0;
	offer = get32(init_in, INIT_IN_FLAGS);
	/* flags2 is garbage to us unless the kernel says that it is there. */
	if ((offer & INIT_EXT) && len >= INIT_IN_FLAGS2 + 4)
		offer |= (uint64_t)get32(init_in, INIT_IN_FLAGS2) << 32;
	return offer;
}

static uint64_t init_reply_flags(const uint8_t *init_out, size_t len)
{
	uint64_t flags;

	if (len < INIT_OUT_FLAGS + 4)
		return 0;
	flags = get32(init_out, INIT_OUT_FLAGS);
	if ((flags & INIT_EXT) && len >= INIT_OUT_FLAGS2 + 4)
		flags |= (uint64_t)get32(init_out, INIT_OUT_FLAGS2) << 32;
	return flags;
}

uint64_t shim_edit_init(uint8_t *init_out, size_t len, uint64_t offer, int level)
{
	uint64_t flags = init_reply_flags(init_out, len);

	if (level == LEVEL_NONE || len < INIT_SIZE)
		return flags;
	/* The kernel does not mask the reply by its offer: a bit it did not offer is never set. */
	if (!(offer & INIT_EXT) || !(offer & INIT_PASSTHROUGH))
		return flags;
	/* Kernels drop passthrough without a word when both are asked for. */
	if (flags & INIT_WRITEBACK_CACHE)
		return flags;
	flags |= INIT_EXT | INIT_PASSTHROUGH;
	/* Registering an inode operation without it is an EINVAL, in both variants. */
	if (level >= LEVEL_ATTACH_GETATTR)
		flags |= offer & INIT_PASSTHROUGH_INO;
	put32(init_out + INIT_OUT_FLAGS, (uint32_t)flags);
	put32(init_out + INIT_OUT_FLAGS2, (uint32_t)(flags >> 32));
	put32(init_out + INIT_OUT_STACK_DEPTH, 1);
	return flags;
}

void shim_edit_open(uint8_t *open_out, int32_t backing_id)
{
	uint32_t flags = get32(open_out, OPEN_FLAGS);

	/* Everything else, FOPEN_KEEP_CACHE above all, makes the client's open fail with EIO. */
	flags &= OPEN_DIRECT_IO | OPEN_NOFLUSH | OPEN_PARALLEL_DIRECT_WRITES;
	put32(open_out + OPEN_FLAGS, flags | OPEN_PASSTHROUGH);
	put32(open_out + OPEN_BACKING_ID, (uint32_t)backing_id);
}

void shim_edit_attr(uint8_t *attr_out, int32_t backing_id)
{
	put32(attr_out + ATTR_OUT_BACKING_ID, (uint32_t)backing_id);
}

static void put_time(uint8_t *to, const uint8_t *attr, size_t seconds, size_t nanoseconds)
{
	memcpy(to, attr + seconds, 8);
	put32(to + 8, get32(attr, nanoseconds));
}

static void put_statx(uint8_t *statx, const uint8_t *attr)
{
	uint32_t rdev = get32(attr, ATTR_RDEV);

	put32(statx + FUSE_STATX_MASK, FUSE_STATX_BASIC);
	put32(statx + FUSE_STATX_BLKSIZE, get32(attr, ATTR_BLKSIZE));
	put32(statx + FUSE_STATX_NLINK, get32(attr, ATTR_NLINK));
	put32(statx + FUSE_STATX_UID, get32(attr, ATTR_UID));
	put32(statx + FUSE_STATX_GID, get32(attr, ATTR_GID));
	memcpy(statx + FUSE_STATX_MODE, attr + ATTR_MODE,
	       2); /* u32 there, u16 here: same low bytes */
	memcpy(statx + FUSE_STATX_INO, attr + ATTR_INO, 8);
	memcpy(statx + FUSE_STATX_SIZE, attr + ATTR_SIZE, 8);
	memcpy(statx + FUSE_STATX_BLOCKS, attr + ATTR_BLOCKS, 8);
	put_time(statx + FUSE_STATX_ATIME, attr, ATTR_ATIME, ATTR_ATIMENSEC);
	put_time(statx + FUSE_STATX_CTIME, attr, ATTR_CTIME, ATTR_CTIMENSEC);
	put_time(statx + FUSE_STATX_MTIME, attr, ATTR_MTIME, ATTR_MTIMENSEC);
	/* fuse_attr.rdev is the kernel's new_encode_dev(): 12 bits of major between 8 and 12 of minor. */
	put32(statx + FUSE_STATX_RDEV_MAJOR, (rdev & 0xfff00u) >> 8);
	put32(statx + FUSE_STATX_RDEV_MINOR, (rdev & 0xffu) | ((rdev >> 12) & 0xfff00u));
}

void shim_long_entry(uint8_t *long_entry, const uint8_t *entry, int32_t backing_id)
{
	memset(long_entry, 0, LONG_ENTRY_SIZE);
	/* nodeid, generation and the four validities lie where they lay. */
	memcpy(long_entry, entry, ENTRY_ATTR);
	put32(long_entry + LONG_ENTRY_BACKING_ID, (uint32_t)backing_id);
	put_statx(long_entry + LONG_ENTRY_STATX, entry + ENTRY_ATTR);
}

size_t shim_reply_size(uint32_t opcode)
{
	switch (opcode) {
	case OP_OPEN:
	case OP_OPENDIR:
		return OPEN_OUT_SIZE;
	case OP_GETATTR:
		return ATTR_OUT_SIZE;
	case OP_CREATE:
	case OP_TMPFILE:
		return ENTRY_SIZE + OPEN_OUT_SIZE;
	case OP_LOOKUP:
	case OP_MKNOD:
	case OP_MKDIR:
	case OP_SYMLINK:
	case OP_LINK:
		return ENTRY_SIZE;
	default:
		return 0;
	}
}

/* Replaces the entry at the start of ``body`` by the long one, moving what follows it. */
static size_t lengthen_entry(uint8_t *body, size_t len, int32_t inode_id)
{
	uint8_t entry[LONG_ENTRY_SIZE];

	shim_long_entry(entry, body, inode_id);
	memmove(body + LONG_ENTRY_SIZE, body + ENTRY_SIZE, len - ENTRY_SIZE);
	memcpy(body, entry, LONG_ENTRY_SIZE);
	return len + SHIM_GROWTH;
}

size_t shim_edit_reply(uint8_t *reply, size_t len, int level, uint32_t opcode, int32_t inode_id,
		       int32_t open_id)
{
	uint8_t *body = reply + OUT_HEADER_SIZE;
	size_t body_len = len - OUT_HEADER_SIZE;

	if (body_len != shim_reply_size(opcode))
		return len;
	if (opcode == OP_OPEN || opcode == OP_OPENDIR) {
		if (open_id)
			shim_edit_open(body, open_id);
		return len;
	}
	if (opcode == OP_GETATTR) {
		if (inode_id)
			shim_edit_attr(body, inode_id);
		return len;
	}
	/* The kernel that negotiated bit 43 expects the long entry, id or not. */
	if (level >= LEVEL_ATTACH_LOOKUP)
		body_len = lengthen_entry(body, body_len, inode_id);
	if ((opcode == OP_CREATE || opcode == OP_TMPFILE) && open_id)
		shim_edit_open(body + body_len - OPEN_OUT_SIZE, open_id);
	put32(reply + OUT_LEN, (uint32_t)(OUT_HEADER_SIZE + body_len));
	return OUT_HEADER_SIZE + body_len;
}

uint64_t shim_ops_mask(int level, int readdir, uint32_t mode, uint32_t opcode)
{
	const uint64_t data = OPS_BIT(OP_READ) | OPS_BIT(OP_WRITE);
	uint64_t listing = readdir ? OPS_BIT(OP_READDIR) : 0;
	uint64_t mask = 0;

	switch (level) {
	case LEVEL_ATTACH_GETATTR:
		/* One id serves attaching and opening: two different ids on one inode are an EIO. */
		mask = OPS_BIT(OP_GETATTR) | OPS_BIT(OP_STATX);
		break;
	case LEVEL_LOOKUP:
		listing |= OPS_BIT(OP_LOOKUP) | (readdir ? OPS_BIT(OP_OPENDIR) : 0);
		/* fall through */
	case LEVEL_ATTACH_LOOKUP:
		/* An inode first met when it is opened (born in READDIRPLUS) gets no inode operations. */
		if (opcode != OP_OPEN && opcode != OP_OPENDIR)
			mask = OPS_BIT(OP_GETATTR) | OPS_BIT(OP_SETATTR);
		break;
	default:
		return 0; /* mainline: the field is padding, anything but 0 is EINVAL */
	}
	if (S_ISREG(mode))
		mask |= data;
	if (S_ISDIR(mode))
		mask |= opcode == OP_OPENDIR ? listing & OPS_BIT(OP_READDIR) : listing;
	return mask;
}

void shim_backing_map(uint8_t *map, int32_t fd, uint64_t ops_mask)
{
	put32(map, (uint32_t)fd);
	put32(map + 4, 0);
	put64(map + BACKING_MAP_OPS_MASK, ops_mask);
}

uint32_t shim_ioctl_number(int which)
{
	return which == 0 ? IOC_BACKING_OPEN : IOC_BACKING_CLOSE;
}
