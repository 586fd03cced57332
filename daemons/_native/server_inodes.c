/* SPDX-License-Identifier: GPL-2.0-only */
/* The inodes the kernel knows; see server_inodes.h. */

#define _GNU_SOURCE
#include "server_inodes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server_files.h"
#include "server_handles.h"
#include "server_log.h"
#include "shim.h"
#include "stat_fd.h"

#define SHARDS_MAX        64u
#define FDS_PER_SHARD_MIN 16u
#define FIRST_BUCKETS     64u

/* About 70 bytes with what malloc and the buckets add: a tree may have millions of these. */
struct inode {
	struct inode *next;
	uint64_t nodeid;
	uint64_t lookups;
	struct held *held; /* NULL: to be reopened by its handle */
	int16_t handle_type;
	uint16_t handle_size;
	unsigned char handle[];
};

struct shard {
	pthread_mutex_t lock;
	struct inode **buckets;
	size_t bucket_count; /* a power of two */
	struct held_set fds;
	struct inode_figures figures;
} __attribute__((aligned(64)));

static struct shard shards[SHARDS_MAX];
static unsigned int shard_count; /* a power of two */
static size_t fds_per_shard;
static bool by_handle;
static dev_t device;
static struct held root = {.fd = -1};
/* Without handles: descriptors kept for good, and how many there may be. */
static size_t kept, kept_limit;

static uint64_t hash_of(uint64_t nodeid)
{
	return nodeid * UINT64_C(0x9e3779b97f4a7c15);
}

static struct shard *lock_shard(uint64_t nodeid)
{
	struct shard *shard = &shards[(hash_of(nodeid) >> 58) & (shard_count - 1)];

	pthread_mutex_lock(&shard->lock);
	return shard;
}

static void unlock_shard(struct shard *shard)
{
	pthread_mutex_unlock(&shard->lock);
}

static struct inode **bucket_of(const struct shard *shard, uint64_t nodeid)
{
	return &shard->buckets[(hash_of(nodeid) >> 20) & (shard->bucket_count - 1)];
}

/* Where the pointer to ``nodeid`` is, or the NULL at the end of its chain. */
static struct inode **find(const struct shard *shard, uint64_t nodeid)
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

static struct inode *new_inode(uint64_t nodeid, const struct handle *handle)
{
	struct inode *inode = malloc(sizeof(*inode) + handle->size);

	if (!inode)
		return NULL;
	*inode = (struct inode){
		.nodeid = nodeid,
		.handle_type = (int16_t)handle->type,
		.handle_size = (uint16_t)handle->size,
	};
	memcpy(inode->handle, handle->bytes, handle->size);
	return inode;
}

static bool is_of(const struct inode *inode, const struct handle *handle)
{
	return inode->handle_size == handle->size && inode->handle_type == (int16_t)handle->type &&
	       memcmp(inode->handle, handle->bytes, handle->size) == 0;
}

static uint64_t generation_of(const struct inode *inode)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < inode->handle_size; i++)
		hash = (hash ^ inode->handle[i]) * 16777619u;
	return hash;
}

/* The entry of ``nodeid`` for the inode of ``handle``, made if need be; NULL without memory. */
static struct inode *identify(struct shard *shard, uint64_t nodeid, const struct handle *handle,
			      struct held **dropped)
{
	struct inode **at = find(shard, nodeid);
	struct inode *inode = *at;

	if (inode && is_of(inode, handle))
		return inode;
	inode = new_inode(nodeid, handle);
	if (!inode)
		return NULL;
	if (*at) {
		/* The number was reused. What was attached to it belongs to the file that is gone. */
		inode->next = (*at)->next;
		inode->lookups = (*at)->lookups;
		if ((*at)->held)
			*dropped = fds_remove(&shard->fds, (*at)->held);
		free(*at);
		shim_forgotten(&nodeid, 1);
	} else {
		shard->figures.inodes++;
	}
	*at = inode;
	if (shard->figures.inodes > shard->bucket_count)
		grow(shard);
	return inode;
}

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

/* Counts one lookup of the inode of ``handle``; ``held`` (or NULL) is put here or kept. */
static int count(uint64_t nodeid, const struct handle *handle, struct held *held,
		 uint64_t *generation)
{
	struct shard *shard = lock_shard(nodeid);
	struct held *evicted = NULL, *dropped = NULL;
	struct inode *inode;
	int error = 0;

	if (!by_handle && !*find(shard, nodeid) && !may_keep()) {
		error = EMFILE;
		goto out;
	}
	inode = identify(shard, nodeid, handle, &dropped);
	if (!inode) {
		error = ENOMEM;
		goto out;
	}
	inode->lookups++;
	shard->figures.lookups++;
	*generation = generation_of(inode);
	if (held && !inode->held)
		evicted = fds_add(&shard->fds, held, &inode->held, fds_per_shard);
out:
	unlock_shard(shard);
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
static int meet(int fd, struct stat *attr, uint64_t *generation)
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
	return held ? count(nodeid_of(attr->st_ino), &handle, held, generation) : ENOMEM;
}

/*
 * Counts a lookup of an inode known by number alone, if that is safe. A number cannot be reused while
 * a descriptor is held: one held since ``before``, when the number was not yet read, vouches for it.
 */
static bool count_known(uint64_t nodeid, uint64_t before, uint64_t *generation)
{
	struct shard *shard = lock_shard(nodeid);
	struct inode *inode = *find(shard, nodeid);
	bool known = inode && inode->held && inode->held->since <= before;

	if (known) {
		inode->lookups++;
		shard->figures.lookups++;
		fds_touch(&shard->fds, inode->held);
		*generation = generation_of(inode);
	}
	unlock_shard(shard);
	return known;
}

int inode_lookup(int dir_fd, const char *name, struct stat *attr, uint64_t *generation)
{
	const uint64_t before = fds_clock();
	int error, fd;

	if (fstatat(dir_fd, name, attr, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	error = check_device(attr);
	if (error != 0 || count_known(nodeid_of(attr->st_ino), before, generation))
		return error;
	fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? errno : meet(fd, attr, generation);
}

int inode_lookup_open(int fd, struct stat *attr, uint64_t *generation)
{
	char path[32];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_PATH | O_CLOEXEC);
	return own < 0 ? errno : meet(own, attr, generation);
}

int inode_lookup_listed(int dir_fd, const char *name, struct stat *attr, uint64_t *generation)
{
	const uint64_t before = fds_clock();
	struct handle handle;
	struct stat again;
	int error;

	if (fstatat(dir_fd, name, attr, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	error = check_device(attr);
	if (error != 0 || count_known(nodeid_of(attr->st_ino), before, generation))
		return error;
	if (!by_handle)
		return inode_lookup(dir_fd, name, attr, generation);
	error = handle_of(dir_fd, name, &handle);
	if (error != 0)
		return error;
	/* A name can change hands between two looks at it: then make sure with a descriptor. */
	if (fstatat(dir_fd, name, &again, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	if (again.st_ino != attr->st_ino || again.st_dev != attr->st_dev)
		return inode_lookup(dir_fd, name, attr, generation);
	return count(nodeid_of(attr->st_ino), &handle, NULL, generation);
}

/* Takes ``lookups`` from an inode, and drops it when none is left. */
static void uncount(struct shard *shard, uint64_t nodeid, uint64_t lookups, struct held **dropped)
{
	struct inode **at = find(shard, nodeid);
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
	struct shard *shard = lock_shard(nodeid);
	struct held *dropped = NULL;

	shard->figures.forgets += lookups;
	if (nodeid != ROOT_NODEID)
		uncount(shard, nodeid, lookups, &dropped);
	unlock_shard(shard);
	held_put(dropped);
}

void inode_unlookup(uint64_t nodeid)
{
	struct shard *shard = lock_shard(nodeid);
	struct held *dropped = NULL;

	shard->figures.lookups--;
	uncount(shard, nodeid, 1, &dropped);
	unlock_shard(shard);
	held_put(dropped);
}

/* Opens an inode by its handle and makes sure that it is the one. */
static int reopen(uint64_t nodeid, const struct handle *handle, struct held **held)
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
	if (fstat(fd, &attr) != 0 || nodeid_of(attr.st_ino) != nodeid)
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
	struct shard *shard = lock_shard(nodeid);
	struct inode *inode = *find(shard, nodeid);
	struct held *spare = NULL;

	shard->figures.reopened++;
	if (inode && !is_of(inode, handle))
		inode = NULL; /* the number was reused meanwhile: good for this request, not to be kept */
	if (inode && inode->held) {
		spare = held;
		held = held_get(inode->held);
	} else if (inode) {
		spare = fds_add(&shard->fds, held, &inode->held, fds_per_shard);
	}
	unlock_shard(shard);
	held_put(spare);
	return held;
}

int inode_hold(uint64_t nodeid, struct held **held)
{
	struct handle handle = {.size = 0};
	struct shard *shard;
	struct inode *inode;
	int error;

	*held = &root;
	if (nodeid == ROOT_NODEID)
		return 0;
	shard = lock_shard(nodeid);
	inode = *find(shard, nodeid);
	*held = inode && inode->held ? held_get(inode->held) : NULL;
	if (*held) {
		fds_touch(&shard->fds, *held);
	} else if (inode) {
		handle.type = inode->handle_type;
		handle.size = inode->handle_size;
		memcpy(handle.bytes, inode->handle, inode->handle_size);
	}
	unlock_shard(shard);
	if (*held)
		return 0;
	if (handle.size == 0)
		return ESTALE;
	error = reopen(nodeid, &handle, held);
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
	struct stat attr;

	root.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root.fd < 0 || fstat(root.fd, &attr) != 0)
		return errno;
	device = attr.st_dev;
	by_handle = handles_work(root.fd);
	if (!by_handle)
		server_log("no reopening by file handle here (%s): every inode keeps a descriptor",
			   strerror(errno));
	for (shard_count = SHARDS_MAX; shard_count > 1; shard_count /= 2)
		if (limit / shard_count >= FDS_PER_SHARD_MIN)
			break;
	kept_limit = limit;
	/* Without handles may_keep() decides, and nothing is ever evicted. */
	fds_per_shard = by_handle ? limit / shard_count : SIZE_MAX;
	for (unsigned int i = 0; i < shard_count; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		shards[i].bucket_count = FIRST_BUCKETS;
		shards[i].buckets = calloc(FIRST_BUCKETS, sizeof(struct inode *));
		if (!shards[i].buckets)
			return ENOMEM;
	}
	return 0;
}

struct inode_figures inodes_figures(void)
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
