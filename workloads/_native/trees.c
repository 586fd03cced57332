/* SPDX-License-Identifier: GPL-2.0-only */
/* Building and checking trees; see trees.h.
 *
 * The directories of the first levels are made by the caller, until there are enough subtrees to
 * keep all threads busy; threads then take subtree after subtree. What is kept per thread does not
 * depend on the number of files, and one descriptor is open per level.
 */
#define _GNU_SOURCE
#include "trees.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUBTREES_PER_THREAD 8
#define CONTENT_BYTES       65536
#define REPORT_EVERY        256

struct builders {
	struct tree_job *job;
	uint64_t level, first, subtrees;
	_Atomic uint64_t next;
	atomic_flag failed;
};

struct builder {
	struct builders *all;
	struct thread_group *group;
	const struct shape *shape;
	uint64_t unreported;
	unsigned char *content;
	char name[MAX_NAME + 1];
};

/* The first builder that fails speaks for all. */
static int fail_builder(struct builder *builder, const char *what, enum kind kind, uint64_t index)
{
	char path[MAX_PATH];
	int error = errno;
	if (!atomic_flag_test_and_set(&builder->all->failed)) {
		shape_path(builder->shape, kind, index, path);
		errno = error;
		tree_fail(builder->all->job, what, path);
	}
	atomic_store(&builder->group->stop, true);
	return -1;
}

static int write_content(int fd, uint64_t seed, uint64_t stream, uint64_t size, void *buffer)
{
	for (uint64_t at = 0; at < size;) {
		size_t bytes = size - at < CONTENT_BYTES ? (size_t)(size - at) : CONTENT_BYTES;
		shape_content(seed, stream, at, buffer, bytes);
		for (size_t done = 0; done < bytes;) {
			ssize_t wrote = write(fd, (char *)buffer + done, bytes - done);
			if (wrote < 0)
				return -1;
			done += (size_t)wrote;
		}
		at += bytes;
	}
	return 0;
}

/* A file with content; -1 with errno. */
static int make_full(int dir, const char *name, uint64_t seed, uint64_t stream, uint64_t size,
		     void *buffer)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	int result = write_content(fd, seed, stream, size, buffer);
	int error = errno;
	if (close(fd) && !result)
		return -1;
	errno = error;
	return result;
}

static void report(struct builder *builder)
{
	atomic_fetch_add_explicit(&builder->all->job->made, builder->unreported,
				  memory_order_relaxed);
	builder->unreported = 0;
}

static int fill_leaf(struct builder *builder, int fd, uint64_t leaf)
{
	const struct shape *shape = builder->shape;
	uint64_t first = (leaf - shape->first_leaf) * shape->files_per_dir;

	for (uint64_t i = first; i < first + shape->files_per_dir; i++) {
		shape_name(shape, KIND_FILE, i, builder->name);
		int error = shape->file_size ? make_full(fd, builder->name, shape->seed, i,
							 shape->file_size, builder->content)
					     : mknodat(fd, builder->name, S_IFREG | 0644, 0);
		if (error)
			return fail_builder(builder, "make a file", KIND_FILE, i);
		if (++builder->unreported == REPORT_EVERY || shape->file_size) {
			report(builder);
			if (thread_group_stopped(builder->group))
				return -1;
		}
	}
	return 0;
}

static int fill_dir(struct builder *builder, int fd, uint64_t dir);

static int make_child(struct builder *builder, int fd, uint64_t child)
{
	shape_name(builder->shape, KIND_DIR, child, builder->name);
	if (mkdirat(fd, builder->name, 0755))
		return fail_builder(builder, "make a directory", KIND_DIR, child);
	int child_fd = openat(fd, builder->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (child_fd < 0)
		return fail_builder(builder, "open", KIND_DIR, child);
	int result = fill_dir(builder, child_fd, child);
	close(child_fd);
	return result;
}

static int fill_dir(struct builder *builder, int fd, uint64_t dir)
{
	if (dir >= builder->shape->first_leaf)
		return fill_leaf(builder, fd, dir);
	uint64_t first = dir * builder->shape->branching + 1;
	for (uint64_t child = first; child < first + builder->shape->branching; child++)
		if (thread_group_stopped(builder->group) || make_child(builder, fd, child))
			return -1;
	return 0;
}

/* Fills a directory that the caller has made. */
static int fill_subtree(struct builder *builder, uint64_t dir)
{
	char path[MAX_PATH];
	shape_path(builder->shape, KIND_DIR, dir, path);
	int fd = openat(builder->all->job->base, path,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_builder(builder, "open", KIND_DIR, dir);
	int result = fill_dir(builder, fd, dir);
	close(fd);
	return result;
}

static int make_data(struct tree_job *job, uint64_t index, void *buffer)
{
	char path[64];
	snprintf(path, sizeof path, DATA_DIR "/%02llu", (unsigned long long)index);
	/* The streams of data files lie above those of any file of the tree. */
	if (make_full(job->base, path, job->shape->seed, DATA_STREAM + index, job->data_bytes,
		      buffer))
		return tree_fail(job, "make a file", path);
	return 0;
}

static int take_data(struct builder *builder, uint64_t index)
{
	struct tree_job quiet = {.shape = builder->shape,
				 .base = builder->all->job->base,
				 .data_bytes = builder->all->job->data_bytes};
	if (!make_data(&quiet, index, builder->content))
		return 0;
	if (!atomic_flag_test_and_set(&builder->all->failed))
		builder->all->job->failure = quiet.failure;
	atomic_store(&builder->group->stop, true);
	return -1;
}

static void work(struct thread_group *group, int index, void *shared)
{
	struct builders *all = shared;
	struct builder builder = {.all = all, .group = group, .shape = all->job->shape};
	uint64_t tasks = all->job->data_files + all->subtrees, task;

	(void)index;
	builder.content = malloc(CONTENT_BYTES);
	if (!builder.content) {
		fail_builder(&builder, "buffer", KIND_DIR, 0);
		return;
	}
	while (!thread_group_stopped(group) && (task = atomic_fetch_add(&all->next, 1)) < tasks) {
		int failed =
			task < all->job->data_files
				? take_data(&builder, task)
				: fill_subtree(&builder, all->first + task - all->job->data_files);
		if (failed)
			break;
	}
	report(&builder);
	free(builder.content);
}

/* Makes the directories down to the level whose directories are the threads' subtrees. */
static int make_upper_levels(struct builders *all)
{
	struct tree_job *job = all->job;
	char path[MAX_PATH];

	if (mkdirat(job->base, TREE_DIR, 0755))
		return tree_fail(job, "make a directory", TREE_DIR);
	if (job->data_files && mkdirat(job->base, DATA_DIR, 0755))
		return tree_fail(job, "make a directory", DATA_DIR);
	all->first = shape_level(job->shape, 0, &all->subtrees);
	while (all->level < job->shape->depth &&
	       all->subtrees < (uint64_t)job->threads * SUBTREES_PER_THREAD) {
		all->first = shape_level(job->shape, ++all->level, &all->subtrees);
		for (uint64_t dir = all->first; dir < all->first + all->subtrees; dir++) {
			shape_path(job->shape, KIND_DIR, dir, path);
			if (mkdirat(job->base, path, 0755))
				return tree_fail(job, "make a directory", path);
		}
	}
	return 0;
}

int trees_build(struct tree_job *job)
{
	struct builders all = {.job = job, .failed = ATOMIC_FLAG_INIT};
	struct thread_group group = {.threads = job->threads,
				     .body = work,
				     .shared = &all,
				     .poll = job->poll,
				     .poll_argument = job->poll_argument};

	if (make_upper_levels(&all))
		return -1;
	errno = thread_group_run(&group);
	if (errno)
		return tree_fail(job, "threads", TREE_DIR);
	if (job->failure.what)
		return -1;
	if (thread_group_stopped(&group)) {
		errno = EINTR;
		return tree_fail(job, "build", TREE_DIR);
	}
	return 0;
}

static int check_one(struct tree_job *job, enum kind kind, uint64_t index, int64_t built_ns)
{
	char path[MAX_PATH];
	struct statx st;
	uint64_t size = job->shape->file_size;

	shape_path(job->shape, kind, index, path);
	errno = 0;
	if (statx(job->base, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st))
		return tree_fail(job, "missing", path);
	if (kind == KIND_DIR ? !S_ISDIR(st.stx_mode) : !S_ISREG(st.stx_mode))
		return tree_fail(job, "of another type", path);
	if (kind == KIND_FILE && st.stx_size != size)
		return tree_fail(job, "of another size", path);
	if (st.stx_mtime.tv_sec * 1000000000 + st.stx_mtime.tv_nsec > built_ns)
		return tree_fail(job, "modified since it was built", path);
	return 0;
}

static int check_kind(struct tree_job *job, enum kind kind, uint64_t samples, int64_t built_ns)
{
	uint64_t count = shape_count(job->shape, kind);
	if (samples > count)
		samples = count;
	for (uint64_t i = 0; i < samples; i++)
		/* In double: the product of two counts may not fit, and any spread will do. */
		if (check_one(job, kind, (uint64_t)((double)i / (double)samples * (double)count),
			      built_ns))
			return -1;
	return 0;
}

int trees_check(struct tree_job *job, const struct tree_sample *sample)
{
	if (check_kind(job, KIND_DIR, sample->dirs, sample->built_ns))
		return -1;
	return check_kind(job, KIND_FILE, sample->files, sample->built_ns);
}
