/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handlers of open directories. An offset is the backing's own (d_off), so a place stays good for
 * seekdir as far as it does there, and a listing needs no memory but one buffer of getdents64.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server_files.h"
#include "server_inodes.h"
#include "server_ops.h"

#define LISTING_SIZE 32768u
/* struct fuse_direntplus: where its nodeid and its name's length are, and how long it is. */
#define PLUS_NODEID            0u
#define PLUS_NAME_LENGTH       (128u + 16u)
#define PLUS_SIZE(name_length) ((128u + 24u + (name_length) + 7u) & ~(size_t)7u)

/* A directory being read: what getdents64 gave and where in it the client is. */
struct listing {
	pthread_mutex_t lock;
	off_t next; /* offset of the entry at ``at`` */
	size_t at, have; /* bytes of ``buffer`` */
	char *buffer;
};

static void listing_free(struct listing *listing)
{
	if (!listing)
		return;
	pthread_mutex_destroy(&listing->lock);
	free(listing->buffer);
	free(listing);
}

static struct listing *listing_new(void)
{
	struct listing *listing = calloc(1, sizeof(*listing));

	if (listing)
		pthread_mutex_init(&listing->lock, NULL);
	return listing;
}

/* Goes to ``offset``. Returns 0 or an errno. */
static int listing_seek(struct listing *listing, int fd, off_t offset)
{
	if (!listing->buffer)
		listing->buffer = malloc(LISTING_SIZE);
	if (!listing->buffer)
		return ENOMEM;
	/* The start is always read anew: a rewind shows what is there now. */
	if (offset != 0 && offset == listing->next)
		return 0;
	listing->at = listing->have = 0;
	listing->next = offset;
	return lseek(fd, offset, SEEK_SET) < 0 ? errno : 0;
}

/* The entry the client is at; NULL at the end or with ``*error`` set. */
static const struct dirent64 *listing_peek(struct listing *listing, int fd, int *error)
{
	ssize_t got;

	if (listing->at == listing->have) {
		got = getdents64(fd, listing->buffer, LISTING_SIZE);
		if (got < 0)
			*error = errno;
		if (got <= 0)
			return NULL;
		listing->at = 0;
		listing->have = (size_t)got;
	}
	return (const struct dirent64 *)(const void *)(listing->buffer + listing->at);
}

static void listing_advance(struct listing *listing, const struct dirent64 *entry)
{
	listing->next = entry->d_off;
	listing->at += entry->d_reclen;
}

/* Adds an entry to a reply. Returns its size: not added if that is more than ``room``; 0: left out. */
typedef size_t add_entry(fuse_req_t request, int dir_fd, char *reply, size_t room,
			 const struct dirent64 *entry);

static size_t add_name(fuse_req_t request, int dir_fd, char *reply, size_t room,
		       const struct dirent64 *entry)
{
	const struct stat attr = {.st_ino = entry->d_ino, .st_mode = DTTOIF((mode_t)entry->d_type)};

	(void)dir_fd;
	return fuse_add_direntry(request, reply, room, entry->d_name, &attr, entry->d_off);
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/*
 * With its attributes, and one lookup counted. Not for "." and "..", whose lookups the kernel does not
 * keep either, and not for a name whose inode we cannot lend (on another file system, no descriptor
 * left): with nodeid 0 the kernel shows the name and asks again when it is used.
 */
static size_t add_name_and_inode(fuse_req_t request, int dir_fd, char *reply, size_t room,
				 const struct dirent64 *entry)
{
	struct fuse_entry_param param = {0};
	struct node node;
	struct stat attr;
	int error;
	size_t size = fuse_add_direntry_plus(request, NULL, 0, entry->d_name, NULL, 0);

	if (size > room)
		return size;
	param.attr.st_ino = entry->d_ino;
	param.attr.st_mode = DTTOIF((mode_t)entry->d_type);
	if (!is_dots(entry->d_name)) {
		error = inode_lookup_listed(dir_fd, entry->d_name, &attr, &node);
		if (error == ENOENT)
			return 0; /* removed since the names were read */
		if (error == 0)
			param = entry_of(&attr, node);
	}
	return fuse_add_direntry_plus(request, reply, room, entry->d_name, &param, entry->d_off);
}

/* Fills a reply of ``size`` bytes. Returns how much of it is used; 0 and ``*error`` if it failed. */
static size_t list(fuse_req_t request, int fd, struct listing *listing, char *reply, size_t size,
		   off_t offset, add_entry *add, int *error)
{
	const struct dirent64 *entry;
	size_t used = 0, added;

	*error = listing_seek(listing, fd, offset);
	while (*error == 0 && (entry = listing_peek(listing, fd, error))) {
		added = add(request, fd, reply + used, size - used, entry);
		if (added > size - used)
			break;
		used += added;
		listing_advance(listing, entry);
	}
	if (used > 0)
		*error = 0; /* it comes back with the next request */
	return used;
}

/* Takes back the lookups of a READDIRPLUS reply that the kernel never saw. */
static void unlookup_all(const char *reply, size_t used)
{
	uint64_t nodeid;
	uint32_t length;

	for (size_t at = 0; at < used; at += PLUS_SIZE(length)) {
		memcpy(&nodeid, reply + at + PLUS_NODEID, sizeof(nodeid));
		memcpy(&length, reply + at + PLUS_NAME_LENGTH, sizeof(length));
		if (nodeid != 0)
			inode_unlookup(nodeid);
	}
}

static void reply_listing(fuse_req_t request, size_t size, off_t offset,
			  const struct fuse_file_info *info, add_entry *add)
{
	const int fd = (int)info->fh;
	struct listing *listing = files_listing(fd);
	char *reply = reply_buffer(size);
	int error = ENOMEM;
	size_t used = 0;

	if (reply) {
		pthread_mutex_lock(&listing->lock);
		used = list(request, fd, listing, reply, size, offset, add, &error);
		pthread_mutex_unlock(&listing->lock);
	}
	if (error != 0)
		fuse_reply_err(request, error);
	else if (fuse_reply_buf(request, reply, used) == -ENOENT && add == add_name_and_inode)
		unlookup_all(reply, used);
}

static void op_opendir(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct listing *listing = listing_new();
	struct held *held = NULL;
	int fd = -1;
	int error = listing ? inode_hold(ino, &held) : ENOMEM;

	if (error == 0) {
		fd = openat(held->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			error = errno;
	}
	held_put(held);
	if (error != 0) {
		listing_free(listing);
		fuse_reply_err(request, error);
		return;
	}
	info->fh = (uint64_t)fd;
	files_opened(fd, ino, listing);
	if (fuse_reply_open(request, info) == -ENOENT)
		listing_free(files_close(fd));
}

static void op_readdir(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	(void)ino;
	reply_listing(request, size, offset, info, add_name);
}

static void op_readdirplus(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset,
			   struct fuse_file_info *info)
{
	(void)ino;
	reply_listing(request, size, offset, info, add_name_and_inode);
}

static void op_releasedir(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	listing_free(files_close((int)info->fh));
	fuse_reply_err(request, 0);
}

static void op_fsyncdir(fuse_req_t request, fuse_ino_t ino, int datasync,
			struct fuse_file_info *info)
{
	const int fd = (int)info->fh;

	(void)ino;
	fuse_reply_err(request, (datasync ? fdatasync(fd) : fsync(fd)) != 0 ? errno : 0);
}

void ops_add_directories(struct fuse_lowlevel_ops *ops)
{
	ops->opendir = op_opendir;
	ops->readdir = op_readdir;
	ops->readdirplus = op_readdirplus;
	ops->releasedir = op_releasedir;
	ops->fsyncdir = op_fsyncdir;
}
