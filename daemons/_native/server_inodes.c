/* SPDX-License-Identifier: GPL-2.0-only */
/* The inodes the kernel knows; see server_inodes.h. */

#define _GNU_SOURCE
#include "server_inodes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server_files.h"
#include "server_handles.h"
#include "server_inode_table.h"
#include "server_log.h"
#include "shim.h"
#include "stat_fd.h"

static size_t fds_per_shard;
static bool by_handle;
static dev_t device;
static struct held root = {.fd = -1};
/* Without handles: descriptors kept for good, and how many there may be. */
static size_t kept, kept_limit;

/* Without handles: whether one more descriptor may be kept for good. */
static bool may_keep(void)
{
	static bool told;

	if (__atomic_add_fetch(&kept, 1, __ATOMIC_RELAXED) <= kept_limit)
		return true;
	__atomic_sub_fetch(&kept, 1, __ATOMIC_RELAXED);
	if (!__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
		server_log("the backing has no file handles, so every inode keeps a descriptor: "
			   "the limit "
			   "of %zu (--fd-cache) is reached, further inodes get EMFILE",
			   kept_limit);
	return false;
}

static struct node node_of(const struct inode *inode)
{
	return (struct node){.id = inode->nodeid, .generation = inode_generation(inode)};
}

/* Counts one lookup of the inode of ``handle``; ``held`` (or NULL) is put here or kept. */
static int count(uint64_t number, const struct handle *handle, struct held *held, struct node *node)
{
	struct shard *shard = table_lock(number);
	struct held *evicted = NULL, *dropped = NULL;
	struct inode *inode;
	int error = 0;

	if (!by_handle && !*table_find(shard, number) && !may_keep()) {
		error = EMFILE;
		goto out;
	}
	inode = table_identify(shard, number, handle, &dropped);
	if (!inode) {
		error = ENOMEM;
		goto out;
	}
	inode->lookups++;
	shard->figures.lookups++;
	*node = node_of(inode);
	if (held && !inode->held)
		evicted = fds_add(&shard->fds, held, &inode->held, fds_per_shard);
out:
	table_unlock(shard);
	held_put(evicted);
	held_put(dropped);
	held_put(held);
	return error;
}

static int check_device(const struct stat *attr)
{
	/* The two highest numbers stand for others, see nodeid_of(). */
	return attr->st_dev != device || attr->st_ino > UINT64_MAX - 2 ? EXDEV : 0;
}

/* Counts a lookup of what ``fd`` (taken over) is open on: all answers are about one inode. */
static int meet(int fd, struct stat *attr, struct node *node)
{
	struct handle handle = {.size = 0};
	struct held *held;
	int error = 0;

	if (stat_fd(fd, attr) != 0)
		error = errno;
	if (error == 0)
		error = check_device(attr);
	if (error == 0 && by_handle)
		error = handle_of(fd, "", &handle);
	if (error != 0) {
		close(fd);
		return error;
	}
	held = held_new(fd);
	return held ? count(nodeid_of(attr->st_ino), &handle, held, node) : ENOMEM;
}

/*
 * Counts a lookup of an inode known by number alone, if that is safe. A number cannot be reused while
 * a descriptor is held: one held since ``before``, when the number was not yet read, vouches for it.
 */
static bool count_known(uint64_t number, uint64_t before, struct node *node)
{
	struct shard *shard = table_lock(number);
	struct inode *inode = table_vouched(shard, number, before);

	if (inode) {
		inode->lookups++;
		shard->figures.lookups++;
		fds_touch(&shard->fds, inode->held);
		*node = node_of(inode);
	}
	table_unlock(shard);
	return inode;
}

int inode_lookup(int dir_fd, const char *name, struct stat *attr, struct node *node)
{
	const uint64_t before = fds_clock();
	int error, fd;

	if (fstatat(dir_fd, name, attr, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	error = check_device(attr);
	if (error != 0 || count_known(nodeid_of(attr->st_ino), before, node))
		return error;
	fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? errno : meet(fd, attr, node);
}

int inode_lookup_open(int fd, struct stat *attr, struct node *node)
{
	char path[32];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_PATH | O_CLOEXEC);
	return own < 0 ? errno : meet(own, attr, node);
}

int inode_lookup_listed(int dir_fd, const char *name, struct stat *attr, struct node *node)
{
	const uint64_t before = fds_clock();
	struct handle handle;
	struct stat again;
	int error;

	if (fstatat(dir_fd, name, attr, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	error = check_device(attr);
	if (error != 0 || count_known(nodeid_of(attr->st_ino), before, node))
		return error;
	if (!by_handle)
		return inode_lookup(dir_fd, name, attr, node);
	error = handle_of(dir_fd, name, &handle);
	if (error != 0)
		return error;
	/* A name can change hands between two looks at it: then make sure with a descriptor. */
	if (fstatat(dir_fd, name, &again, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	if (again.st_ino != attr->st_ino || again.st_dev != attr->st_dev)
		return inode_lookup(dir_fd, name, attr, node);
	return count(nodeid_of(attr->st_ino), &handle, NULL, node);
}

/* Takes ``lookups`` from an inode, and drops it when none is left. */
static void uncount(struct shard *shard, uint64_t nodeid, uint64_t lookups, struct held **dropped)
{
	struct inode **at = table_find(shard, nodeid);
	struct inode *inode = *at;

	if (!inode || inode->lookups < lookups)
		server_log("inode %llu: more lookups forgotten than given: %llu",
			   (unsigned long long)nodeid, (unsigned long long)lookups);
	if (!inode)
		return;
	if (inode->lookups > lookups) {
		inode->lookups -= lookups;
		return;
	}
	*at = inode->next;
	if (inode->held) {
		*dropped = fds_remove(&shard->fds, inode->held);
		if (!by_handle)
			__atomic_sub_fetch(&kept, 1, __ATOMIC_RELAXED);
	}
	free(inode);
	shard->figures.inodes--;
	/* With the lock: a lookup that finds the number new must find no backing id either. */
	shim_forgotten(&nodeid, 1);
}

void inode_forget(uint64_t nodeid, uint64_t lookups)
{
	struct shard *shard = table_lock(nodeid);
	struct held *dropped = NULL;

	shard->figures.forgets += lookups;
	if (nodeid != ROOT_NODEID)
		uncount(shard, nodeid, lookups, &dropped);
	table_unlock(shard);
	held_put(dropped);
}

void inode_unlookup(uint64_t nodeid)
{
	struct shard *shard = table_lock(nodeid);
	struct held *dropped = NULL;

	shard->figures.lookups--;
	uncount(shard, nodeid, 1, &dropped);
	table_unlock(shard);
	held_put(dropped);
}

/* Opens an inode by its handle and makes sure that it is the one. */
static int reopen(uint64_t nodeid, uint64_t number, const struct handle *handle, struct held **held)
{
	struct handle found;
	struct stat attr;
	int fd = handle_open(root.fd, handle);

	/* Some file systems find no deleted file by its handle; a client's open one still is it. */
	if (fd < 0 && errno == ESTALE) {
		fd = files_reopen(nodeid);
		if (fd < 0)
			return ESTALE;
		if (handle_of(fd, "", &found) != 0 || found.size != handle->size ||
		    memcmp(found.bytes, handle->bytes, found.size) != 0)
			goto stale;
	}
	if (fd < 0)
		return errno;
	if (fstat(fd, &attr) != 0 || nodeid_of(attr.st_ino) != number)
		goto stale;
	*held = held_new(fd);
	return *held ? 0 : ENOMEM;
stale:
	close(fd);
	return ESTALE;
}

/* Keeps a reopened descriptor, unless another thread was quicker. Returns what to use. */
static struct held *keep(uint64_t nodeid, const struct handle *handle, struct held *held)
{
	struct shard *shard = table_lock(nodeid);
	struct inode *inode = *table_find(shard, nodeid);
	struct held *spare = NULL;

	shard->figures.reopened++;
	if (inode && !inode_is_of(inode, handle))
		inode = NULL; /* the number was reused meanwhile: good for this request, not to be kept */
	if (inode && inode->held) {
		spare = held;
		held = held_get(inode->held);
	} else if (inode) {
		spare = fds_add(&shard->fds, held, &inode->held, fds_per_shard);
	}
	table_unlock(shard);
	held_put(spare);
	return held;
}

int inode_hold(uint64_t nodeid, struct held **held)
{
	struct handle handle = {.size = 0};
	struct shard *shard;
	struct inode *inode;
	uint64_t number = 0;
	int error;

	*held = &root;
	if (nodeid == ROOT_NODEID)
		return 0;
	shard = table_lock(nodeid);
	inode = *table_find(shard, nodeid);
	*held = inode && inode->held ? held_get(inode->held) : NULL;
	if (*held) {
		fds_touch(&shard->fds, *held);
	} else if (inode) {
		number = inode_number(inode);
		handle.type = inode->handle_type;
		handle.size = inode->handle_size;
		memcpy(handle.bytes, inode->handle, inode->handle_size);
	}
	table_unlock(shard);
	if (*held)
		return 0;
	if (handle.size == 0)
		return ESTALE;
	error = reopen(nodeid, number, &handle, held);
	if (error == 0)
		*held = keep(nodeid, &handle, *held);
	return error;
}

int inode_descriptor(uint64_t nodeid)
{
	struct held *held;
	int fd;

	if (inode_hold(nodeid, &held) != 0)
		return -1;
	fd = fcntl(held->fd, F_DUPFD_CLOEXEC, 0);
	held_put(held);
	return fd;
}

int inodes_root_fd(void)
{
	return root.fd;
}

int inodes_start(const char *path, size_t limit)
{
	unsigned int shard_count;
	struct stat attr;

	root.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root.fd < 0 || fstat(root.fd, &attr) != 0)
		return errno;
	device = attr.st_dev;
	by_handle = handles_work(root.fd);
	if (!by_handle)
		server_log("no reopening by file handle here (%s): every inode keeps a descriptor",
			   strerror(errno));
	shard_count = table_start(limit);
	if (shard_count == 0)
		return ENOMEM;
	kept_limit = limit;
	/* Without handles may_keep() decides, and nothing is ever evicted. */
	fds_per_shard = by_handle ? limit / shard_count : SIZE_MAX;
	return 0;
}

struct inode_figures inodes_figures(void)
{
	return table_figures();
}
