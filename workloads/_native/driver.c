/* SPDX-License-Identifier: GPL-2.0-only */
/* Python face of the op driver: Driver lays operations out, run() measures a window of them.
 *
 * The window opens when the last thread passes the start barrier and closes when the last one has
 * done its share; inside it there is no Python, no allocation and no system call but the op's own
 * (and one clock reading per op when a histogram is asked for).
 */
#define _GNU_SOURCE
#include "driver.h"

#include "histogram.h"
#include "layout.h"
#include "pyvalues.h"
#include "random.h"
#include "specs.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>
#include <unistd.h>

/* What glibc's readdir asks for at a time. */
#define LIST_BUFFER 32768
#define MAX_THREADS 1024
#define EMPTY_OPS   1000000
#define MAX_RATE    1e8

static PyTypeObject *result_type;

typedef struct {
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
} Driver;

static int find_order(const char *name, bool *random)
{
	*random = !strcmp(name, "random");
	if (*random || !strcmp(name, "sequential"))
		return 0;
	PyErr_Format(PyExc_ValueError, "order: %s: wanted sequential or random", name);
	return -1;
}

/* One more than the largest descriptor that stands for a directory, or 0. */
static size_t directory_fds(const struct layout *layout, enum items items)
{
	size_t bound = 0;

	if (walks_paths(items))
		return (size_t)layout->root_fd + 1;
	for (size_t i = 0; by_directory(items) && i < layout->opened; i++)
		if ((size_t)layout->fds[i] >= bound)
			bound = (size_t)layout->fds[i] + 1;
	return bound;
}

static int make_lanes(Driver *self, int flags, size_t buffer_bytes, uint64_t seed)
{
	struct lanes_plan plan = {
		.visits = self->layout.visits,
		.size = self->layout.size,
		.threads = self->threads,
		.statx_flags = flags,
		.buffer_bytes = buffer_bytes,
		.root = self->layout.root,
		.text = self->text ? PyBytes_AS_STRING(self->text) : NULL,
		.share = self->share,
		/* Which entries of a hundred are chosen follows from the seed. */
		.credit = (unsigned)(mix64(seed) % 100),
		.directory_fds = directory_fds(&self->layout, self->op->items),
	};
	if (plan.size < (size_t)plan.threads) {
		PyErr_Format(PyExc_ValueError,
			     "threads: %d: more than there are things to visit (%zu)", plan.threads,
			     plan.size);
		return -1;
	}
	self->lanes = lanes_make(&plan);
	if (!self->lanes)
		raise_os(errno, strerror(errno), self->layout.root);
	return self->lanes ? 0 : -1;
}

/* What an op is told beyond its items must be what it takes. */
static int check_told(const Driver *self, Py_ssize_t buffer)
{
	if (self->threads < 1 || self->threads > MAX_THREADS || buffer < BLOCK ||
	    buffer > (1 << 24)) {
		PyErr_Format(PyExc_ValueError,
			     "wanted 1 to %d threads and a buffer of 4 KiB to 16 MiB, "
			     "got %d and %zd bytes",
			     MAX_THREADS, self->threads, buffer);
		return -1;
	}
	if (self->op->asks != (self->text != NULL)) {
		PyErr_Format(PyExc_ValueError, "text: %s %s the name of an extended attribute",
			     self->op->name, self->op->asks ? "needs" : "does not take");
		return -1;
	}
	if (self->share <= 100)
		return 0;
	PyErr_Format(PyExc_ValueError, "share: %u: wanted 0 to 100 per cent", self->share);
	return -1;
}

static int Driver_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
	static char *keywords[] = {"op",   "root",     "items",  "threads", "sync", "order", "seed",
				   "once", "expected", "buffer", "share",   "text", NULL};
	Driver *self = (Driver *)object;
	const char *op, *sync = "as-stat", *order = "sequential";
	unsigned long long seed = 0;
	int once = 0, flags;
	Py_ssize_t buffer = LIST_BUFFER;
	PyObject *expected = Py_None, *text = Py_None;
	struct request request = {0};

	if (self->root) {
		PyErr_SetString(PyExc_RuntimeError, "Driver: initialised twice");
		return -1;
	}
	self->threads = 1;
	self->share = 100;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sO&O|$issKpOnIO:Driver", keywords, &op,
					 PyUnicode_FSConverter, &self->root, &request.items,
					 &self->threads, &sync, &order, &seed, &once, &expected,
					 &buffer, &self->share, &text))
		return -1;
	if (text != Py_None && !PyUnicode_FSConverter(text, &self->text))
		return -1;
	self->op = request.op = find_op(op);
	if (!request.op || (flags = statx_flags(sync)) < 0 || find_order(order, &request.random) ||
	    check_told(self, buffer))
		return -1;
	self->once = once != 0;
	request.expected = expected == Py_None ? NULL : expected;
	request.seed = seed;
	request.threads = self->threads;
	self->layout.root = PyBytes_AS_STRING(self->root);
	self->layout.root_fd = open_root(self->root, O_PATH);
	if (self->layout.root_fd < 0 || layout_make(&self->layout, &request))
		return -1;
	return make_lanes(self, flags, (size_t)buffer, seed);
}

static PyObject *Driver_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)args;
	(void)kwargs;
	Driver *self = (Driver *)type->tp_alloc(type, 0);
	if (self)
		self->layout.root_fd = -1;
	return (PyObject *)self;
}

static void release(Driver *self)
{
	lanes_free(self->lanes, self->threads);
	self->lanes = NULL;
	layout_release(&self->layout);
	if (self->layout.root_fd >= 0)
		close(self->layout.root_fd);
	self->layout.root_fd = -1;
}

static void Driver_dealloc(PyObject *object)
{
	Driver *self = (Driver *)object;
	release(self);
	Py_XDECREF(self->root);
	Py_XDECREF(self->text);
	Py_TYPE(object)->tp_free(object);
}

static int check_open(const Driver *self)
{
	if (!self->lanes || self->busy) {
		PyErr_SetString(PyExc_RuntimeError,
				self->busy ? "driver is running" : "driver is closed");
		return -1;
	}
	return 0;
}

static PyObject *Driver_close(PyObject *object, PyObject *unused)
{
	Driver *self = (Driver *)object;
	(void)unused;
	if (self->busy && check_open(self))
		return NULL;
	release(self);
	Py_RETURN_NONE;
}

static PyObject *Driver_enter(PyObject *object, PyObject *unused)
{
	(void)unused;
	return check_open((Driver *)object) ? NULL : Py_NewRef(object);
}

/* Path of what failed: root, directory, name and entry, as far as there are such. */
static PyObject *failed_path(const Driver *self, const struct failure *failure)
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

static void raise_failure(const Driver *self, const struct failure *failure)
{
	PyObject *path = failed_path(self, failure);
	if (path)
		raise_os(failure->error, failure->what, PyBytes_AS_STRING(path));
	Py_XDECREF(path);
}

/* Runs a window without the GIL; -1 with an exception. */
static int open_window(Driver *self, struct window *window, uint64_t served, uint64_t ops)
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

static int check_ops(const Driver *self, unsigned long long ops)
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

static PyObject *Driver_run(PyObject *object, PyObject *args, PyObject *kwargs)
{
	static char *keywords[] = {"ops", "histogram", "rate", NULL};
	Driver *self = (Driver *)object;
	unsigned long long ops;
	int histogram = 0;
	double rate = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "K|$pd:run", keywords, &ops, &histogram,
					 &rate) ||
	    check_open(self) || check_ops(self, ops))
		return NULL;
	if (!(rate >= 0 && rate <= MAX_RATE))
		return PyErr_Format(PyExc_ValueError,
				    "rate: wanted 0 to %.0e operations per second", MAX_RATE);
	struct window window = {.lanes = self->lanes,
				.threads = self->threads,
				.loops = self->op->loops,
				.histogram = histogram || rate > 0,
				.rate = rate};
	uint64_t served = self->served;
	self->served += ops;
	return open_window(self, &window, served, ops) ? NULL : make_result(&window);
}

static PyObject *Driver_empty_loop_ns(PyObject *object, PyObject *args, PyObject *kwargs)
{
	static char *keywords[] = {"ops", "histogram", NULL};
	Driver *self = (Driver *)object;
	unsigned long long ops = EMPTY_OPS;
	int histogram = 0;
	PyObject *result = NULL;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|K$p:empty_loop_ns", keywords, &ops,
					 &histogram) ||
	    check_open(self))
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

/* The path of a visit below the root. */
static PyObject *visit_path(const Driver *self, const struct visit *visit)
{
	if (!self->layout.dirs)
		return PyUnicode_DecodeFSDefault(visit->name);
	PyObject *path = PyBytes_FromFormat(
		"%s/%s",
		PyBytes_AS_STRING(PyList_GET_ITEM(self->layout.dirs, (Py_ssize_t)visit->aux)),
		visit->name);
	PyObject *text = path ? PyUnicode_DecodeFSDefault(PyBytes_AS_STRING(path)) : NULL;
	Py_XDECREF(path);
	return text;
}

static PyObject *Driver_visits(PyObject *object, PyObject *unused)
{
	Driver *self = (Driver *)object;
	(void)unused;
	if (check_open(self))
		return NULL;
	PyObject *list = PyList_New((Py_ssize_t)self->layout.size);
	for (size_t i = 0; list && i < self->layout.size; i++) {
		PyObject *path = visit_path(self, &self->layout.visits[i]);
		if (path && self->op->items == ITEMS_BLOCKS)
			path = Py_BuildValue("(NI)", path, self->layout.visits[i].aux);
		if (!path)
			Py_CLEAR(list);
		else
			PyList_SET_ITEM(list, (Py_ssize_t)i, path);
	}
	return list;
}

static PyObject *Driver_cursors(PyObject *object, PyObject *unused)
{
	Driver *self = (Driver *)object;
	(void)unused;
	if (check_open(self))
		return NULL;
	PyObject *list = PyList_New(self->threads);
	for (int i = 0; list && i < self->threads; i++) {
		PyObject *at = PyLong_FromSsize_t(self->lanes[i].at - self->layout.visits);
		if (!at)
			Py_CLEAR(list);
		else
			PyList_SET_ITEM(list, i, at);
	}
	return list;
}

static PyObject *Driver_passes(PyObject *object, PyObject *unused)
{
	Driver *self = (Driver *)object;
	(void)unused;
	if (check_open(self))
		return NULL;
	PyObject *list = PyList_New(self->threads);
	for (int i = 0; list && i < self->threads; i++) {
		PyObject *count = PyLong_FromUnsignedLongLong(self->lanes[i].passes);
		if (!count)
			Py_CLEAR(list);
		else
			PyList_SET_ITEM(list, i, count);
	}
	return list;
}

static PyObject *get_op(PyObject *object, void *unused)
{
	(void)unused;
	return PyUnicode_FromString(((Driver *)object)->op->name);
}

static PyObject *get_size(PyObject *object, void *unused)
{
	(void)unused;
	return PyLong_FromSize_t(((Driver *)object)->layout.size);
}

static PyObject *get_left(PyObject *object, void *unused)
{
	Driver *self = (Driver *)object;
	(void)unused;
	if (!self->once)
		Py_RETURN_NONE;
	return PyLong_FromSize_t(self->lanes ? self->layout.size - self->served : 0);
}

static PyGetSetDef Driver_getset[] = {
	{"op", get_op, NULL, "Name of the operation.", NULL},
	{"size", get_size, NULL, "Visits in one full cycle.", NULL},
	{"left", get_left, NULL, "Visits left with once=True, otherwise None.", NULL},
	{0},
};

static PyMemberDef Driver_members[] = {
	{"threads", T_INT, offsetof(Driver, threads), READONLY, "Number of threads."},
	{"once", T_BOOL, offsetof(Driver, once), READONLY, "Whether nothing is visited twice."},
	{0},
};

static PyMethodDef Driver_methods[] = {
	{"run", METHOD(Driver_run), METH_VARARGS | METH_KEYWORDS,
	 "run(ops, *, histogram=False, rate=0) -> Result: one window, from where the last one ended."},
	{"empty_loop_ns", METHOD(Driver_empty_loop_ns), METH_VARARGS | METH_KEYWORDS,
	 "empty_loop_ns(ops=1000000, *, histogram=False) -> float: ns per op of the loop alone."},
	{"visits", Driver_visits, METH_NOARGS,
	 "Paths below the root in visiting order; (path, block) for pread."},
	{"passes", Driver_passes, METH_NOARGS, "How often each thread has come to its end."},
	{"cursors", Driver_cursors, METH_NOARGS, "Index of each thread's next visit."},
	{"close", Driver_close, METH_NOARGS, "Close every descriptor and free the layout."},
	{"__enter__", Driver_enter, METH_NOARGS, NULL},
	{"__exit__", Driver_close, METH_VARARGS, NULL},
	{0},
};

static PyTypeObject Driver_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "workloads._native.opdriver.Driver",
	.tp_basicsize = sizeof(Driver),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_doc = "Operations on a target, laid out; see opdriver.pyi.",
	.tp_new = Driver_new,
	.tp_init = Driver_init,
	.tp_dealloc = Driver_dealloc,
	.tp_methods = Driver_methods,
	.tp_members = Driver_members,
	.tp_getset = Driver_getset,
};

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

int driver_add_to(PyObject *module)
{
	result_type = PyStructSequence_NewType(&result_desc);
	if (!result_type || PyType_Ready(&Driver_type) ||
	    PyModule_AddObjectRef(module, "Driver", (PyObject *)&Driver_type))
		return -1;
	return PyModule_AddObjectRef(module, "Result", (PyObject *)result_type);
}
