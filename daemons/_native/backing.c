/* SPDX-License-Identifier: GPL-2.0-only */
/* Backing ids; see backing.h. */

#include "backing.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "counters.h"
#include "edit.h"
#include "fuse_abi.h"

#define FAILED     (-1)
#define INODE_OPS  (OPS_BIT(OP_GETATTR) | OPS_BIT(OP_SETATTR) | OPS_BIT(OP_STATX))
#define FIRST_SIZE 64u
#define STRIPES    16u

/* Open addressing, linear probing, 16 bytes an inode: a tree may have millions of them. */
struct entry {
	uint64_t nodeid; /* 0: free */
	int32_t id; /* FAILED: registration failed, do not try again */
	uint32_t inode_ops;
};

/* A share of the inodes with a lock of its own: threads seldom want the same one. */
struct stripe {
	pthread_mutex_t lock;
	struct entry *table;
	size_t size; /* a power of two, or 0 */
	size_t used;
} __attribute__((aligned(64)));

static struct stripe stripes[STRIPES] = {
	[0 ... STRIPES - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER},
};

static uint64_t hash_of(uint64_t nodeid)
{
	return nodeid * UINT64_C(0x9e3779b97f4a7c15);
}

static struct stripe *lock_stripe(uint64_t nodeid)
{
	struct stripe *stripe = &stripes[(hash_of(nodeid) >> 56) % STRIPES];

	pthread_mutex_lock(&stripe->lock);
	return stripe;
}

static void unlock_stripe(struct stripe *stripe)
{
	pthread_mutex_unlock(&stripe->lock);
}

static size_t home(const struct stripe *stripe, uint64_t nodeid)
{
	return (size_t)(hash_of(nodeid) >> 20) & (stripe->size - 1);
}

/* The entry of ``nodeid``, or the free one where it would go; needs size > 0. */
static struct entry *probe(const struct stripe *stripe, uint64_t nodeid)
{
	size_t i = home(stripe, nodeid);

	while (stripe->table[i].nodeid != 0 && stripe->table[i].nodeid != nodeid)
		i = (i + 1) & (stripe->size - 1);
	return &stripe->table[i];
}

/* The entry of ``nodeid``, or NULL. */
static struct entry *find(const struct stripe *stripe, uint64_t nodeid)
{
	struct entry *entry = stripe->size > 0 ? probe(stripe, nodeid) : NULL;

	return entry && entry->nodeid != 0 ? entry : NULL;
}

/* Makes room for one more. Returns -1 without memory, and the table is as before. */
static int grow(struct stripe *stripe)
{
	struct stripe old = *stripe;
	size_t size = old.size ? old.size * 2 : FIRST_SIZE;
	struct entry *fresh;

	if (old.used + 1 <= old.size / 4 * 3)
		return 0;
	fresh = calloc(size, sizeof(*fresh));
	if (!fresh)
		return -1;
	stripe->table = fresh;
	stripe->size = size;
	for (size_t i = 0; i < old.size; i++)
		if (old.table[i].nodeid != 0)
			*probe(stripe, old.table[i].nodeid) = old.table[i];
	free(old.table);
	return 0;
}

static void erase(struct stripe *stripe, struct entry *entry)
{
	const size_t mask = stripe->size - 1;
	size_t hole = (size_t)(entry - stripe->table);
	size_t i = hole;

	/* Close the gap: move back every follower whose home is at or before the hole. */
	for (;;) {
		i = (i + 1) & mask;
		if (stripe->table[i].nodeid == 0)
			break;
		if (((i - home(stripe, stripe->table[i].nodeid)) & mask) >= ((i - hole) & mask)) {
			stripe->table[hole] = stripe->table[i];
			hole = i;
		}
	}
	stripe->table[hole] = (struct entry){0};
	stripe->used--;
}

static void note_failure(uint64_t nodeid, int error)
{
	static bool logged[256];

	counters_add(FIELD_ids_failed, 1);
	counters_set(FIELD_ids_errno, (uint64_t)error);
	if (error < 0 || error > 255 || __atomic_exchange_n(&logged[error], true, __ATOMIC_RELAXED))
		return;
	fprintf(stderr, "shim: BACKING_OPEN: inode %llu: %s (not passed through; said once)\n",
		(unsigned long long)nodeid, strerror(error));
}

static int32_t try_to_register(int session_fd, int fd, uint64_t ops_mask)
{
	/* uint64_t: the kernel reads the map as a struct with 8-byte alignment. */
	uint64_t map[BACKING_MAP_SIZE / 8];
	int id;

	shim_backing_map((uint8_t *)map, fd, ops_mask);
	id = ioctl(session_fd, IOC_BACKING_OPEN, map);
	if (id == 0)
		errno = EPROTO; /* ids start at 1; 0 in a reply means "none" */
	return id > 0 ? id : FAILED;
}

/* Registers without the bits of extended attributes if the kernel has none: these can be turned off. */
static int32_t register_fd(int session_fd, int fd, uint64_t ops_mask)
{
	int32_t id = try_to_register(session_fd, fd, ops_mask);

	if (id == FAILED && errno == EINVAL && (ops_mask & OPS_XATTRS))
		id = try_to_register(session_fd, fd, ops_mask & ~OPS_XATTRS);
	return id;
}

static void close_id(int session_fd, int32_t id)
{
	uint32_t argument = (uint32_t)id;

	if (ioctl(session_fd, IOC_BACKING_CLOSE, &argument) != 0)
		perror("shim: BACKING_CLOSE");
	counters_add(FIELD_ids_open, (uint64_t)-1);
}

/* Registers ``fd`` (-1: there is none, for the reason ``error``) and notes the outcome. */
static struct entry *enter(struct stripe *stripe, int session_fd, uint64_t nodeid,
			   uint64_t ops_mask, int fd, int error)
{
	struct entry *entry;
	int32_t id = FAILED;

	if (grow(stripe) != 0) {
		note_failure(nodeid, ENOMEM);
		return NULL;
	}
	if (fd >= 0) {
		id = register_fd(session_fd, fd, ops_mask);
		error = errno;
	}
	if (id == FAILED) {
		note_failure(nodeid, error);
	} else {
		counters_add(FIELD_ids_opened, 1);
		counters_add(FIELD_ids_open, 1);
	}
	entry = probe(stripe, nodeid);
	*entry = (struct entry){nodeid, id, (ops_mask & INODE_OPS) != 0};
	stripe->used++;
	return entry;
}

/* What an entry is worth to a reply that asks for ``ops_mask``: an id, or 0. */
static int32_t usable_id(const struct entry *entry, uint64_t ops_mask)
{
	if (!entry || entry->id == FAILED)
		return 0;
	return (ops_mask & INODE_OPS) && !entry->inode_ops ? 0 : entry->id;
}

int32_t backing_id(int session_fd, uint64_t nodeid, uint64_t ops_mask,
		   int (*open_backing)(uint64_t nodeid, int argument, int *owned), int argument)
{
	struct stripe *stripe = lock_stripe(nodeid);
	struct entry *entry = find(stripe, nodeid);
	int32_t id = usable_id(entry, ops_mask);
	int owned = 0;
	int fd, error;

	unlock_stripe(stripe);
	if (entry)
		return id;
	/* Without the lock: a server takes locks of its own here, and holds them in backing_forget(). */
	fd = open_backing(nodeid, argument, &owned);
	error = errno;
	/* Over the ioctl it is held: two threads must not register one inode twice. */
	stripe = lock_stripe(nodeid);
	entry = find(stripe, nodeid);
	if (!entry)
		entry = enter(stripe, session_fd, nodeid, ops_mask, fd, error);
	id = usable_id(entry, ops_mask);
	unlock_stripe(stripe);
	if (owned && fd >= 0)
		close(fd); /* the id holds a reference of its own */
	return id;
}

void backing_forget(int session_fd, const uint64_t *nodeids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct stripe *stripe = lock_stripe(nodeids[i]);
		struct entry *entry = find(stripe, nodeids[i]);

		if (entry && entry->id != FAILED)
			close_id(session_fd, entry->id);
		if (entry)
			erase(stripe, entry);
		unlock_stripe(stripe);
	}
}
