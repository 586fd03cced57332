/* SPDX-License-Identifier: GPL-2.0-only */
/* A bounded set of descriptors; see server_fds.h. */

#include "server_fds.h"

#include <stdlib.h>
#include <unistd.h>

static uint64_t clock_now;

struct held *held_new(int fd)
{
	struct held *held = calloc(1, sizeof(*held));

	if (!held) {
		close(fd);
		return NULL;
	}
	held->fd = fd;
	held->references = 1;
	return held;
}

struct held *held_get(struct held *held)
{
	if (__atomic_load_n(&held->references, __ATOMIC_RELAXED) != 0)
		__atomic_fetch_add(&held->references, 1, __ATOMIC_RELAXED);
	return held;
}

void held_put(struct held *held)
{
	if (!held || __atomic_load_n(&held->references, __ATOMIC_RELAXED) == 0)
		return;
	if (__atomic_sub_fetch(&held->references, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	close(held->fd);
	free(held);
}

uint64_t fds_clock(void)
{
	return __atomic_load_n(&clock_now, __ATOMIC_ACQUIRE);
}

static void unlink_held(struct held_set *set, struct held *held)
{
	if (held->newer)
		held->newer->older = held->older;
	else
		set->newest = held->older;
	if (held->older)
		held->older->newer = held->newer;
	else
		set->oldest = held->newer;
}

static void push_newest(struct held_set *set, struct held *held)
{
	held->newer = NULL;
	held->older = set->newest;
	if (set->newest)
		set->newest->newer = held;
	else
		set->oldest = held;
	set->newest = held;
	held->touched = set->added;
}

struct held *fds_add(struct held_set *set, struct held *held, struct held **owner, size_t limit)
{
	held_get(held);
	held->since = __atomic_add_fetch(&clock_now, 1, __ATOMIC_ACQ_REL);
	held->owner = owner;
	*owner = held;
	set->added++;
	push_newest(set, held);
	set->count++;
	return set->count > limit ? fds_remove(set, set->oldest) : NULL;
}

void fds_touch(struct held_set *set, struct held *held)
{
	if (set->added - held->touched <= set->count / 8)
		return;
	unlink_held(set, held);
	push_newest(set, held);
}

struct held *fds_remove(struct held_set *set, struct held *held)
{
	unlink_held(set, held);
	set->count--;
	*held->owner = NULL;
	held->owner = NULL;
	return held;
}
