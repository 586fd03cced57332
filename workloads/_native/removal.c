/* SPDX-License-Identifier: GPL-2.0-only */
/* Removing a tree: the subdirectories of its root by several threads, the rest by the caller.
 *
 * Everything goes by directory descriptor, follows no symbolic link and enters no other file
 * system: somebody may have mounted something in there.
 */
#define _GNU_SOURCE
#include "trees.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_BUFFER   32768
#define ASK_EVERY     4096
#define CLEAR_AT_ONCE 4096

int tree_fail(struct tree_job *job, const char *what, const char *path)
{
	job->failure.error = errno;
	job->failure.what = what;
	snprintf(job->failure.path, sizeof job->failure.path, "%s", path);
	return -1;
}

struct removal {
	struct tree_job *job;
	/* NULL in the caller's thread, which polls by itself. */
	struct thread_group *group;
	dev_t device;
	uint64_t removed;
};

static bool removal_stopped(struct removal *removal)
{
	if (++removal->removed % ASK_EVERY)
		return false;
	if (removal->group)
		return thread_group_stopped(removal->group);
	return removal->job->poll && removal->job->poll(removal->job->poll_argument);
}

static int remove_below(struct removal *removal, int parent, const char *name);

static int remove_entry(struct removal *removal, int fd, const struct dirent64 *entry)
{
	struct tree_job *job = removal->job;

	if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
		return 0;
	if (removal_stopped(removal)) {
		errno = EINTR;
		return tree_fail(job, "remove", entry->d_name);
	}
	if (entry->d_type != DT_DIR && !unlinkat(fd, entry->d_name, 0))
		return 0;
	/* A file system that gives no d_type says EISDIR when it is a directory after all. */
	if (entry->d_type != DT_DIR && errno != EISDIR)
		return tree_fail(job, "remove", entry->d_name);
	return remove_below(removal, fd, entry->d_name);
}

static int remove_listed(struct removal *removal, int fd, const char *name)
{
	ssize_t got;
	int result = -1;
	char *buffer = malloc(LIST_BUFFER);
	if (!buffer)
		return tree_fail(removal->job, "remove", name);

	while ((got = getdents64(fd, buffer, LIST_BUFFER)) > 0)
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *entry = (const void *)(buffer + at);
			at += entry->d_reclen;
			if (remove_entry(removal, fd, entry))
				goto out;
		}
	result = got < 0 ? tree_fail(removal->job, "list", name) : 0;
out:
	free(buffer);
	return result;
}

static int remove_open(struct removal *removal, int fd, const char *name)
{
	struct stat st;
	if (fstat(fd, &st))
		return tree_fail(removal->job, "stat", name);
	if (st.st_dev != removal->device) {
		errno = EXDEV;
		return tree_fail(removal->job, "remove (another file system is mounted here)",
				 name);
	}
	return remove_listed(removal, fd, name);
}

static int remove_below(struct removal *removal, int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return tree_fail(removal->job, "open", name);
	int result = remove_open(removal, fd, name);
	close(fd);
	if (!result && unlinkat(parent, name, AT_REMOVEDIR))
		return tree_fail(removal->job, "remove", name);
	return result;
}

/* What the threads of a removal share: the subdirectories of one directory, taken one by one. */
struct clearing {
	struct tree_job *job;
	int fd;
	dev_t device;
	char (*names)[MAX_NAME + 1];
	size_t count;
	_Atomic size_t next;
	atomic_flag failed;
};

static void clear(struct thread_group *group, int index, void *shared)
{
	struct clearing *clearing = shared;
	struct tree_job job = {.base = clearing->fd};
	struct removal removal = {.job = &job, .group = group, .device = clearing->device};
	size_t i;

	(void)index;
	while (!thread_group_stopped(group) &&
	       (i = atomic_fetch_add(&clearing->next, 1)) < clearing->count) {
		if (!remove_below(&removal, clearing->fd, clearing->names[i]))
			continue;
		if (!atomic_flag_test_and_set(&clearing->failed))
			clearing->job->failure = job.failure;
		atomic_store(&group->stop, true);
	}
}

/* Names of up to CLEAR_AT_ONCE subdirectories; what is left over is removed by the caller alone. */
static int list_subdirs(struct clearing *clearing, const char *name)
{
	_Alignas(struct dirent64) char buffer[LIST_BUFFER];
	ssize_t got = 0;

	while (clearing->count < CLEAR_AT_ONCE &&
	       (got = getdents64(clearing->fd, buffer, sizeof buffer)) > 0)
		for (ssize_t at = 0; at < got && clearing->count < CLEAR_AT_ONCE;) {
			const struct dirent64 *entry = (const void *)(buffer + at);
			at += entry->d_reclen;
			if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") &&
			    strcmp(entry->d_name, ".."))
				strcpy(clearing->names[clearing->count++], entry->d_name);
		}
	return got < 0 ? tree_fail(clearing->job, "list", name) : 0;
}

static int clear_subdirs(struct clearing *clearing, const char *name)
{
	struct tree_job *job = clearing->job;
	struct thread_group group = {.threads = job->threads,
				     .body = clear,
				     .shared = clearing,
				     .poll = job->poll,
				     .poll_argument = job->poll_argument};

	clearing->names = malloc(CLEAR_AT_ONCE * sizeof *clearing->names);
	if (!clearing->names)
		return tree_fail(job, "remove", name);
	int result = list_subdirs(clearing, name);
	if (!result && (errno = thread_group_run(&group)))
		result = tree_fail(job, "threads", name);
	free(clearing->names);
	if (!result && thread_group_stopped(&group) && !job->failure.what) {
		errno = EINTR;
		result = tree_fail(job, "remove", name);
	}
	return result || job->failure.what ? -1 : 0;
}

int trees_remove(struct tree_job *job, const char *name)
{
	struct removal removal = {.job = job};
	struct clearing clearing = {.job = job, .failed = ATOMIC_FLAG_INIT};
	struct stat base, st;

	if (fstat(job->base, &base))
		return tree_fail(job, "stat", name);
	removal.device = clearing.device = base.st_dev;
	clearing.fd = openat(job->base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (clearing.fd < 0)
		return errno == ENOENT ? 0 : tree_fail(job, "open", name);
	int result = -1;
	if (fstat(clearing.fd, &st))
		tree_fail(job, "stat", name);
	else if (st.st_dev == base.st_dev)
		result = clear_subdirs(&clearing, name);
	else
		result = 0; /* refused below, with the same words as any other mount */
	close(clearing.fd);
	return result ? -1 : remove_below(&removal, job->base, name);
}
