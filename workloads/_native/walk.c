/* SPDX-License-Identifier: GPL-2.0-only */
/* Recursive pre-order walk by openat and getdents64; descriptors and memory grow with depth only. */
#define _GNU_SOURCE
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What glibc's readdir, and so ls, find and du, asks for at a time. */
#define BUFFER    32768
#define ASK_EVERY 256

static int visit_directory(struct walk *walk, int fd, size_t length);

static int fail(struct walk *walk, const char *what, int error)
{
	if (!walk->what)
		walk->what = what;
	return error;
}

/* Appends /name to the path, giving the new length, or 0 if it does not fit. */
static size_t push(struct walk *walk, size_t length, const char *name)
{
	size_t more = strlen(name), start = length ? length + 1 : 0;
	if (start + more + 1 > sizeof walk->path)
		return 0;
	if (length)
		walk->path[length] = '/';
	memcpy(walk->path + start, name, more + 1);
	return start + more;
}

static int fail_entry(struct walk *walk, size_t length, const char *name)
{
	int error = errno;
	push(walk, length, name);
	return fail(walk, "statx", error);
}

static int descend(struct walk *walk, int fd, const char *name, size_t length)
{
	int child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (child < 0)
		return fail(walk, "open", errno);
	int error = visit_directory(walk, child, length);
	close(child);
	return error;
}

static int visit_entry(struct walk *walk, int fd, const struct dirent64 *entry, size_t length)
{
	struct statx st;
	bool directory = entry->d_type == DT_DIR;

	if (++walk->entries % ASK_EVERY == 0 && thread_group_stopped(walk->group))
		return fail(walk, "walk", EINTR);
	if (walk->stat_each || entry->d_type == DT_UNKNOWN) {
		if (statx(fd, entry->d_name, walk->statx_flags, STATX_BASIC_STATS, &st))
			return fail_entry(walk, length, entry->d_name);
		directory = S_ISDIR(st.stx_mode);
	}
	if (!directory)
		return 0;
	size_t longer = push(walk, length, entry->d_name);
	if (!longer)
		return fail(walk, "walk", ENAMETOOLONG);
	int error = descend(walk, fd, entry->d_name, longer);
	if (!error)
		walk->path[length] = '\0';
	return error;
}

static int visit_buffer(struct walk *walk, int fd, const char *buffer, size_t bytes, size_t length)
{
	for (size_t at = 0; at < bytes;) {
		const struct dirent64 *entry = (const void *)(buffer + at);
		at += entry->d_reclen;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		int error = visit_entry(walk, fd, entry, length);
		if (error)
			return error;
	}
	return 0;
}

static int visit_directory(struct walk *walk, int fd, size_t length)
{
	ssize_t got;
	int error = 0;
	char *buffer = malloc(BUFFER);
	if (!buffer)
		return fail(walk, "walk", ENOMEM);

	walk->dirs++;
	while ((got = getdents64(fd, buffer, BUFFER)) > 0) {
		error = visit_buffer(walk, fd, buffer, (size_t)got, length);
		if (error)
			goto out;
	}
	if (got < 0)
		error = fail(walk, "getdents64", errno);
out:
	free(buffer);
	return error;
}

int walk_tree(struct walk *walk, int root)
{
	walk->dirs = walk->entries = 0;
	walk->what = NULL;
	walk->path[0] = '\0';
	return visit_directory(walk, root, 0);
}
