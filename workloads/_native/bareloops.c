/* SPDX-License-Identifier: GPL-2.0-only */
/* The most naive honest C loops, to hold the op driver and the tree builder against.
 *
 * Only what is under comparison: a loop, the system call, a count of failures. No cursor, no
 * cycle, no threads, no stop flag. Used by results/self/, by nothing else.
 */
#define _GNU_SOURCE
#include "pyglue.h"

#include "clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LEVEL_NAMES 4096
#define NAME_ROOM       256

/* Names laid out once, long before a loop reads them, as they are for the op driver: names that
 * were touched just before the clock starts would be read from the nearest cache. */
struct names {
	size_t count;
	char *text;
	const char *name[];
};

static void free_names(PyObject *capsule)
{
	struct names *names = PyCapsule_GetPointer(capsule, "names");
	free(names->text);
	free(names);
}

static PyObject *bare_names(PyObject *module, PyObject *packed)
{
	size_t count = 0, size;
	(void)module;
	if (!PyBytes_Check(packed))
		return PyErr_Format(PyExc_TypeError, "names: wanted bytes");
	size = (size_t)PyBytes_GET_SIZE(packed);
	for (size_t at = 0; at < size; at++)
		count += !PyBytes_AS_STRING(packed)[at];
	struct names *names = malloc(sizeof *names + count * sizeof *names->name);
	char *text = malloc(size + 1), *at = text;
	if (!names || !text) {
		free(names);
		free(text);
		return PyErr_NoMemory();
	}
	memcpy(text, PyBytes_AS_STRING(packed), size + 1);
	names->text = text;
	names->count = count;
	for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
		names->name[i] = at;
	return PyCapsule_New(names, "names", free_names);
}

static uint64_t loop_statx(int fd, const char **names, size_t count)
{
	struct statx st;
	uint64_t failed = 0;
	for (size_t i = 0; i < count; i++)
		if (statx(fd, names[i], AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st))
			failed++;
	return failed;
}

static uint64_t loop_scan(int fd, const char **names, size_t count)
{
	static char buffer[32768] __attribute__((aligned(4096)));
	uint64_t failed = 0;
	for (size_t i = 0; i < count; i++) {
		ssize_t got;
		int dir = openat(fd, names[i], O_RDONLY | O_DIRECTORY);
		while ((got = getdents64(dir, buffer, sizeof buffer)) > 0)
			;
		if (dir < 0 || got < 0)
			failed++;
		close(dir);
	}
	return failed;
}

static uint64_t loop_mknod(int fd, const char **names, size_t count)
{
	uint64_t failed = 0;
	for (size_t i = 0; i < count; i++)
		if (mknodat(fd, names[i], S_IFREG | 0644, 0))
			failed++;
	return failed;
}

static uint64_t loop_unlink(int fd, const char **names, size_t count)
{
	uint64_t failed = 0;
	for (size_t i = 0; i < count; i++)
		if (unlinkat(fd, names[i], 0))
			failed++;
	return failed;
}

static uint64_t loop_chmod(int fd, const char **names, size_t count)
{
	uint64_t failed = 0;
	for (size_t i = 0; i < count; i++)
		if (fchmodat(fd, names[i], 0600, 0))
			failed++;
	return failed;
}

static uint64_t loop_utimes(int fd, const char **names, size_t count)
{
	const struct timespec both[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	uint64_t failed = 0;
	for (size_t i = 0; i < count; i++)
		if (utimensat(fd, names[i], both, AT_SYMLINK_NOFOLLOW))
			failed++;
	return failed;
}

typedef uint64_t bare_loop(int fd, const char **names, size_t count);

/* (root, names, first, count) -> nanoseconds of the whole loop */
static PyObject *time_loop(PyObject *args, bare_loop *loop)
{
	const char *root;
	PyObject *capsule;
	Py_ssize_t first, count;
	uint64_t failed = 1, start = 0, end = 0;

	if (!PyArg_ParseTuple(args, "sOnn", &root, &capsule, &first, &count))
		return NULL;
	struct names *names = PyCapsule_GetPointer(capsule, "names");
	if (!names)
		return NULL;
	if (first < 0 || count < 0 || (size_t)first + (size_t)count > names->count)
		return PyErr_Format(PyExc_IndexError, "names: there are %zu", names->count);
	int fd = open(root, O_PATH | O_DIRECTORY);
	if (fd >= 0) {
		Py_BEGIN_ALLOW_THREADS start = now_ns();
		failed = loop(fd, names->name + first, (size_t)count);
		end = now_ns();
		Py_END_ALLOW_THREADS close(fd);
	}
	if (failed)
		return PyErr_Format(PyExc_OSError, "%s: %llu operations failed", root,
				    (unsigned long long)failed);
	return PyLong_FromUnsignedLongLong(end - start);
}

static PyObject *bare_statx(PyObject *module, PyObject *args)
{
	(void)module;
	return time_loop(args, loop_statx);
}

static PyObject *bare_scan(PyObject *module, PyObject *args)
{
	(void)module;
	return time_loop(args, loop_scan);
}

static PyObject *bare_mknod(PyObject *module, PyObject *args)
{
	(void)module;
	return time_loop(args, loop_mknod);
}

static PyObject *bare_unlink(PyObject *module, PyObject *args)
{
	(void)module;
	return time_loop(args, loop_unlink);
}

static PyObject *bare_chmod(PyObject *module, PyObject *args)
{
	(void)module;
	return time_loop(args, loop_chmod);
}

static PyObject *bare_utimes(PyObject *module, PyObject *args)
{
	(void)module;
	return time_loop(args, loop_utimes);
}

/* Names made before the clock starts; the same ones are used in every directory. */
static char names_of_dirs[MAX_LEVEL_NAMES][NAME_ROOM], names_of_files[MAX_LEVEL_NAMES][NAME_ROOM];

static uint64_t create(int fd, long depth, long branching, long files)
{
	uint64_t failed = 0;
	for (long i = 0; !depth && i < files; i++)
		if (mknodat(fd, names_of_files[i], S_IFREG | 0644, 0))
			failed++;
	for (long i = 0; depth && i < branching; i++) {
		if (mkdirat(fd, names_of_dirs[i], 0755))
			failed++;
		int child = openat(fd, names_of_dirs[i], O_RDONLY | O_DIRECTORY);
		failed += create(child, depth - 1, branching, files);
		close(child);
	}
	return failed;
}

/* (directory, depth, branching, files_per_dir, name_length) -> nanoseconds */
static PyObject *bare_create(PyObject *module, PyObject *args)
{
	const char *root;
	long depth, branching, files;
	int length;
	uint64_t failed = 1, start = 0, end = 0;

	(void)module;
	if (!PyArg_ParseTuple(args, "sllli", &root, &depth, &branching, &files, &length))
		return NULL;
	if (branching > MAX_LEVEL_NAMES || files > MAX_LEVEL_NAMES || length < 6 || length > 255)
		return PyErr_Format(PyExc_ValueError, "wanted at most %d names per directory",
				    MAX_LEVEL_NAMES);
	for (int i = 0; i < MAX_LEVEL_NAMES; i++) {
		snprintf(names_of_dirs[i], NAME_ROOM, "d%0*x", length - 1,
			 (unsigned)i * 2654435761U);
		snprintf(names_of_files[i], NAME_ROOM, "f%0*x", length - 1,
			 (unsigned)i * 2654435761U);
	}
	int fd = open(root, O_RDONLY | O_DIRECTORY);
	if (fd >= 0) {
		Py_BEGIN_ALLOW_THREADS start = now_ns();
		failed = create(fd, depth, branching, files);
		end = now_ns();
		Py_END_ALLOW_THREADS close(fd);
	}
	if (failed)
		return PyErr_Format(PyExc_OSError, "%s: %llu operations failed", root,
				    (unsigned long long)failed);
	return PyLong_FromUnsignedLongLong(end - start);
}

static PyMethodDef functions[] = {
	{"names", bare_names, METH_O, "names(packed) -> names laid out for the loops"},
	{"statx", bare_statx, METH_VARARGS, "statx(root, names, first, count) -> ns"},
	{"scan", bare_scan, METH_VARARGS, "scan(root, names, first, count) -> ns"},
	{"mknod", bare_mknod, METH_VARARGS, "mknod(root, names, first, count) -> ns"},
	{"unlink", bare_unlink, METH_VARARGS, "unlink(root, names, first, count) -> ns"},
	{"chmod", bare_chmod, METH_VARARGS, "chmod(root, names, first, count) -> ns"},
	{"utimes", bare_utimes, METH_VARARGS, "utimes(root, names, first, count) -> ns"},
	{"create", bare_create, METH_VARARGS,
	 "create(directory, depth, branching, files_per_dir, name_length) -> ns"},
	{0},
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "workloads._native.bareloops",
	.m_doc = "Bare C loops, for results/self/ to compare with.",
	.m_size = -1,
	.m_methods = functions,
};

PyMODINIT_FUNC PyInit_bareloops(void)
{
	return PyModule_Create(&definition);
}
