/* SPDX-License-Identifier: GPL-2.0-only */
/* The module: drivers, walks, and the buckets of their histograms. */
#define _GNU_SOURCE
#include "driver.h"
#include "pyvalues.h"
#include "specs.h"

#include "clock.h"
#include "histogram.h"
#include "mark.h"
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static PyTypeObject *walk_type;

static PyObject *raise_walk(const struct walk *walk, PyObject *root, int error)
{
	char text[160];
	PyObject *path = PyBytes_FromFormat("%s/%s", PyBytes_AS_STRING(root), walk->path);
	if (path) {
		snprintf(text, sizeof text, "%s: %s", walk->what, strerror(error));
		raise_os(error, text, PyBytes_AS_STRING(path));
		Py_DECREF(path);
	}
	return NULL;
}

static PyObject *make_walk_result(const struct walk *walk, uint64_t ns)
{
	PyObject *items[] = {PyLong_FromUnsignedLongLong(walk->dirs),
			     PyLong_FromUnsignedLongLong(walk->entries),
			     PyLong_FromUnsignedLongLong(ns)};
	return make_record(walk_type, 3, items);
}

struct walk_job {
	struct walk *walk;
	int root, error;
	uint64_t ns;
};

static void walk_body(struct thread_group *group, int index, void *shared)
{
	struct walk_job *job = shared;
	(void)index;
	job->walk->group = group;
	uint64_t start = now_ns();
	MARK(MARK_BEGIN);
	job->error = walk_tree(job->walk, job->root);
	MARK(MARK_END);
	job->ns = now_ns() - start;
}

/* Walks as a group of one, so that signals are held back as in any window. */
static PyObject *walk_root(PyObject *root, struct walk *walk)
{
	struct released released;
	struct walk_job job = {.walk = walk, .root = open_root(root, O_RDONLY)};
	struct thread_group group = {.threads = 1,
				     .body = walk_body,
				     .shared = &job,
				     .poll = released_check,
				     .poll_argument = &released};

	if (job.root < 0)
		return NULL;
	released.state = PyEval_SaveThread();
	thread_group_run(&group);
	close(job.root);
	PyEval_RestoreThread(released.state);
	if (PyErr_Occurred())
		return NULL;
	return job.error ? raise_walk(walk, root, job.error) : make_walk_result(walk, job.ns);
}

static PyObject *opdriver_walk(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static char *keywords[] = {"root", "stat", "sync", NULL};
	const char *sync = "as-stat";
	int stat_each = 0;
	PyObject *root = NULL, *result = NULL;

	(void)module;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&|$ps:walk", keywords,
					 PyUnicode_FSConverter, &root, &stat_each, &sync))
		return NULL;
	struct walk *walk = calloc(1, sizeof *walk);
	if (!walk) {
		PyErr_NoMemory();
		goto out;
	}
	walk->stat_each = stat_each != 0;
	walk->statx_flags = statx_flags(sync);
	if (walk->statx_flags >= 0)
		result = walk_root(root, walk);
out:
	free(walk);
	Py_DECREF(root);
	return result;
}

static int count_values(PyObject *values, uint64_t *counts)
{
	PyObject *item, *iterator = PyObject_GetIter(values);
	while (iterator && (item = PyIter_Next(iterator))) {
		unsigned long long ns = PyLong_AsUnsignedLongLong(item);
		Py_DECREF(item);
		if (PyErr_Occurred())
			break;
		histogram_add(counts, ns);
	}
	Py_XDECREF(iterator);
	return PyErr_Occurred() ? -1 : 0;
}

static PyObject *opdriver_histogram_of(PyObject *module, PyObject *values)
{
	(void)module;
	uint64_t *counts = calloc(HISTOGRAM_BUCKETS, sizeof *counts);
	if (!counts)
		return PyErr_NoMemory();
	PyObject *dict = count_values(values, counts) ? NULL : counts_dict(counts);
	free(counts);
	return dict;
}

static PyObject *opdriver_spin_until(PyObject *module, PyObject *ns)
{
	unsigned long long end = PyLong_AsUnsignedLongLong(ns);

	(void)module;
	if (PyErr_Occurred())
		return NULL;
	spin_until_ns(end);
	Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
	{"walk", METHOD(opdriver_walk), METH_VARARGS | METH_KEYWORDS,
	 "walk(root, *, stat=False, sync='as-stat') -> Walk: the whole tree below root, once."},
	{"histogram_of", opdriver_histogram_of, METH_O,
	 "histogram_of(values_ns) -> dict: the buckets a run would count these latencies in."},
	{"spin_until", opdriver_spin_until, METH_O,
	 "spin_until(ns): keep the CPU busy until CLOCK_MONOTONIC is there."},
	{0},
};

static PyStructSequence_Field walk_fields[] = {
	{"dirs", "directories listed, the root included"},
	{"entries", "entries seen, the root not included"},
	{"ns", "wall clock"},
	{0},
};

static PyStructSequence_Desc walk_desc = {"workloads._native.opdriver.Walk", "What one walk did.",
					  walk_fields, 3};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "workloads._native.opdriver",
	.m_doc = "Timed windows of file operations in C, the GIL released.",
	.m_size = -1,
	.m_methods = functions,
};

PyMODINIT_FUNC PyInit_opdriver(void)
{
	PyObject *module = PyModule_Create(&definition), *names = op_names();
	walk_type = PyStructSequence_NewType(&walk_desc);
	if (!module || !names || !walk_type || driver_add_to(module) ||
	    PyModule_AddObjectRef(module, "Walk", (PyObject *)walk_type) ||
	    PyModule_AddObjectRef(module, "OPS", names))
		Py_CLEAR(module);
	Py_XDECREF(names);
	return module;
}
