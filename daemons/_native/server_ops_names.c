/* SPDX-License-Identifier: GPL-2.0-only */
/* Handlers that make, move and remove names. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server_inodes.h"
#include "server_ops.h"

/* The entry of a name just made, its inode given to the caller. Returns 0 or an errno. */
static int entry_made(fuse_req_t request, int dir_fd, const char *name, mode_t mode,
		      struct fuse_entry_param *entry)
{
	struct held *made = NULL;
	int error = entry_lookup(dir_fd, name, entry);

	if (error != 0)
		return error;
	error = inode_hold(entry->ino, &made);
	if (error == 0)
		error = give_to_caller(request, made->fd, dir_fd, mode);
	if (error == 0 && fstat(made->fd, &entry->attr) != 0)
		error = errno;
	held_put(made);
	if (error != 0)
		inode_unlookup(entry->ino);
	return error;
}

static void op_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
		     dev_t rdev)
{
	struct fuse_entry_param entry;
	struct held *dir = NULL;
	int error = inode_hold(parent, &dir);

	if (error == 0 && mknodat(dir->fd, name, mode, rdev) != 0)
		error = errno;
	if (error == 0)
		error = entry_made(request, dir->fd, name, mode, &entry);
	held_put(dir);
	reply_entry(request, error, &entry);
}

static void op_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fuse_entry_param entry;
	struct held *dir = NULL;
	int error = inode_hold(parent, &dir);

	if (error == 0 && mkdirat(dir->fd, name, mode & 07777) != 0)
		error = errno;
	if (error == 0)
		error = entry_made(request, dir->fd, name, 0, &entry);
	held_put(dir);
	reply_entry(request, error, &entry);
}

static void op_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	struct held *dir = NULL;
	int error = inode_hold(parent, &dir);

	if (error == 0 && symlinkat(target, dir->fd, name) != 0)
		error = errno;
	if (error == 0)
		error = entry_made(request, dir->fd, name, 0, &entry);
	held_put(dir);
	reply_entry(request, error, &entry);
}

static void op_link(fuse_req_t request, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	struct held *dir = NULL, *held = NULL;
	int error = inode_hold(parent, &dir);

	if (error == 0)
		error = inode_hold(ino, &held);
	/* Following is what makes /proc/self/fd stand for the inode, a symbolic link's own included. */
	if (error == 0 &&
	    linkat(AT_FDCWD, fd_path(held->fd).text, dir->fd, name, AT_SYMLINK_FOLLOW) != 0)
		error = errno;
	if (error == 0)
		error = entry_lookup(dir->fd, name, &entry);
	held_put(held);
	held_put(dir);
	reply_entry(request, error, &entry);
}

static void remove_name(fuse_req_t request, fuse_ino_t parent, const char *name, int flags)
{
	struct held *dir = NULL;
	int error = inode_hold(parent, &dir);

	if (error == 0 && unlinkat(dir->fd, name, flags) != 0)
		error = errno;
	held_put(dir);
	fuse_reply_err(request, error);
}

static void op_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	remove_name(request, parent, name, 0);
}

static void op_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	remove_name(request, parent, name, AT_REMOVEDIR);
}

static void op_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
		      fuse_ino_t new_parent, const char *new_name, unsigned int flags)
{
	struct held *from = NULL, *to = NULL;
	int error = inode_hold(parent, &from);

	if (error == 0)
		error = inode_hold(new_parent, &to);
	if (error == 0 && renameat2(from->fd, name, to->fd, new_name, flags) != 0)
		error = errno;
	held_put(to);
	held_put(from);
	fuse_reply_err(request, error);
}

void ops_add_names(struct fuse_lowlevel_ops *ops)
{
	ops->mknod = op_mknod;
	ops->mkdir = op_mkdir;
	ops->symlink = op_symlink;
	ops->link = op_link;
	ops->unlink = op_unlink;
	ops->rmdir = op_rmdir;
	ops->rename = op_rename;
}
