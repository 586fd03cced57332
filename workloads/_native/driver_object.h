/* SPDX-License-Identifier: GPL-2.0-only */
/* A driver as an object of Python: what its type (driver.c) and its windows (driver_windows.c) share. */
#ifndef DRIVER_OBJECT_H
#define DRIVER_OBJECT_H

#include "pyglue.h"

#include "layout.h"
#include "window.h"

#include <stdbool.h>
#include <stdint.h>

struct driver {
	PyObject_HEAD
	const struct op_spec *op;
	PyObject *root;
	struct layout layout;
	struct lane *lanes;
	/* Name of the extended attribute asked for, as bytes, or NULL. */
	PyObject *text;
	int threads;
	unsigned share;
	bool once;
	bool busy;
	/* Ops handed out so far: op number k of all goes to thread k mod threads. */
	uint64_t served;
};

/* -1 with an exception if it is closed, or a window of it is open. */
int driver_check_open(const struct driver *self);

/* The methods that open a window. */
PyObject *driver_run(PyObject *object, PyObject *args, PyObject *kwargs);
PyObject *driver_empty_loop_ns(PyObject *object, PyObject *args, PyObject *kwargs);

/* The type Result, or NULL with an exception; to be called once. */
PyTypeObject *driver_result_type(void);

#endif
