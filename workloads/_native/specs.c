/* SPDX-License-Identifier: GPL-2.0-only */
/* Every operation a driver knows; opdriver.pyi says what each does. */
#define _GNU_SOURCE
#include "specs.h"

#include <fcntl.h>
#include <string.h>

static const struct op_spec op_specs[] = {
	{"statx-path", &loops_statx, ITEMS_PATHS, 0, NOTHING, false},
	{"statx-at", &loops_statx, ITEMS_PAIRS, O_PATH | O_DIRECTORY, NOTHING, false},
	{"fstat", &loops_fstat, ITEMS_OPENED, O_RDONLY, NOTHING, false},
	{"scan", &loops_scan, ITEMS_PATHS, 0, ENTRIES, false},
	{"rescan", &loops_rescan, ITEMS_OPENED, O_RDONLY | O_DIRECTORY, ENTRIES, false},
	{"scan-stat", &loops_scan_stat, ITEMS_PATHS, 0, ENTRIES, false},
	{"scan-stat-share", &loops_scan_stat_share, ITEMS_PATHS, 0, ENTRIES, false},
	{"scan-ls", &loops_scan_ls, ITEMS_PATHS, 0, ENTRIES, false},
	{"scan-stat-some", &loops_scan_stat_some, ITEMS_CHOSEN, 0, ENTRIES, false},
	{"missing", &loops_missing, ITEMS_PATHS, 0, NOTHING, false},
	{"missing-at", &loops_missing, ITEMS_PAIRS, O_PATH | O_DIRECTORY, NOTHING, false},
	{"open-close", &loops_open_close, ITEMS_PATHS, 0, NOTHING, false},
	{"pread", &loops_pread, ITEMS_BLOCKS, O_RDONLY, NOTHING, false},
	{"getxattr", &loops_getxattr, ITEMS_OPENED, O_RDONLY, BYTES, true},
	{"listxattr", &loops_listxattr, ITEMS_OPENED, O_RDONLY, BYTES, false},
	{"create", &loops_create, ITEMS_PAIRS, O_PATH | O_DIRECTORY, NOTHING, false},
	{"create-write", &loops_create_write, ITEMS_PAIRS, O_PATH | O_DIRECTORY, NOTHING, false},
	{"mknod", &loops_mknod, ITEMS_PAIRS, O_PATH | O_DIRECTORY, NOTHING, false},
	{"mkdir", &loops_mkdir, ITEMS_PAIRS, O_PATH | O_DIRECTORY, NOTHING, false},
	{"unlink", &loops_unlink, ITEMS_PAIRS, O_PATH | O_DIRECTORY, NOTHING, false},
	{"rmdir", &loops_rmdir, ITEMS_PAIRS, O_PATH | O_DIRECTORY, NOTHING, false},
	{"rename", &loops_rename, ITEMS_TWO, O_PATH | O_DIRECTORY, NOTHING, false},
	{"link", &loops_link, ITEMS_TWO, O_PATH | O_DIRECTORY, NOTHING, false},
	{"symlink-readlink", &loops_symlink, ITEMS_LINK, O_PATH | O_DIRECTORY, NOTHING, false},
	{"chmod", &loops_chmod, ITEMS_PAIRS, O_PATH | O_DIRECTORY, NOTHING, false},
	{"chown", &loops_chown, ITEMS_PAIRS, O_PATH | O_DIRECTORY, NOTHING, false},
	{"utimes", &loops_utimes, ITEMS_PAIRS, O_PATH | O_DIRECTORY, NOTHING, false},
	{"truncate", &loops_truncate, ITEMS_OPENED, O_WRONLY, NOTHING, false},
};
#define OP_COUNT (sizeof op_specs / sizeof *op_specs)

const struct op_spec *find_op(const char *name)
{
	for (size_t i = 0; i < OP_COUNT; i++)
		if (!strcmp(op_specs[i].name, name))
			return &op_specs[i];
	PyErr_Format(PyExc_ValueError, "op: %s: unknown, see opdriver.OPS", name);
	return NULL;
}

PyObject *op_names(void)
{
	PyObject *names = PyTuple_New(OP_COUNT);
	for (size_t i = 0; names && i < OP_COUNT; i++) {
		PyObject *name = PyUnicode_FromString(op_specs[i].name);
		if (!name)
			Py_CLEAR(names);
		else
			PyTuple_SET_ITEM(names, (Py_ssize_t)i, name);
	}
	return names;
}
