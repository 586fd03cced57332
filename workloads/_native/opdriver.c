/* SPDX-License-Identifier: GPL-2.0-only */
/* Python face of the op driver: Driver lays operations out, run() measures a window of them.
 *
 * The window opens when the last thread passes the start barrier and closes when the last one has
 * done its share; inside it there is no Python, no allocation and no system call but the op's own
 * (and one clock reading per op when a histogram is asked for).
 */
#define _GNU_SOURCE
#include "layout.h"

#include "clock.h"
#include "histogram.h"
#include "mark.h"
#include "walk.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>
#include <unistd.h>

/* What glibc's readdir asks for at a time. */
#define LIST_BUFFER 32768
#define MAX_THREADS 1024
#define EMPTY_OPS   1000000

#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

static const struct op_spec op_specs[] = {
	{"statx-path", &loops_statx, ITEMS_PATHS, 0, false},
	{"statx-at", &loops_statx, ITEMS_PAIRS, O_PATH | O_DIRECTORY, false},
	{"fstat", &loops_fstat, ITEMS_OPENED, O_RDONLY, false},
	{"scan", &loops_scan, ITEMS_PATHS, 0, true},
	{"rescan", &loops_rescan, ITEMS_OPENED, O_RDONLY | O_DIRECTORY, true},
	{"scan-stat", &loops_scan_stat, ITEMS_PATHS, 0, true},
	{"scan-stat-some", &loops_scan_stat_some, ITEMS_CHOSEN, 0, true},
	{"missing", &loops_missing, ITEMS_PATHS, 0, false},
	{"missing-at", &loops_missing, ITEMS_PAIRS, O_PATH | O_DIRECTORY, false},
	{"open-close", &loops_open_close, ITEMS_PATHS, 0, false},
	{"pread", &loops_pread, ITEMS_BLOCKS, O_RDONLY, false},
};
#define OP_COUNT (sizeof op_specs / sizeof *op_specs)

static PyTypeObject *result_type, *walk_type;

typedef struct {
	PyObject_HEAD
	const struct op_spec *op;
	PyObject *root;
	struct layout layout;
	struct lane *lanes;
	int threads;
	bool once;
	bool busy;
	/* Ops handed out so far: op number k of all goes to thread k mod threads. */
	uint64_t served;
} Driver;

static int statx_flags(const char *sync)
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

static const struct op_spec *find_op(const char *name)
{
	for (size_t i = 0; i < OP_COUNT; i++)
		if (!strcmp(op_specs[i].name, name))
			return &op_specs[i];
	PyErr_Format(PyExc_ValueError, "op: %s: unknown, see opdriver.OPS", name);
	return NULL;
}

static int find_order(const char *name, bool *random)
{
	*random = !strcmp(name, "random");
	if (*random || !strcmp(name, "sequential"))
		return 0;
	PyErr_Format(PyExc_ValueError, "order: %s: wanted sequential or random", name);
	return -1;
}

/* A directory's descriptor, or -1 with an exception naming it. */
static int open_root(PyObject *root, int flags)
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

static int make_lanes(Driver *self, int flags, size_t buffer_bytes)
{
	struct lanes_plan plan = {
		.visits = self->layout.visits,
		.size = self->layout.size,
		.threads = self->threads,
		.statx_flags = flags,
		.buffer_bytes = buffer_bytes,
		.root_fd = walks_paths(self->op->items) ? self->layout.root_fd : -1,
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

static int Driver_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
	static char *keywords[] = {"op",   "root", "items",    "threads", "sync", "order",
				   "seed", "once", "expected", "buffer",  NULL};
	Driver *self = (Driver *)object;
	const char *op, *sync = "as-stat", *order = "sequential";
	unsigned long long seed = 0;
	int threads = 1, once = 0, flags;
	Py_ssize_t buffer = LIST_BUFFER;
	PyObject *expected = Py_None;
	struct request request = {0};

	if (self->root) {
		PyErr_SetString(PyExc_RuntimeError, "Driver: initialised twice");
		return -1;
	}
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sO&O|$issKpOn:Driver", keywords, &op,
					 PyUnicode_FSConverter, &self->root, &request.items,
					 &threads, &sync, &order, &seed, &once, &expected, &buffer))
		return -1;
	self->op = request.op = find_op(op);
	if (!request.op || (flags = statx_flags(sync)) < 0 || find_order(order, &request.random))
		return -1;
	if (threads < 1 || threads > MAX_THREADS || buffer < BLOCK || buffer > (1 << 24)) {
		PyErr_Format(PyExc_ValueError,
			     "wanted 1 to %d threads and a buffer of 4 KiB to 16 MiB, "
			     "got %d and %zd bytes",
			     MAX_THREADS, threads, buffer);
		return -1;
	}
	self->threads = threads;
	self->once = once != 0;
	request.expected = expected == Py_None ? NULL : expected;
	request.seed = seed;
	self->layout.root = PyBytes_AS_STRING(self->root);
	self->layout.root_fd = open_root(self->root, O_PATH);
	if (self->layout.root_fd < 0 || layout_make(&self->layout, &request))
		return -1;
	return make_lanes(self, flags, (size_t)buffer);
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

static PyObject *counts_dict(const uint64_t *counts)
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

/* A struct sequence of the given type; steals the items, NULL if any of them is. */
static PyObject *make_record(PyTypeObject *type, int count, PyObject **items)
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

static PyObject *make_result(const struct window *window)
{
	PyObject *items[] = {
		PyLong_FromUnsignedLongLong(window->ops),
		PyLong_FromUnsignedLongLong(window->ns),
		window->histogram ? merged_histogram(window) : Py_NewRef(Py_None),
		PyLong_FromUnsignedLongLong(window->entries),
	};
	return make_record(result_type, 4, items);
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
	static char *keywords[] = {"ops", "histogram", NULL};
	Driver *self = (Driver *)object;
	unsigned long long ops;
	int histogram = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "K|$p:run", keywords, &ops, &histogram) ||
	    check_open(self) || check_ops(self, ops))
		return NULL;
	struct window window = {.lanes = self->lanes,
				.threads = self->threads,
				.loops = self->op->loops,
				.histogram = histogram != 0};
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
	const struct visit **cursors = calloc((size_t)self->threads, sizeof *cursors);
	if (!cursors)
		return PyErr_NoMemory();
	for (int i = 0; i < self->threads; i++)
		cursors[i] = self->lanes[i].at;
	if (!open_window(self, &window, 0, ops ? ops : 1))
		result = PyFloat_FromDouble((double)window.ns * self->threads / (double)window.ops);
	for (int i = 0; i < self->threads; i++)
		self->lanes[i].at = cursors[i];
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
	 "run(ops, *, histogram=False) -> Result: one window, from where the last one ended."},
	{"empty_loop_ns", METHOD(Driver_empty_loop_ns), METH_VARARGS | METH_KEYWORDS,
	 "empty_loop_ns(ops=1000000, *, histogram=False) -> float: ns per op of the loop alone."},
	{"visits", Driver_visits, METH_NOARGS,
	 "Paths below the root in visiting order; (path, block) for pread."},
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

static PyMethodDef functions[] = {
	{"walk", METHOD(opdriver_walk), METH_VARARGS | METH_KEYWORDS,
	 "walk(root, *, stat=False, sync='as-stat') -> Walk: the whole tree below root, once."},
	{"histogram_of", opdriver_histogram_of, METH_O,
	 "histogram_of(values_ns) -> dict: the buckets a run would count these latencies in."},
	{0},
};

static PyStructSequence_Field result_fields[] = {
	{"ops", "operations done"},
	{"ns", "from barrier release to last finish"},
	{"histogram", "upper bound of a bucket in ns to its count, or None"},
	{"entries", "directory entries counted, by ops that list"},
	{0},
};

static PyStructSequence_Field walk_fields[] = {
	{"dirs", "directories listed, the root included"},
	{"entries", "entries seen, the root not included"},
	{"ns", "wall clock"},
	{0},
};

static PyStructSequence_Desc result_desc = {"workloads._native.opdriver.Result",
					    "What one window did.", result_fields, 3};
static PyStructSequence_Desc walk_desc = {"workloads._native.opdriver.Walk", "What one walk did.",
					  walk_fields, 3};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "workloads._native.opdriver",
	.m_doc = "Timed windows of file operations in C, the GIL released.",
	.m_size = -1,
	.m_methods = functions,
};

static PyObject *op_names(void)
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

PyMODINIT_FUNC PyInit_opdriver(void)
{
	PyObject *module = PyModule_Create(&definition), *names = op_names();
	result_type = PyStructSequence_NewType(&result_desc);
	walk_type = PyStructSequence_NewType(&walk_desc);
	if (!module || !names || !result_type || !walk_type || PyType_Ready(&Driver_type) ||
	    PyModule_AddObjectRef(module, "Driver", (PyObject *)&Driver_type) ||
	    PyModule_AddObjectRef(module, "Result", (PyObject *)result_type) ||
	    PyModule_AddObjectRef(module, "Walk", (PyObject *)walk_type) ||
	    PyModule_AddObjectRef(module, "OPS", names))
		Py_CLEAR(module);
	Py_XDECREF(names);
	return module;
}
