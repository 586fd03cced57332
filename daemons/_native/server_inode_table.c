/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of inodes by number; see server_inode_table.h. */

#include "server_inode_table.h"

#include <stdlib.h>
#include <string.h>

#include "shim.h"

#define SHARDS_MAX        64u
#define FDS_PER_SHARD_MIN 16u
#define FIRST_BUCKETS     64u

static struct shard shards[SHARDS_MAX];
static unsigned int shard_count; /* a power of two */

/* Of what a node has in common with its aliases: they share shard and chain. */
static uint64_t hash_of(uint64_t nodeid)
{
	return (nodeid << ALIAS_BITS) * UINT64_C(0x9e3779b97f4a7c15);
}

struct shard *table_lock(uint64_t nodeid)
{
	struct shard *shard = &shards[(hash_of(nodeid) >> 58) & (shard_count - 1)];

	pthread_mutex_lock(&shard->lock);
	return shard;
}

void table_unlock(struct shard *shard)
{
	pthread_mutex_unlock(&shard->lock);
}

static struct inode **bucket_of(const struct shard *shard, uint64_t nodeid)
{
	return &shard->buckets[(hash_of(nodeid) >> 20) & (shard->bucket_count - 1)];
}

struct inode **table_find(const struct shard *shard, uint64_t nodeid)
{
	struct inode **at = bucket_of(shard, nodeid);

	while (*at && (*at)->nodeid != nodeid)
		at = &(*at)->next;
	return at;
}

/* Twice the buckets, so that chains stay short. Without memory they grow longer, that is all. */
static void grow(struct shard *shard)
{
	struct shard wider = {.bucket_count = shard->bucket_count * 2};
	struct inode *inode, *next;
	struct inode **to;

	wider.buckets = calloc(wider.bucket_count, sizeof(*wider.buckets));
	if (!wider.buckets)
		return;
	for (size_t i = 0; i < shard->bucket_count; i++) {
		for (inode = shard->buckets[i]; inode; inode = next) {
			next = inode->next;
			to = bucket_of(&wider, inode->nodeid);
			inode->next = *to;
			*to = inode;
		}
	}
	free(shard->buckets);
	shard->buckets = wider.buckets;
	shard->bucket_count = wider.bucket_count;
}

static struct inode *new_inode(uint64_t number, unsigned int alias, const struct handle *handle)
{
	struct inode *inode = malloc(sizeof(*inode) + handle->size);

	if (!inode)
		return NULL;
	*inode = (struct inode){
		.nodeid = nodeid_alias(number, alias),
		.handle_type = (int16_t)handle->type,
		.handle_size = (uint8_t)handle->size,
		.alias = (uint8_t)alias,
	};
	memcpy(inode->handle, handle->bytes, handle->size);
	return inode;
}

bool inode_is_of(const struct inode *inode, const struct handle *handle)
{
	return inode->handle_size == handle->size && inode->handle_type == (int16_t)handle->type &&
	       memcmp(inode->handle, handle->bytes, handle->size) == 0;
}

uint64_t inode_generation(const struct inode *inode)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < inode->handle_size; i++)
		hash = (hash ^ inode->handle[i]) * 16777619u;
	return hash;
}

struct inode *table_vouched(const struct shard *shard, uint64_t number, uint64_t before)
{
	struct inode *inode = *bucket_of(shard, number);

	while (inode &&
	       !(inode_number(inode) == number && inode->held && inode->held->since <= before))
		inode = inode->next;
	return inode;
}

/* The first alias of a number that no known inode has; ALIASES - 1 if there is none. */
static unsigned int free_alias(const struct shard *shard, uint64_t number)
{
	unsigned int alias;

	for (alias = 0; alias < ALIASES - 1; alias++)
		if (nodeid_alias(number, alias) > ROOT_NODEID &&
		    !*table_find(shard, nodeid_alias(number, alias)))
			break;
	return alias;
}

struct inode *table_identify(struct shard *shard, uint64_t number, const struct handle *handle,
			     struct held **dropped)
{
	struct inode *inode = *bucket_of(shard, number);
	struct inode **at;

	while (inode && !(inode_number(inode) == number && inode_is_of(inode, handle)))
		inode = inode->next;
	if (inode)
		return inode;
	inode = new_inode(number, free_alias(shard, number), handle);
	if (!inode)
		return NULL;
	at = table_find(shard, inode->nodeid);
	if (*at) {
		/* What was attached to it belongs to the file that is gone. */
		inode->next = (*at)->next;
		inode->lookups = (*at)->lookups;
		if ((*at)->held)
			*dropped = fds_remove(&shard->fds, (*at)->held);
		free(*at);
		shim_forgotten(&inode->nodeid, 1);
	} else {
		shard->figures.inodes++;
	}
	*at = inode;
	if (shard->figures.inodes > shard->bucket_count)
		grow(shard);
	return inode;
}

unsigned int table_start(size_t limit)
{
	for (shard_count = SHARDS_MAX; shard_count > 1; shard_count /= 2)
		if (limit / shard_count >= FDS_PER_SHARD_MIN)
			break;
	for (unsigned int i = 0; i < shard_count; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		shards[i].bucket_count = FIRST_BUCKETS;
		shards[i].buckets = calloc(FIRST_BUCKETS, sizeof(struct inode *));
		if (!shards[i].buckets)
			return 0;
	}
	return shard_count;
}

struct inode_figures table_figures(void)
{
	struct inode_figures sum = {0};

	for (unsigned int i = 0; i < shard_count; i++) {
		pthread_mutex_lock(&shards[i].lock);
		sum.inodes += shards[i].figures.inodes;
		sum.lookups += shards[i].figures.lookups;
		sum.forgets += shards[i].figures.forgets;
		sum.reopened += shards[i].figures.reopened;
		pthread_mutex_unlock(&shards[i].lock);
	}
	return sum;
}
