/* SPDX-License-Identifier: GPL-2.0-only */
/* Handlers of open files. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server_files.h"
#include "server_inodes.h"
#include "server_ops.h"

/*
 * Flags of a client's open that must not reach ours: creation is a request of its own, and the kernel
 * has resolved the name already. O_DIRECT does reach it: so it means to the backing what it means
 * when reads and writes are passed through, alignment and refusals included.
 */
#define NOT_OURS (O_CREAT | O_EXCL | O_NOCTTY | O_NOFOLLOW)

static int descriptor(const struct fuse_file_info *info)
{
	return (int)info->fh;
}

/* Replies to a request that has no other answer than whether it failed. */
static void reply_done(fuse_req_t request, int result)
{
	fuse_reply_err(request, result != 0 ? errno : 0);
}

static void op_open(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct held *held = NULL;
	int fd = -1;
	int error = inode_hold(ino, &held);

	if (error == 0) {
		fd = open(fd_path(held->fd).text, (info->flags & ~NOT_OURS) | O_CLOEXEC);
		if (fd < 0)
			error = errno;
	}
	held_put(held);
	if (error != 0) {
		fuse_reply_err(request, error);
		return;
	}
	/* Not keep_cache: a file changed in the backing must be seen when it is opened again. */
	info->fh = (uint64_t)fd;
	files_opened(fd, ino, NULL);
	if (fuse_reply_open(request, info) == -ENOENT)
		files_close(fd);
}

/* Opens a name that is to be new. Returns a descriptor or -1; sets ``made``. */
static int open_new(int dir_fd, const char *name, int flags, mode_t mode, int *made)
{
	const int ours = (flags & ~NOT_OURS) | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir_fd, name, ours | O_EXCL, mode & 07777);

	*made = 1;
	if (fd >= 0 || errno != EEXIST || (flags & O_EXCL))
		return fd;
	/* Someone was quicker: then it is theirs, and must not change hands. */
	*made = 0;
	return openat(dir_fd, name, ours & ~O_CREAT);
}

/* Creates, opens, counts. Returns 0 and ``*opened``, or an errno. */
static int create(fuse_req_t request, int dir_fd, const char *name, mode_t mode, int flags,
		  int *opened, struct fuse_entry_param *entry)
{
	struct node node;
	struct stat attr;
	int error = 0;
	int made;
	int fd = open_new(dir_fd, name, flags, mode, &made);

	if (fd < 0)
		return errno;
	if (made)
		error = give_to_caller(request, fd, dir_fd, mode);
	if (error == 0)
		error = inode_lookup_open(fd, &attr, &node);
	if (error != 0) {
		close(fd);
		return error;
	}
	*entry = entry_of(&attr, node);
	*opened = fd;
	return 0;
}

static void op_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *info)
{
	struct fuse_entry_param entry;
	struct held *dir = NULL;
	int fd = -1;
	int error = inode_hold(parent, &dir);

	if (error == 0)
		error = create(request, dir->fd, name, mode, info->flags, &fd, &entry);
	held_put(dir);
	if (error != 0) {
		fuse_reply_err(request, error);
		return;
	}
	info->fh = (uint64_t)fd;
	files_opened(fd, entry.ino, NULL);
	if (fuse_reply_create(request, &entry, info) == -ENOENT) {
		files_close(fd);
		inode_unlookup(entry.ino);
	}
}

static void op_read(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	char *buffer = reply_buffer(size);
	ssize_t got;

	(void)ino;
	if (!buffer) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	got = pread(descriptor(info), buffer, size, offset);
	if (got < 0)
		fuse_reply_err(request, errno);
	else
		fuse_reply_buf(request, buffer, (size_t)got);
}

/*
 * Writes a page of a mapping back. The kernel sends it by any descriptor open for writing; through one
 * with O_APPEND, pwrite() would put it at the end of the file, and one with O_DIRECT would refuse the
 * file's last page.
 */
static ssize_t write_page(int fd, const char *data, size_t size, off_t offset)
{
	ssize_t written;
	int own = open(fd_path(fd).text, O_WRONLY | O_CLOEXEC);
	int error;

	if (own < 0)
		return -1;
	written = pwrite(own, data, size, offset);
	error = errno;
	close(own);
	errno = error;
	return written;
}

/* Writes with O_DIRECT: libfuse's buffer begins behind a header, so from memory that is aligned. */
static ssize_t write_direct(int fd, const char *data, size_t size, off_t offset)
{
	char *aligned = reply_buffer(size);

	if (!aligned) {
		errno = ENOMEM;
		return -1;
	}
	memcpy(aligned, data, size);
	return pwrite(fd, aligned, size, offset);
}

static void op_write(fuse_req_t request, fuse_ino_t ino, const char *data, size_t size,
		     off_t offset, struct fuse_file_info *info)
{
	const int fd = descriptor(info);
	const int special = info->flags & O_DIRECT || info->writepage;
	const int flags = special ? fcntl(fd, F_GETFL) : 0;
	ssize_t written;

	(void)ino;
	if (info->writepage && (flags & (O_APPEND | O_DIRECT)))
		written = write_page(fd, data, size, offset);
	else if (flags & O_DIRECT)
		written = write_direct(fd, data, size, offset);
	else
		written = pwrite(fd, data, size, offset);
	if (written < 0)
		fuse_reply_err(request, errno);
	else
		fuse_reply_write(request, (size_t)written);
}

static void op_flush(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	/* One client descriptor was closed: let the backing report what close() would. */
	reply_done(request, close(dup(descriptor(info))));
}

static void op_release(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	files_close(descriptor(info));
	fuse_reply_err(request, 0);
}

static void op_fsync(fuse_req_t request, fuse_ino_t ino, int datasync, struct fuse_file_info *info)
{
	int fd = descriptor(info);

	(void)ino;
	reply_done(request, datasync ? fdatasync(fd) : fsync(fd));
}

static void op_fallocate(fuse_req_t request, fuse_ino_t ino, int mode, off_t offset, off_t length,
			 struct fuse_file_info *info)
{
	(void)ino;
	reply_done(request, fallocate(descriptor(info), mode, offset, length));
}

static void op_lseek(fuse_req_t request, fuse_ino_t ino, off_t offset, int whence,
		     struct fuse_file_info *info)
{
	off_t found = lseek(descriptor(info), offset, whence);

	(void)ino;
	if (found < 0)
		fuse_reply_err(request, errno);
	else
		fuse_reply_lseek(request, found);
}

static void op_copy_file_range(fuse_req_t request, fuse_ino_t ino_in, off_t offset_in,
			       struct fuse_file_info *info_in, fuse_ino_t ino_out, off_t offset_out,
			       struct fuse_file_info *info_out, size_t size, int flags)
{
	ssize_t copied = copy_file_range(descriptor(info_in), &offset_in, descriptor(info_out),
					 &offset_out, size, (unsigned int)flags);

	(void)ino_in;
	(void)ino_out;
	if (copied < 0)
		fuse_reply_err(request, errno);
	else
		fuse_reply_write(request, (size_t)copied);
}

void ops_add_files(struct fuse_lowlevel_ops *ops)
{
	ops->open = op_open;
	ops->create = op_create;
	ops->read = op_read;
	ops->write = op_write;
	ops->flush = op_flush;
	ops->release = op_release;
	ops->fsync = op_fsync;
	ops->fallocate = op_fallocate;
	ops->lseek = op_lseek;
	ops->copy_file_range = op_copy_file_range;
}
