/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be wrong about the two directories of a command line; see server_options.h. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "server_log.h"
#include "server_options.h"

static int check_directory(const char *what, const char *path, bool wanted_empty)
{
	struct dirent *entry;
	bool empty = true;
	DIR *stream = opendir(path);

	if (!stream) {
		server_log("%s: %s: %s", what, path, strerror(errno));
		return EXIT_USAGE;
	}
	while (empty && (entry = readdir(stream)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(stream);
	if (wanted_empty && !empty) {
		server_log("%s: %s: not empty, wanted an empty directory", what, path);
		return EXIT_USAGE;
	}
	return -1;
}

/* Whether one real path is the other or lies below it. */
static bool is_inside(const char *inner, const char *outer)
{
	size_t length = strlen(outer);

	if (strncmp(inner, outer, length) != 0)
		return false;
	return inner[length] == '\0' || inner[length] == '/' ||
	       (length > 0 && outer[length - 1] == '/');
}

static int check_apart(void)
{
	char backing[PATH_MAX], mountpoint[PATH_MAX];

	if (!realpath(options.backing, backing) || !realpath(options.mountpoint, mountpoint)) {
		server_log("%s, %s: %s", options.backing, options.mountpoint, strerror(errno));
		return EXIT_USAGE;
	}
	if (is_inside(mountpoint, backing)) {
		server_log("mount point: %s: lies inside the backing %s", options.mountpoint,
			   options.backing);
		return EXIT_USAGE;
	}
	return -1;
}

int options_check(void)
{
	struct statfs filesystem;
	int status = check_directory("backing", options.backing, false);

	if (status < 0)
		status = check_directory("mount point", options.mountpoint, true);
	if (status >= 0)
		return status;
	if (statfs(options.backing, &filesystem) == 0 && filesystem.f_type == FUSE_SUPER_MAGIC) {
		server_log("backing: %s: is itself on FUSE, wanted a real file system",
			   options.backing);
		return EXIT_USAGE;
	}
	status = check_apart();
	if (status >= 0)
		return status;
	if (access("/dev/fuse", R_OK | W_OK) != 0) {
		server_log("/dev/fuse: missing or not permitted: modprobe fuse, or run as root");
		return EXIT_NO_FUSE;
	}
	return -1;
}
