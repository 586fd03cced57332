/* SPDX-License-Identifier: GPL-2.0-only */
/* A walk over a whole tree, as find (names only) or du (every entry statted) does it. */
#ifndef WALK_H
#define WALK_H

#include "thread_group.h"

#include <linux/limits.h>
#include <stdbool.h>
#include <stdint.h>

struct walk {
	bool stat_each;
	int statx_flags;
	/* Once it is to stop, the walk ends with error EINTR. */
	struct thread_group *group;
	uint64_t dirs;
	uint64_t entries;
	const char *what;
	char path[PATH_MAX];
};

/* Walks below root, which is a directory's descriptor (read from, not closed); 0 or an errno,
 * with what failed in walk->what and the path below root in walk->path. */
int walk_tree(struct walk *walk, int root);

#endif
