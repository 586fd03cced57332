/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bounded set of O_PATH descriptors, the least recently used dropped first. A descriptor is
 * counted by reference: one dropped while a request works with it is closed when that request is
 * done. No lock in here: whoever owns a set (server_inodes.c) locks it; held_put() needs none.
 */
#ifndef FUSE_BENCH_SERVER_FDS_H
#define FUSE_BENCH_SERVER_FDS_H

#include <stddef.h>
#include <stdint.h>

struct held {
	int fd;
	unsigned int references; /* atomic; 0 in one that is never closed */
	uint64_t since; /* fds_clock() when it was added: open at least that long */
	uint64_t touched; /* how many had been added to its set when it last became the newest */
	struct held **owner; /* who points at it while it is in a set */
	struct held *newer, *older;
};

struct held_set {
	struct held *newest, *oldest;
	size_t count;
	uint64_t added;
};

/* Takes over ``fd``, with one reference, the caller's. Without memory: closes it, returns NULL. */
struct held *held_new(int fd);

/* One more reference. The caller has one or holds the lock of the set it is in. */
struct held *held_get(struct held *held);

/* Gives one reference back; NULL is fine. */
void held_put(struct held *held);

/* Rises with every descriptor added to any set. */
uint64_t fds_clock(void);

/*
 * Adds with a reference of the set's own and makes ``*owner`` point at it. Returns the one that had
 * to go (its owner cleared) or NULL; the caller puts it, best without the lock.
 */
struct held *fds_add(struct held_set *set, struct held *held, struct held **owner, size_t limit);

/* Makes it the newest, unless it is among the newest anyway: while all fit, this costs a comparison. */
void fds_touch(struct held_set *set, struct held *held);

/* Takes it out, clears its owner. Returns it for the caller to put. */
struct held *fds_remove(struct held_set *set, struct held *held);

#endif
