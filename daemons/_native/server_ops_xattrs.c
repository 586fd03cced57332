/* SPDX-License-Identifier: GPL-2.0-only */
/* Handlers of extended attributes. A size of 0 asks how much there is. */

#define _GNU_SOURCE
#include <errno.h>
#include <linux/xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "server_inodes.h"
#include "server_ops.h"
#include "server_options.h"

/* Replies with what a get or a list has given. */
static void reply_value(fuse_req_t request, const char *value, ssize_t got, size_t asked, int error)
{
	if (error != 0)
		fuse_reply_err(request, error);
	else if (asked == 0)
		fuse_reply_xattr(request, (size_t)got);
	else
		fuse_reply_buf(request, value, (size_t)got);
}

/* Takes trusted names out of a list: file systems show them to root alone (xattr(7)), and we are root. */
static ssize_t without_trusted(char *names, ssize_t size)
{
	char *from = names, *to = names;
	size_t length;

	for (; from < names + size; from += length) {
		length = strlen(from) + 1;
		if (strncmp(from, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN) == 0)
			continue;
		memmove(to, from, length);
		to += length;
	}
	return to - names;
}

/* Gets the attribute ``name``, or the list of names if it is NULL. */
static void get(fuse_req_t request, fuse_ino_t ino, const char *name, size_t size)
{
	struct held *held = NULL;
	char *value = NULL;
	ssize_t got = 0;
	int error = inode_hold(ino, &held);

	if (error != 0)
		goto out;
	if (size > 0 && !(value = reply_buffer(size))) {
		error = ENOMEM;
		goto out;
	}
	got = name ? getxattr(fd_path(held->fd).text, name, value, size)
		   : listxattr(fd_path(held->fd).text, value, size);
	if (got < 0)
		error = errno;
	else if (!name && size > 0 && fuse_req_ctx(request)->uid != 0)
		got = without_trusted(value, got);
out:
	held_put(held);
	reply_value(request, value, got, size, error);
}

static void op_getxattr(fuse_req_t request, fuse_ino_t ino, const char *name, size_t size)
{
	get(request, ino, name, size);
}

static void op_listxattr(fuse_req_t request, fuse_ino_t ino, size_t size)
{
	get(request, ino, NULL, size);
}

static void op_setxattr(fuse_req_t request, fuse_ino_t ino, const char *name, const char *value,
			size_t size, int flags)
{
	struct held *held = NULL;
	int error = inode_hold(ino, &held);

	if (error == 0 && setxattr(fd_path(held->fd).text, name, value, size, flags) != 0)
		error = errno;
	held_put(held);
	fuse_reply_err(request, error);
}

static void op_removexattr(fuse_req_t request, fuse_ino_t ino, const char *name)
{
	struct held *held = NULL;
	int error = inode_hold(ino, &held);

	if (error == 0 && removexattr(fd_path(held->fd).text, name) != 0)
		error = errno;
	held_put(held);
	fuse_reply_err(request, error);
}

/* A server without extended attributes, asked again each time. */

static void op_no_getxattr(fuse_req_t request, fuse_ino_t ino, const char *name, size_t size)
{
	(void)ino;
	(void)name;
	(void)size;
	fuse_reply_err(request, EOPNOTSUPP);
}

static void op_no_listxattr(fuse_req_t request, fuse_ino_t ino, size_t size)
{
	(void)ino;
	(void)size;
	fuse_reply_err(request, EOPNOTSUPP);
}

static void op_no_setxattr(fuse_req_t request, fuse_ino_t ino, const char *name, const char *value,
			   size_t size, int flags)
{
	(void)ino;
	(void)name;
	(void)value;
	(void)size;
	(void)flags;
	fuse_reply_err(request, EOPNOTSUPP);
}

static void op_no_removexattr(fuse_req_t request, fuse_ino_t ino, const char *name)
{
	(void)ino;
	(void)name;
	fuse_reply_err(request, EOPNOTSUPP);
}

void ops_add_xattrs(struct fuse_lowlevel_ops *ops)
{
	bool off = options.xattr == XATTR_OFF;

	if (options.xattr == XATTR_ENOSYS)
		return; /* libfuse replies ENOSYS to what has no handler */
	ops->getxattr = off ? op_no_getxattr : op_getxattr;
	ops->listxattr = off ? op_no_listxattr : op_listxattr;
	ops->setxattr = off ? op_no_setxattr : op_setxattr;
	ops->removexattr = off ? op_no_removexattr : op_removexattr;
}
