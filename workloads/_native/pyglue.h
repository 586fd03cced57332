/* SPDX-License-Identifier: GPL-2.0-only */
/* What both Python faces need: an OSError that names its object, and signals while C works. */
#ifndef PYGLUE_H
#define PYGLUE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* OSError(error, text, path), path being undecoded bytes; always NULL. */
static inline PyObject *raise_os(int error, const char *text, const char *path)
{
	PyObject *name = PyUnicode_DecodeFSDefault(path);
	PyObject *arguments = name ? Py_BuildValue("(isN)", error, text, name) : NULL;
	if (arguments) {
		PyErr_SetObject(PyExc_OSError, arguments);
		Py_DECREF(arguments);
	}
	return NULL;
}

/* A thread that gave up the GIL and now and then looks whether it was signalled. */
struct released {
	PyThreadState *state;
};

/* Not 0 when a signal handler raised; the exception is then pending. */
static inline int released_check(void *argument)
{
	struct released *released = argument;
	PyEval_RestoreThread(released->state);
	int raised = PyErr_CheckSignals();
	released->state = PyEval_SaveThread();
	return raised;
}

#endif
