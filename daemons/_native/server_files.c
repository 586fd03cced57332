/* SPDX-License-Identifier: GPL-2.0-only */
/* Open files; see server_files.h. */

#define _GNU_SOURCE
#include "server_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Both atomic. What one thread has opened another one reads and closes, ordered by the kernel's
 * requests alone; and files_reopen() looks at everything at any time.
 */
struct open_file {
	uint64_t nodeid; /* 0: not open */
	struct listing *listing;
};

static struct open_file *files;
static size_t files_limit;

int files_start(size_t limit)
{
	/* Untouched pages of it cost nothing. */
	files = calloc(limit, sizeof(*files));
	files_limit = limit;
	return files ? 0 : ENOMEM;
}

void files_opened(int fd, uint64_t nodeid, struct listing *listing)
{
	__atomic_store_n(&files[fd].listing, listing, __ATOMIC_RELEASE);
	__atomic_store_n(&files[fd].nodeid, nodeid, __ATOMIC_RELEASE);
}

struct listing *files_listing(int fd)
{
	return __atomic_load_n(&files[fd].listing, __ATOMIC_ACQUIRE);
}

struct listing *files_close(int fd)
{
	struct listing *listing = __atomic_exchange_n(&files[fd].listing, NULL, __ATOMIC_ACQ_REL);

	__atomic_store_n(&files[fd].nodeid, 0, __ATOMIC_RELEASE);
	close(fd);
	return listing;
}

int files_reopen(uint64_t nodeid)
{
	char path[40];

	for (size_t i = 0; i < files_limit; i++) {
		if (__atomic_load_n(&files[i].nodeid, __ATOMIC_ACQUIRE) != nodeid)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%zu", i);
		return open(path, O_PATH | O_CLOEXEC);
	}
	return -1;
}
