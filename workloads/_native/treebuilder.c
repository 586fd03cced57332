/* SPDX-License-Identifier: GPL-2.0-only */
/* Python face of the tree builder: names in bulk, build, check and remove. See treebuilder.pyi. */
#define _GNU_SOURCE
#include "pyglue.h"

#include "trees.h"

#include <errno.h>
#include <string.h>
#include <sys/vfs.h>

#define MAX_THREADS 1024

/* Parses (depth, branching, files_per_dir, name_length, file_size, seed); for "O&". */
static int to_shape(PyObject *object, void *address)
{
	struct shape *shape = address;
	unsigned long long values[6];

	if (!PyTuple_Check(object) ||
	    !PyArg_ParseTuple(object, "KKKKKK;shape: wanted six numbers", &values[0], &values[1],
			      &values[2], &values[3], &values[4], &values[5])) {
		if (!PyErr_Occurred())
			PyErr_SetString(PyExc_TypeError, "shape: wanted a tuple of six numbers");
		return 0;
	}
	*shape = (struct shape){.depth = values[0],
				.branching = values[1],
				.files_per_dir = values[2],
				.name_length = values[3],
				.file_size = values[4],
				.seed = values[5]};
	const char *wrong = shape_init(shape);
	if (wrong)
		PyErr_SetString(PyExc_ValueError, wrong);
	return !wrong;
}

static PyObject *tree_counts(PyObject *module, PyObject *argument)
{
	struct shape shape;
	(void)module;
	if (!to_shape(argument, &shape))
		return NULL;
	return Py_BuildValue("(KKKK)", (unsigned long long)shape.dirs,
			     (unsigned long long)shape.first_leaf, (unsigned long long)shape.leaves,
			     (unsigned long long)shape.files);
}

struct range {
	struct shape shape;
	enum kind kind;
	uint64_t start, count, stride;
};

static int parse_range(PyObject *args, struct range *range)
{
	unsigned long long start, count, stride = 1;
	int kind;

	if (!PyArg_ParseTuple(args, "O&CKK|K", to_shape, &range->shape, &kind, &start, &count,
			      &stride))
		return -1;
	if (kind != KIND_DIR && kind != KIND_FILE && kind != KIND_MISSING) {
		PyErr_SetString(PyExc_ValueError, "kind: wanted d, f or m");
		return -1;
	}
	range->kind = (enum kind)kind;
	range->start = start;
	range->count = count;
	range->stride = stride;
	uint64_t all = shape_count(&range->shape, range->kind);
	if (!stride || (count && (start >= all || (count - 1) > (all - 1 - start) / stride))) {
		PyErr_Format(PyExc_IndexError,
			     "wanted %llu names from %llu by %llu, but there are %llu", count,
			     start, stride, (unsigned long long)all);
		return -1;
	}
	return 0;
}

static PyObject *tree_paths(PyObject *module, PyObject *args)
{
	struct range range;
	char path[MAX_PATH];

	(void)module;
	if (parse_range(args, &range))
		return NULL;
	PyObject *list = PyList_New((Py_ssize_t)range.count);
	for (uint64_t i = 0; list && i < range.count; i++) {
		size_t length =
			shape_path(&range.shape, range.kind, range.start + i * range.stride, path);
		PyObject *text = PyUnicode_New((Py_ssize_t)length, 127);
		if (!text) {
			Py_CLEAR(list);
			break;
		}
		memcpy(PyUnicode_1BYTE_DATA(text), path, length);
		PyList_SET_ITEM(list, (Py_ssize_t)i, text);
	}
	return list;
}

static PyObject *tree_packed(PyObject *module, PyObject *args)
{
	struct range range;
	char path[MAX_PATH];

	(void)module;
	if (parse_range(args, &range))
		return NULL;
	/* Names have one length, and file names one depth: the last index has the longest path. */
	size_t longest = range.count
				 ? shape_path(&range.shape, range.kind,
					      range.start + (range.count - 1) * range.stride, path)
				 : 0;
	PyObject *packed =
		PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(range.count * (longest + 1)));
	if (!packed)
		return NULL;
	char *at = PyBytes_AS_STRING(packed);
	for (uint64_t i = 0; i < range.count; i++) {
		size_t length =
			shape_path(&range.shape, range.kind, range.start + i * range.stride, path);
		memcpy(at, path, length);
		at[length] = '\0';
		at += length + 1;
	}
	_PyBytes_Resize(&packed, at - PyBytes_AS_STRING(packed));
	return packed;
}

/* The caller's progress and the GIL it gave up while the job runs. */
struct watch {
	struct released released;
	struct tree_job *job;
	PyObject *progress;
	uint64_t total;
};

static int report_progress(struct watch *watch)
{
	if (watch->progress == Py_None)
		return 0;
	unsigned long long made = atomic_load(&watch->job->made);
	PyObject *result = PyObject_CallFunction(watch->progress, "KK", made,
						 (unsigned long long)watch->total);
	Py_XDECREF(result);
	return result ? 0 : -1;
}

static int watch_poll(void *argument)
{
	struct watch *watch = argument;
	PyEval_RestoreThread(watch->released.state);
	int stop = PyErr_CheckSignals() || report_progress(watch);
	watch->released.state = PyEval_SaveThread();
	return stop;
}

static void raise_failure(const struct tree_failure *failure)
{
	char text[160];
	snprintf(text, sizeof text, "%s: %s", failure->what, strerror(failure->error));
	raise_os(failure->error, text, failure->path);
}

static int check_build(const struct tree_job *job, Py_ssize_t threads)
{
	if (threads >= 1 && threads <= MAX_THREADS && job->data_files <= 100 &&
	    job->data_bytes <= MAX_COUNT)
		return 0;
	PyErr_Format(PyExc_ValueError, "wanted 1 to %d threads and up to 100 data files",
		     MAX_THREADS);
	return -1;
}

static PyObject *tree_build(PyObject *module, PyObject *args)
{
	struct shape shape;
	struct tree_job *job = calloc(1, sizeof *job);
	struct watch watch = {.job = job, .progress = Py_None};
	unsigned long long data_files, data_bytes;
	Py_ssize_t threads;
	PyObject *result = NULL;

	(void)module;
	if (!job)
		return PyErr_NoMemory();
	if (!PyArg_ParseTuple(args, "iO&nKKO", &job->base, to_shape, &shape, &threads, &data_files,
			      &data_bytes, &watch.progress))
		goto out;
	job->shape = &shape;
	job->data_files = data_files;
	job->data_bytes = data_bytes;
	if (check_build(job, threads))
		goto out;
	job->threads = (int)threads;
	job->poll = watch_poll;
	job->poll_argument = &watch;
	watch.total = shape.files;
	watch.released.state = PyEval_SaveThread();
	int failed = trees_build(job);
	PyEval_RestoreThread(watch.released.state);
	if (!failed && !PyErr_Occurred() && !report_progress(&watch))
		result = Py_NewRef(Py_None);
	else if (!PyErr_Occurred())
		raise_failure(&job->failure);
out:
	free(job);
	return result;
}

static PyObject *tree_remove(PyObject *module, PyObject *args)
{
	const char *name;
	int base, threads = 1;
	struct released released;
	PyObject *result = NULL;

	(void)module;
	if (!PyArg_ParseTuple(args, "is|i", &base, &name, &threads))
		return NULL;
	if (threads < 1 || threads > MAX_THREADS)
		return PyErr_Format(PyExc_ValueError, "wanted 1 to %d threads", MAX_THREADS);
	struct tree_job *job = calloc(1, sizeof *job);
	if (!job)
		return PyErr_NoMemory();
	job->base = base;
	job->threads = threads;
	job->poll = released_check;
	job->poll_argument = &released;
	released.state = PyEval_SaveThread();
	int failed = trees_remove(job, name);
	PyEval_RestoreThread(released.state);
	if (!failed)
		result = Py_NewRef(Py_None);
	else if (!PyErr_Occurred())
		raise_failure(&job->failure);
	free(job);
	return result;
}

static PyObject *describe_mismatch(const struct tree_failure *failure)
{
	if (failure->error)
		return PyUnicode_FromFormat("%s: %s: %s", failure->what, failure->path,
					    strerror(failure->error));
	return PyUnicode_FromFormat("%s: %s", failure->what, failure->path);
}

static PyObject *tree_check(PyObject *module, PyObject *args)
{
	struct shape shape;
	struct tree_sample sample;
	unsigned long long dirs, files;
	long long built_ns;
	int base, failed;

	(void)module;
	if (!PyArg_ParseTuple(args, "iO&KKL", &base, to_shape, &shape, &dirs, &files, &built_ns))
		return NULL;
	struct tree_job *job = calloc(1, sizeof *job);
	if (!job)
		return PyErr_NoMemory();
	job->base = base;
	job->shape = &shape;
	sample = (struct tree_sample){.dirs = dirs, .files = files, .built_ns = built_ns};
	Py_BEGIN_ALLOW_THREADS failed = trees_check(job, &sample);
	Py_END_ALLOW_THREADS PyObject *result =
		failed ? describe_mismatch(&job->failure) : Py_NewRef(Py_None);
	free(job);
	return result;
}

static PyObject *tree_filesystem(PyObject *module, PyObject *argument)
{
	struct statfs st;
	(void)module;
	int fd = (int)PyLong_AsLong(argument);
	if (PyErr_Occurred())
		return NULL;
	if (fstatfs(fd, &st))
		return PyErr_SetFromErrno(PyExc_OSError);
	return PyLong_FromUnsignedLong((unsigned long)st.f_type & 0xffffffffUL);
}

static PyMethodDef functions[] = {
	{"counts", tree_counts, METH_O, "counts(shape) -> (dirs, first_leaf, leaves, files)"},
	{"paths", tree_paths, METH_VARARGS,
	 "paths(shape, kind, start, count, stride=1) -> list[str]"},
	{"packed", tree_packed, METH_VARARGS,
	 "packed(shape, kind, start, count, stride=1) -> bytes"},
	{"build", tree_build, METH_VARARGS,
	 "build(fd, shape, threads, data_files, data_bytes, progress)"},
	{"remove", tree_remove, METH_VARARGS,
	 "remove(fd, name, threads=1): everything below, and it"},
	{"check", tree_check, METH_VARARGS,
	 "check(fd, shape, dirs, files, built_ns) -> str | None: what is not as built"},
	{"filesystem", tree_filesystem, METH_O, "filesystem(fd) -> int: statfs' f_type"},
	{0},
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "workloads._native.treebuilder",
	.m_doc = "Trees whose names follow from their shape, built by several threads in C.",
	.m_size = -1,
	.m_methods = functions,
};

PyMODINIT_FUNC PyInit_treebuilder(void)
{
	return PyModule_Create(&definition);
}
