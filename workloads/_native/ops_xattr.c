/* SPDX-License-Identifier: GPL-2.0-only */
/* Inner loops of extended attributes, by descriptor: no path is walked for them. */
#define _GNU_SOURCE
#include "drive.h"

#include <sys/xattr.h>

/* What was found must be as long as expected; without expectation, nothing must be found. */
INLINE int check_size(struct lane *lane, const struct visit *visit, ssize_t got, const char *what)
{
	if (visit->aux == ANY_COUNT) {
		if (got < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
			return 0;
		return fail(lane, visit, got < 0 ? errno : EEXIST, what);
	}
	if (got < 0)
		return fail(lane, visit, errno, what);
	if ((uint64_t)got != visit->aux)
		return fail_count(lane, visit, what, visit->aux, (uint64_t)got);
	return 0;
}

INLINE int visit_getxattr(struct lane *lane, const struct visit *visit)
{
	ssize_t got = fgetxattr(visit->fd, lane->text, lane->value, VALUE_BYTES);
	return check_size(lane, visit, got, "fgetxattr");
}

INLINE int visit_listxattr(struct lane *lane, const struct visit *visit)
{
	ssize_t got = flistxattr(visit->fd, lane->value, VALUE_BYTES);
	return check_size(lane, visit, got, "flistxattr");
}

LOOPS(getxattr, CHUNK);
LOOPS(listxattr, CHUNK);
