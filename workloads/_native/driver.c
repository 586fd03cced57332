/* SPDX-License-Identifier: GPL-2.0-only */
/* The type Driver: operations laid out, and what can be seen of them; its windows are in
 * driver_windows.c. */
#define _GNU_SOURCE
#include "driver.h"

#include "driver_object.h"
#include "pyvalues.h"
#include "random.h"
#include "specs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>
#include <unistd.h>

/* What glibc's readdir asks for at a time. */
#define LIST_BUFFER 32768
#define MAX_THREADS 1024

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

static int make_lanes(struct driver *self, int flags, size_t buffer_bytes, uint64_t seed)
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
static int check_told(const struct driver *self, Py_ssize_t buffer)
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

/* The seed that blocks are made of, where it is known. */
static int read_contents(PyObject *contents, struct request *request)
{
	if (contents == Py_None)
		return 0;
	request->known_contents = true;
	request->contents = PyLong_AsUnsignedLongLong(contents);
	return PyErr_Occurred() ? -1 : 0;
}

static int Driver_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
	static char *keywords[] = {"op",    "root", "items",    "threads",  "sync",
				   "order", "seed", "once",     "expected", "buffer",
				   "share", "text", "contents", NULL};
	struct driver *self = (struct driver *)object;
	const char *op, *sync = "as-stat", *order = "sequential";
	unsigned long long seed = 0;
	int once = 0, flags;
	Py_ssize_t buffer = LIST_BUFFER;
	PyObject *expected = Py_None, *text = Py_None, *contents = Py_None;
	struct request request = {0};

	if (self->root) {
		PyErr_SetString(PyExc_RuntimeError, "Driver: initialised twice");
		return -1;
	}
	self->threads = 1;
	self->share = 100;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sO&O|$issKpOnIOO:Driver", keywords, &op,
					 PyUnicode_FSConverter, &self->root, &request.items,
					 &self->threads, &sync, &order, &seed, &once, &expected,
					 &buffer, &self->share, &text, &contents))
		return -1;
	if (read_contents(contents, &request))
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
	struct driver *self = (struct driver *)type->tp_alloc(type, 0);
	if (self)
		self->layout.root_fd = -1;
	return (PyObject *)self;
}

static void release(struct driver *self)
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
	struct driver *self = (struct driver *)object;
	release(self);
	Py_XDECREF(self->root);
	Py_XDECREF(self->text);
	Py_TYPE(object)->tp_free(object);
}

static PyObject *Driver_close(PyObject *object, PyObject *unused)
{
	struct driver *self = (struct driver *)object;
	(void)unused;
	if (self->busy && driver_check_open(self))
		return NULL;
	release(self);
	Py_RETURN_NONE;
}

static PyObject *Driver_enter(PyObject *object, PyObject *unused)
{
	(void)unused;
	return driver_check_open((struct driver *)object) ? NULL : Py_NewRef(object);
}

/* The path of a visit below the root. */
static PyObject *visit_path(const struct driver *self, const struct visit *visit)
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
	struct driver *self = (struct driver *)object;
	(void)unused;
	if (driver_check_open(self))
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
	struct driver *self = (struct driver *)object;
	(void)unused;
	if (driver_check_open(self))
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
	struct driver *self = (struct driver *)object;
	(void)unused;
	if (driver_check_open(self))
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
	return PyUnicode_FromString(((struct driver *)object)->op->name);
}

static PyObject *get_size(PyObject *object, void *unused)
{
	(void)unused;
	return PyLong_FromSize_t(((struct driver *)object)->layout.size);
}

static PyObject *get_left(PyObject *object, void *unused)
{
	struct driver *self = (struct driver *)object;
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
	{"threads", T_INT, offsetof(struct driver, threads), READONLY, "Number of threads."},
	{"once", T_BOOL, offsetof(struct driver, once), READONLY,
	 "Whether nothing is visited twice."},
	{0},
};

static PyMethodDef Driver_methods[] = {
	{"run", METHOD(driver_run), METH_VARARGS | METH_KEYWORDS,
	 "run(ops, *, histogram=False, rate=0) -> Result: one window, from where the last one ended."},
	{"empty_loop_ns", METHOD(driver_empty_loop_ns), METH_VARARGS | METH_KEYWORDS,
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
	.tp_basicsize = sizeof(struct driver),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_doc = "Operations on a target, laid out; see opdriver.pyi.",
	.tp_new = Driver_new,
	.tp_init = Driver_init,
	.tp_dealloc = Driver_dealloc,
	.tp_methods = Driver_methods,
	.tp_members = Driver_members,
	.tp_getset = Driver_getset,
};

int driver_add_to(PyObject *module)
{
	PyTypeObject *result = driver_result_type();
	if (!result || PyType_Ready(&Driver_type) ||
	    PyModule_AddObjectRef(module, "Driver", (PyObject *)&Driver_type))
		return -1;
	return PyModule_AddObjectRef(module, "Result", (PyObject *)result);
}
