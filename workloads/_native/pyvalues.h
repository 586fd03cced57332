/* SPDX-License-Identifier: GPL-2.0-only */
/* What drivers and walks share of Python: arguments read, directories opened, results made. */
#ifndef PYVALUES_H
#define PYVALUES_H

#include "pyglue.h"

#include <stdint.h>

#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

/* AT_ flags of a synchronisation named as-stat, force or dont; -1 with an exception. */
int statx_flags(const char *sync);

/* A directory's descriptor, or -1 with an exception naming it. */
int open_root(PyObject *root, int flags);

/* Counts of all buckets that are not empty, by upper bound. */
PyObject *counts_dict(const uint64_t *counts);

/* A struct sequence of the given type; steals the items, NULL if any of them is. */
PyObject *make_record(PyTypeObject *type, int count, PyObject **items);

#endif
