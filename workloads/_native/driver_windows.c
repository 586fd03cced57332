/* SPDX-License-Identifier: GPL-2.0-only */
/* Windows of a driver: opened without the GIL, their failures as exceptions, their results.
 *
 * The window opens when the last thread passes the start barrier and closes when the last one has
 * done its share; inside it there is no Python, no allocation and no system call but the op's own
 * (and one clock reading per op when a histogram is asked for).
 */
#define _GNU_SOURCE
#include "driver_object.h"

#include "histogram.h"
#include "pyvalues.h"
#include "specs.h"

#include <stdlib.h>

#define EMPTY_OPS 1000000
#define MAX_RATE  100000000

static PyTypeObject *result_type;

int driver_check_open(const struct driver *self)
{
	if (!self->lanes || self->busy) {
		PyErr_SetString(PyExc_RuntimeError,
				self->busy ? "driver is running" : "driver is closed");
		return -1;
	}
	return 0;
}

/* Path of what failed: root, directory, name and entry, as far as there are such. */
static PyObject *failed_path(const struct driver *self, const struct failure *failure)
{
	const struct visit *visit = failure->visit;
	PyObject *path = PyBytes_FromFormat("%s/", PyBytes_AS_STRING(self->root));
	if (self->layout.dirs)
		PyBytes_ConcatAndDel(
			&path, PyBytes_FromFormat(
				       "%s/", PyBytes_AS_STRING(PyList_GET_ITEM(
						      self->layout.dirs, (Py_ssize_t)visit->aux))));
	PyBytes_ConcatAndDel(&path, PyBytes_FromString(visit->name));
	if (failure->entry[0])
		PyBytes_ConcatAndDel(&path, PyBytes_FromFormat("/%s", failure->entry));
	return path;
}

static void raise_failure(const struct driver *self, const struct failure *failure)
{
	PyObject *path = failed_path(self, failure);
	if (path)
		raise_os(failure->error, failure->what, PyBytes_AS_STRING(path));
	Py_XDECREF(path);
}

/* Runs a window without the GIL; -1 with an exception. */
static int open_window(struct driver *self, struct window *window, uint64_t served, uint64_t ops)
{
	struct released released;

	if (window_prepare(window, served, ops)) {
		PyErr_NoMemory();
		return -1;
	}
	self->busy = true;
	released.state = PyEval_SaveThread();
	int error = window_run(window, released_check, &released);
	PyEval_RestoreThread(released.state);
	self->busy = false;
	if (PyErr_Occurred())
		return -1;
	if (error) {
		raise_os(error, "threads could not be made", PyBytes_AS_STRING(self->root));
		return -1;
	}
	int failed = atomic_load(&window->failed);
	if (failed >= 0)
		raise_failure(self, &window->lanes[failed].failure);
	return failed >= 0 ? -1 : 0;
}

/* The threads' counts, added up. */
static PyObject *merged_histogram(const struct window *window)
{
	uint64_t *sum = calloc(HISTOGRAM_BUCKETS, sizeof *sum);
	if (!sum)
		return PyErr_NoMemory();
	for (int i = 0; i < window->threads; i++)
		for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
			sum[bucket] += window->lanes[i].histogram[bucket];
	PyObject *dict = counts_dict(sum);
	free(sum);
	return dict;
}

static PyObject *make_result(const struct window *window)
{
	PyObject *items[] = {
		PyLong_FromUnsignedLongLong(window->ops),
		PyLong_FromUnsignedLongLong(window->ns),
		window->histogram ? merged_histogram(window) : Py_NewRef(Py_None),
		PyLong_FromUnsignedLongLong(window->entries),
		PyLong_FromUnsignedLongLong(window->stats),
	};
	return make_record(result_type, 5, items);
}

static int check_ops(const struct driver *self, unsigned long long ops)
{
	if (!ops || ops > INT64_MAX) {
		PyErr_SetString(PyExc_ValueError, "ops: wanted at least 1");
		return -1;
	}
	if (self->once && ops > self->layout.size - self->served) {
		PyErr_Format(PyExc_ValueError,
			     "ops: wanted %llu, but only %llu of %zu are left to visit", ops,
			     (unsigned long long)(self->layout.size - self->served),
			     self->layout.size);
		return -1;
	}
	return 0;
}

PyObject *driver_run(PyObject *object, PyObject *args, PyObject *kwargs)
{
	static char *keywords[] = {"ops", "histogram", "rate", NULL};
	struct driver *self = (struct driver *)object;
	unsigned long long ops;
	int histogram = 0;
	double rate = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "K|$pd:run", keywords, &ops, &histogram,
					 &rate) ||
	    driver_check_open(self) || check_ops(self, ops))
		return NULL;
	if (!(rate >= 0 && rate <= MAX_RATE))
		return PyErr_Format(PyExc_ValueError, "rate: wanted 0 to %d operations per second",
				    MAX_RATE);
	struct window window = {.lanes = self->lanes,
				.threads = self->threads,
				.loops = self->op->loops,
				.histogram = histogram || rate > 0,
				.rate = rate};
	uint64_t served = self->served;
	self->served += ops;
	return open_window(self, &window, served, ops) ? NULL : make_result(&window);
}

PyObject *driver_empty_loop_ns(PyObject *object, PyObject *args, PyObject *kwargs)
{
	static char *keywords[] = {"ops", "histogram", NULL};
	struct driver *self = (struct driver *)object;
	unsigned long long ops = EMPTY_OPS;
	int histogram = 0;
	PyObject *result = NULL;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|K$p:empty_loop_ns", keywords, &ops,
					 &histogram) ||
	    driver_check_open(self))
		return NULL;
	struct window window = {.lanes = self->lanes,
				.threads = self->threads,
				.loops = &loops_empty,
				.histogram = histogram != 0};
	/* Only where each lane is, and how often it has come round, must stay as it was. */
	struct {
		const struct visit *at;
		uint64_t passes;
	} *cursors = calloc((size_t)self->threads, sizeof *cursors);
	if (!cursors)
		return PyErr_NoMemory();
	for (int i = 0; i < self->threads; i++) {
		cursors[i].at = self->lanes[i].at;
		cursors[i].passes = self->lanes[i].passes;
	}
	if (!open_window(self, &window, 0, ops ? ops : 1))
		result = PyFloat_FromDouble((double)window.ns * self->threads / (double)window.ops);
	for (int i = 0; i < self->threads; i++) {
		self->lanes[i].at = cursors[i].at;
		self->lanes[i].passes = cursors[i].passes;
	}
	free(cursors);
	return result;
}

static PyStructSequence_Field result_fields[] = {
	{"ops", "operations done"},
	{"ns", "from barrier release to last finish"},
	{"histogram", "upper bound of a bucket in ns to its count, or None"},
	{"entries", "directory entries counted, by ops that list"},
	{"stats", "entries of listings that were stat'ed"},
	{0},
};

static PyStructSequence_Desc result_desc = {"workloads._native.opdriver.Result",
					    "What one window did.", result_fields, 3};

PyTypeObject *driver_result_type(void)
{
	result_type = PyStructSequence_NewType(&result_desc);
	return result_type;
}
