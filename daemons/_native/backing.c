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

#define FAILED (-1)
#define INODE_OPS (OPS_BIT(OP_GETATTR) | OPS_BIT(OP_SETATTR) | OPS_BIT(OP_STATX))
#define FIRST_SIZE 1024u

/* Open addressing, linear probing, 16 bytes an inode: a tree may have millions of them. */
struct entry {
	uint64_t nodeid; /* 0: free */
	int32_t id;      /* FAILED: registration failed, do not try again */
	uint32_t inode_ops;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *table;
static size_t table_size; /* a power of two, or 0 */
static size_t table_used;

static size_t home(uint64_t nodeid)
{
	return (size_t)((nodeid * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (table_size - 1);
}

/* The entry of ``nodeid``, or the free one where it would go; needs table_size > 0. */
static struct entry *probe(uint64_t nodeid)
{
	size_t i = home(nodeid);

	while (table[i].nodeid != 0 && table[i].nodeid != nodeid)
		i = (i + 1) & (table_size - 1);
	return &table[i];
}

/* Makes room for one more. Returns -1 without memory, and the table is as before. */
static int grow(void)
{
	struct entry *old = table;
	size_t old_size = table_size;
	size_t size = old_size ? old_size * 2 : FIRST_SIZE;
	struct entry *fresh;

	if (table_used + 1 <= old_size / 4 * 3)
		return 0;
	fresh = calloc(size, sizeof(*fresh));
	if (!fresh)
		return -1;
	table = fresh;
	table_size = size;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].nodeid != 0)
			*probe(old[i].nodeid) = old[i];
	free(old);
	return 0;
}

static void erase(struct entry *entry)
{
	size_t hole = (size_t)(entry - table);
	size_t i = hole;

	/* Close the gap: move back every follower whose home is at or before the hole. */
	for (;;) {
		i = (i + 1) & (table_size - 1);
		if (table[i].nodeid == 0)
			break;
		if (((i - home(table[i].nodeid)) & (table_size - 1)) >= ((i - hole) & (table_size - 1))) {
			table[hole] = table[i];
			hole = i;
		}
	}
	table[hole] = (struct entry){0};
	table_used--;
}

static void note_failure(uint64_t nodeid, int error)
{
	static bool logged[256];

	counters_add(FIELD_ids_failed, 1);
	counters_set(FIELD_ids_errno, (uint64_t)error);
	if (error < 0 || error > 255 || logged[error])
		return;
	logged[error] = true;
	fprintf(stderr, "shim: BACKING_OPEN: inode %llu: %s (not passed through; said once)\n",
		(unsigned long long)nodeid, strerror(error));
}

static int32_t register_fd(int session_fd, int fd, uint64_t ops_mask)
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

static void close_id(int session_fd, int32_t id)
{
	uint32_t argument = (uint32_t)id;

	if (ioctl(session_fd, IOC_BACKING_CLOSE, &argument) != 0)
		perror("shim: BACKING_CLOSE");
	counters_add(FIELD_ids_open, (uint64_t)-1);
}

int32_t backing_id(int session_fd, uint64_t nodeid, uint64_t ops_mask,
		   int (*open_backing)(uint64_t nodeid, int argument, int *owned), int argument)
{
	struct entry *entry;
	int32_t id = FAILED;
	int owned = 0;
	int fd;

	/* Held over the ioctl: two threads must not register one inode twice. */
	pthread_mutex_lock(&lock);
	if (grow() != 0) {
		note_failure(nodeid, ENOMEM);
		goto out;
	}
	entry = probe(nodeid);
	if (entry->nodeid == 0) {
		fd = open_backing(nodeid, argument, &owned);
		if (fd >= 0)
			id = register_fd(session_fd, fd, ops_mask);
		if (id == FAILED)
			note_failure(nodeid, errno);
		if (owned && fd >= 0)
			close(fd); /* the id holds a reference of its own */
		if (id != FAILED) {
			counters_add(FIELD_ids_opened, 1);
			counters_add(FIELD_ids_open, 1);
		}
		*entry = (struct entry){nodeid, id, (ops_mask & INODE_OPS) != 0};
		table_used++;
	}
	id = entry->id;
	if ((ops_mask & INODE_OPS) && !entry->inode_ops)
		id = FAILED;
out:
	pthread_mutex_unlock(&lock);
	return id == FAILED ? 0 : id;
}

void backing_forget(int session_fd, const uint64_t *nodeids, size_t count)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; table_used > 0 && i < count; i++) {
		struct entry *entry = probe(nodeids[i]);

		if (entry->nodeid == 0)
			continue;
		if (entry->id != FAILED)
			close_id(session_fd, entry->id);
		erase(entry);
	}
	pthread_mutex_unlock(&lock);
}
