/* SPDX-License-Identifier: GPL-2.0-only */
/* Inner loops of listings: whole directories by getdents64, entries stat'ed on the way or after. */
#define _GNU_SOURCE
#include "drive.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Kinds of extended attributes that ls asks for. */
#define LABEL 1u
#define ACL   2u

static inline bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Which entries of a directory are stat'ed: none; each, or a share of them, or each with the two
 * extended attributes ls asks for, as its buffer is read; or the chosen ones when all are listed. */
enum stats { STAT_NONE, STAT_EACH, STAT_SHARE, STAT_LS, STAT_CHOSEN };

/* Whether it is this entry's turn: share of every hundred are, evenly spread. */
INLINE bool is_due(struct lane *lane)
{
	lane->credit += lane->share;
	if (lane->credit < 100)
		return false;
	lane->credit -= 100;
	return true;
}

/* What must be the answer about an attribute that is not there. Where there are none at all, it is
 * not asked for again, as ls remembers that of a device. */
INLINE int check_missing(struct lane *lane, const struct visit *visit, const char *entry,
			 ssize_t got, unsigned kind)
{
	if (got >= 0 || errno == ENODATA)
		return 0;
	if (errno != EOPNOTSUPP)
		return fail_entry(lane, visit, entry, "getxattr");
	lane->without |= kind;
	return 0;
}

/* What ls -l asks of an entry beside its attributes, by its path: coreutils 9.1, src/ls.c,
 * gobble_file. */
INLINE int ask_as_ls(struct lane *lane, const struct visit *visit, const char *entry, size_t prefix)
{
	size_t bytes = strlen(entry) + 1;
	if (prefix + bytes > sizeof lane->path) {
		errno = ENAMETOOLONG;
		return fail_entry(lane, visit, entry, "getxattr");
	}
	memcpy(lane->path + prefix, entry, bytes);
	if (!(lane->without & LABEL) &&
	    check_missing(lane, visit, entry,
			  lgetxattr(lane->path, "security.selinux", lane->value, VALUE_BYTES),
			  LABEL))
		return -1;
	if (lane->without & ACL)
		return 0;
	return check_missing(lane, visit, entry,
			     getxattr(lane->path, "system.posix_acl_access", NULL, 0), ACL);
}

/* Counts the entries in one filled buffer, statting those asked for; -1 after a failure. */
INLINE int take_buffer(struct lane *lane, const struct visit *visit, int fd, size_t bytes,
		       enum stats stats, size_t prefix)
{
	uint64_t entries = 0, statted = 0;
	for (size_t at = 0; at < bytes;) {
		const struct dirent64 *entry = (const void *)(lane->buffer + at);
		at += entry->d_reclen;
		if (is_dot(entry->d_name))
			continue;
		entries++;
		if (stats == STAT_NONE || stats == STAT_CHOSEN ||
		    (stats == STAT_SHARE && !is_due(lane)))
			continue;
		statted++;
		if (statx(fd, entry->d_name, lane->statx_flags, STATX_BASIC_STATS, &lane->st))
			return fail_entry(lane, visit, entry->d_name, "statx");
		if (stats == STAT_LS && ask_as_ls(lane, visit, entry->d_name, prefix))
			return -1;
	}
	lane->entries += entries;
	lane->stats += statted;
	return 0;
}

/* Writes the path of a visited directory, ended by a slash; its length. */
INLINE size_t path_of(struct lane *lane, const struct visit *visit)
{
	lane->without = 0;
	int length = snprintf(lane->path, sizeof lane->path, "%s/%s/", lane->root, visit->name);
	return (size_t)length;
}

INLINE int list(struct lane *lane, const struct visit *visit, int fd, enum stats stats)
{
	uint64_t before = lane->entries;
	size_t prefix = stats == STAT_LS ? path_of(lane, visit) : 0;
	for (;;) {
		ssize_t got = getdents64(fd, lane->buffer, lane->buffer_bytes);
		if (got < 0)
			return fail(lane, visit, errno, "getdents64");
		if (!got)
			break;
		if (take_buffer(lane, visit, fd, (size_t)got, stats, prefix))
			return -1;
	}
	if (visit->aux != ANY_COUNT && lane->entries - before != visit->aux)
		return fail_count(lane, visit, "getdents64: entries", visit->aux,
				  lane->entries - before);
	return 0;
}

INLINE int stat_chosen(struct lane *lane, const struct visit *visit, int fd)
{
	const char *name = visit->name;
	for (name += strlen(name) + 1; *name; name += strlen(name) + 1) {
		if (statx(fd, name, lane->statx_flags, STATX_BASIC_STATS, &lane->st))
			return fail_entry(lane, visit, name, "statx");
		lane->stats++;
	}
	return 0;
}

INLINE int open_and_list(struct lane *lane, const struct visit *visit, enum stats stats)
{
	int fd = openat(visit->fd, visit->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(lane, visit, errno, "open");
	int result = list(lane, visit, fd, stats);
	if (stats == STAT_CHOSEN && !result)
		result = stat_chosen(lane, visit, fd);
	if (close(fd) && !result)
		return fail(lane, visit, errno, "close");
	return result;
}

INLINE int visit_scan(struct lane *lane, const struct visit *visit)
{
	return open_and_list(lane, visit, STAT_NONE);
}

INLINE int visit_scan_stat(struct lane *lane, const struct visit *visit)
{
	return open_and_list(lane, visit, STAT_EACH);
}

INLINE int visit_scan_stat_share(struct lane *lane, const struct visit *visit)
{
	return open_and_list(lane, visit, STAT_SHARE);
}

INLINE int visit_scan_ls(struct lane *lane, const struct visit *visit)
{
	return open_and_list(lane, visit, STAT_LS);
}

INLINE int visit_scan_stat_some(struct lane *lane, const struct visit *visit)
{
	return open_and_list(lane, visit, STAT_CHOSEN);
}

INLINE int visit_rescan(struct lane *lane, const struct visit *visit)
{
	if (lseek(visit->fd, 0, SEEK_SET) < 0)
		return fail(lane, visit, errno, "lseek");
	return list(lane, visit, visit->fd, STAT_NONE);
}

/* One listing can take a tenth of a second, so whether to stop is asked after each. */
LOOPS(scan, 1);
LOOPS(rescan, 1);
LOOPS(scan_stat, 1);
LOOPS(scan_stat_share, 1);
LOOPS(scan_ls, 1);
LOOPS(scan_stat_some, 1);
