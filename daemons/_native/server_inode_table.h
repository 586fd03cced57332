/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of inodes by number, in shards with a lock each: for server_inodes.c, which decides what
 * is looked up, kept and dropped.
 */
#ifndef FUSE_BENCH_SERVER_INODE_TABLE_H
#define FUSE_BENCH_SERVER_INODE_TABLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server_fds.h"
#include "server_handles.h"
#include "server_inodes.h"

/* About 70 bytes with what malloc and the buckets add: a tree may have millions of these. */
struct inode {
	struct inode *next;
	uint64_t nodeid;
	uint64_t lookups;
	struct held *held; /* NULL: to be reopened by its handle */
	int16_t handle_type;
	uint8_t handle_size;
	uint8_t alias; /* see nodeid_alias() */
	unsigned char handle[];
};

struct shard {
	pthread_mutex_t lock;
	struct inode **buckets;
	size_t bucket_count; /* a power of two */
	struct held_set fds;
	struct inode_figures figures;
} __attribute__((aligned(64)));

/* Shards for ``limit`` descriptors. Returns how many there are, or 0 without memory. */
unsigned int table_start(size_t limit);

/* The shard of an inode, locked: all inodes of one number are in one shard. */
struct shard *table_lock(uint64_t nodeid);
void table_unlock(struct shard *shard);

/* Where the pointer to ``nodeid`` is, or the NULL at the end of its chain. */
struct inode **table_find(const struct shard *shard, uint64_t nodeid);

/* The inode numbered ``number`` (as of nodeid_of()) whose descriptor has been held since ``before``. */
struct inode *table_vouched(const struct shard *shard, uint64_t number, uint64_t before);

/*
 * The entry for the inode of ``handle``, numbered ``number``, made if need be; NULL without memory.
 * Where 256 inodes of that number are known, the last one makes way, and ``dropped`` is its descriptor,
 * for the caller to put.
 */
struct inode *table_identify(struct shard *shard, uint64_t number, const struct handle *handle,
			     struct held **dropped);

/* What nodeid_of() said of it. */
static inline uint64_t inode_number(const struct inode *inode)
{
	return nodeid_alias(inode->nodeid, inode->alias);
}

/* Whether this is the inode of ``handle``, and not a later one of the same number. */
bool inode_is_of(const struct inode *inode, const struct handle *handle);

/* What tells it from every other inode of the same number. */
uint64_t inode_generation(const struct inode *inode);

/* All shards' figures, added up. */
struct inode_figures table_figures(void);

#endif
