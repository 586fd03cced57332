/* SPDX-License-Identifier: GPL-2.0-only */
/* Building, checking and removing a tree on disk, by directory descriptor. No Python here. */
#ifndef TREES_H
#define TREES_H

#include "thread_group.h"
#include "names.h"

#include <stdbool.h>

#define DATA_DIR "data"

struct tree_failure {
	int error;
	const char *what;
	char path[MAX_PATH];
};

struct tree_job {
	const struct shape *shape;
	/* The directory that holds, or will hold, TREE_DIR and DATA_DIR. */
	int base;
	int threads;
	uint64_t data_files, data_bytes;
	/* Asked five times a second; not 0 stops the work, which then reports EINTR. */
	thread_group_poll *poll;
	void *poll_argument;
	/* Files made so far, for progress. */
	_Atomic uint64_t made;
	struct tree_failure failure;
};

/* Records errno and what failed at which path; always -1. */
int tree_fail(struct tree_job *job, const char *what, const char *path);

/* Makes TREE_DIR and DATA_DIR and everything in them; -1 with job->failure. */
int trees_build(struct tree_job *job);

/* Removes everything below base/name, and it; a file system mounted there is not entered.
 * -1 with job->failure; nothing there is no failure. */
int trees_remove(struct tree_job *job, const char *name);

struct tree_sample {
	uint64_t dirs, files;
	/* Nothing looked at may have been modified later than this. */
	int64_t built_ns;
};

/* Looks at a sample of a finished tree; -1 with job->failure (error 0: there, but not as built). */
int trees_check(struct tree_job *job, const struct tree_sample *sample);

#endif
