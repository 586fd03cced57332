/* SPDX-License-Identifier: GPL-2.0-only */
/* Python's side of arguments and results; see pyvalues.h. */
#define _GNU_SOURCE
#include "pyvalues.h"

#include "histogram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int statx_flags(const char *sync)
{
	static const struct {
		const char *name;
		int flag;
	} flags[] = {
		{"as-stat", AT_STATX_SYNC_AS_STAT},
		{"force", AT_STATX_FORCE_SYNC},
		{"dont", AT_STATX_DONT_SYNC},
	};
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (!strcmp(sync, flags[i].name))
			return flags[i].flag | AT_SYMLINK_NOFOLLOW;
	PyErr_Format(PyExc_ValueError, "sync: %s: wanted as-stat, force or dont", sync);
	return -1;
}

int open_root(PyObject *root, int flags)
{
	int fd, error;
	char text[160];

	Py_BEGIN_ALLOW_THREADS fd = open(PyBytes_AS_STRING(root), flags | O_DIRECTORY | O_CLOEXEC);
	error = errno;
	Py_END_ALLOW_THREADS if (fd < 0)
	{
		snprintf(text, sizeof text, "open: %s", strerror(error));
		raise_os(error, text, PyBytes_AS_STRING(root));
	}
	return fd;
}

PyObject *counts_dict(const uint64_t *counts)
{
	PyObject *dict = PyDict_New();
	for (unsigned bucket = 0; dict && bucket < HISTOGRAM_BUCKETS; bucket++) {
		if (!counts[bucket])
			continue;
		PyObject *upper = PyLong_FromUnsignedLongLong(histogram_upper(bucket));
		PyObject *count = PyLong_FromUnsignedLongLong(counts[bucket]);
		if (!upper || !count || PyDict_SetItem(dict, upper, count))
			Py_CLEAR(dict);
		Py_XDECREF(upper);
		Py_XDECREF(count);
	}
	return dict;
}

PyObject *make_record(PyTypeObject *type, int count, PyObject **items)
{
	PyObject *record = PyStructSequence_New(type);
	for (int i = 0; i < count; i++) {
		if (!record || !items[i]) {
			Py_XDECREF(items[i]);
			Py_CLEAR(record);
			continue;
		}
		PyStructSequence_SetItem(record, i, items[i]);
	}
	return record;
}
