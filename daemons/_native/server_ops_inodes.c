/* SPDX-License-Identifier: GPL-2.0-only */
/* Handlers about one inode: lookup and forget, attributes, link targets, file system figures. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "server_inodes.h"
#include "server_options.h"
#include "server_ops.h"
#include "stat_fd.h"

static void op_init(void *userdata, struct fuse_conn_info *connection)
{
	(void)userdata;
	/*
	 * No splicing: it gains nothing for small requests, and the shim sees none of it. Set-id bits
	 * are the kernel's to clear: a write of ours, as root, would not. Writeback caching turns
	 * passthrough off without a word.
	 */
	connection->want &= ~(unsigned int)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
					    FUSE_CAP_SPLICE_MOVE | FUSE_CAP_HANDLE_KILLPRIV |
					    FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_READDIRPLUS |
					    FUSE_CAP_READDIRPLUS_AUTO);
	if (options.readdir_mode != MODE_READDIR)
		connection->want |= connection->capable & FUSE_CAP_READDIRPLUS;
	if (options.readdir_mode == MODE_AUTO)
		connection->want |= connection->capable & FUSE_CAP_READDIRPLUS_AUTO;
}

static void op_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	struct held *dir = NULL;
	int error = inode_hold(parent, &dir);

	if (error == 0)
		error = entry_lookup(dir->fd, name, &entry);
	held_put(dir);
	reply_entry(request, error, &entry);
}

static void op_forget(fuse_req_t request, fuse_ino_t ino, uint64_t lookups)
{
	inode_forget(ino, lookups);
	fuse_reply_none(request);
}

static void op_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		inode_forget(forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(request);
}

static void op_getattr(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct held *held = NULL;
	struct stat attr;
	int error = inode_hold(ino, &held);

	(void)info;
	if (error == 0 && stat_fd(held->fd, &attr) != 0)
		error = errno;
	held_put(held);
	if (error != 0)
		fuse_reply_err(request, error);
	else
		fuse_reply_attr(request, &attr, options.attr_timeout);
}

static struct timespec time_to_set(int to_set, int set, int set_now, struct timespec value)
{
	if (to_set & set_now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return to_set & set ? value : (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int set_times(int fd, const struct stat *attr, int to_set)
{
	const struct timespec times[2] = {
		time_to_set(to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, attr->st_atim),
		time_to_set(to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, attr->st_mtim),
	};

	return utimensat(fd, "", times, AT_EMPTY_PATH);
}

/* Applies what is to be set to ``fd``, or to the client's open file where it matters. */
static int set_attributes(int fd, const struct fuse_file_info *info, const struct stat *attr,
			  int to_set)
{
	const struct fd_path path = fd_path(fd);

	/* Owner first: changing it clears set-id bits. */
	if (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
		uid_t uid = to_set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
		gid_t gid = to_set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;

		if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0)
			return errno;
	}
	if ((to_set & FUSE_SET_ATTR_MODE) && chmod(path.text, attr->st_mode & 07777) != 0)
		return errno;
	if (to_set & FUSE_SET_ATTR_SIZE) {
		if (info ? ftruncate((int)info->fh, attr->st_size)
			 : truncate(path.text, attr->st_size))
			return errno;
	}
	if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
		      FUSE_SET_ATTR_MTIME_NOW)) {
		if (set_times(fd, attr, to_set) != 0)
			return errno;
	}
	return 0;
}

static void op_setattr(fuse_req_t request, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *info)
{
	struct held *held = NULL;
	struct stat now;
	int error = inode_hold(ino, &held);

	if (error == 0)
		error = set_attributes(held->fd, info, attr, to_set);
	if (error == 0 && fstat(held->fd, &now) != 0)
		error = errno;
	held_put(held);
	if (error != 0)
		fuse_reply_err(request, error);
	else
		fuse_reply_attr(request, &now, options.attr_timeout);
}

static void op_readlink(fuse_req_t request, fuse_ino_t ino)
{
	struct held *held = NULL;
	char target[PATH_MAX + 1];
	ssize_t length = 0;
	int error = inode_hold(ino, &held);

	if (error == 0) {
		length = readlinkat(held->fd, "", target, sizeof(target) - 1);
		if (length < 0)
			error = errno == ENOENT ? EINVAL
						: errno; /* not a link, says an O_PATH one */
	}
	held_put(held);
	if (error != 0) {
		fuse_reply_err(request, error);
		return;
	}
	target[length] = '\0';
	fuse_reply_readlink(request, target);
}

static void op_statfs(fuse_req_t request, fuse_ino_t ino)
{
	struct statvfs figures;

	(void)ino;
	if (fstatvfs(inodes_root_fd(), &figures) != 0)
		fuse_reply_err(request, errno);
	else
		fuse_reply_statfs(request, &figures);
}

void ops_add_inodes(struct fuse_lowlevel_ops *ops)
{
	ops->init = op_init;
	ops->lookup = op_lookup;
	ops->forget = op_forget;
	ops->forget_multi = op_forget_multi;
	ops->getattr = op_getattr;
	ops->setattr = op_setattr;
	ops->readlink = op_readlink;
	ops->statfs = op_statfs;
}
