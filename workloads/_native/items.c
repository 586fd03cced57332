/* SPDX-License-Identifier: GPL-2.0-only */
/* Items become text: paths, names in directories, pairs of them; see items.h. */
#define _GNU_SOURCE
#include "items.h"

#include <stdlib.h>
#include <string.h>

static int append(struct source *source, const char *text, size_t length)
{
	if (source->used + length + 1 > source->room) {
		size_t room = 2 * (source->used + length + 1);
		char *grown = realloc(source->text, room);
		if (!grown) {
			PyErr_NoMemory();
			return -1;
		}
		source->text = grown;
		source->room = room;
	}
	memcpy(source->text + source->used, text, length);
	source->text[source->used + length] = '\0';
	source->used += length + 1;
	return 0;
}

static int add_text(struct source *source, size_t item, const char *text, size_t length)
{
	source->name[item] = source->used;
	return length ? append(source, text, length) : append(source, ".", 1);
}

/* The index of a directory, new or known; steals nothing. */
static int intern_dir(struct source *source, PyObject *dirs, uint32_t *dir, PyObject *name)
{
	PyObject *known = PyDict_GetItemWithError(source->dir_index, name);
	if (known) {
		*dir = (uint32_t)PyLong_AsUnsignedLong(known);
		return 0;
	}
	if (PyErr_Occurred())
		return -1;
	*dir = (uint32_t)PyList_GET_SIZE(dirs);
	PyObject *index = PyLong_FromUnsignedLong(*dir);
	int result = index ? PyDict_SetItem(source->dir_index, name, index) : -1;
	Py_XDECREF(index);
	return result ? -1 : PyList_Append(dirs, name);
}

/* Cuts a path at its last slash: the directory is interned; where the name begins. -1 on failure. */
static Py_ssize_t cut_path(struct source *source, PyObject *dirs, uint32_t *dir, const char *path,
			   size_t length)
{
	const char *slash = memrchr(path, '/', length);
	size_t before = slash ? (size_t)(slash - path) : 0;
	PyObject *name = before ? PyBytes_FromStringAndSize(path, (Py_ssize_t)before)
				: PyBytes_FromString(".");
	int result = name ? intern_dir(source, dirs, dir, name) : -1;
	Py_XDECREF(name);
	return result ? -1 : (Py_ssize_t)(slash ? before + 1 : 0);
}

/* One path as text; for pairs it is cut at its last slash. */
static int add_path(struct source *source, PyObject *dirs, size_t item, const char *path,
		    size_t length)
{
	if (!dirs && add_text(source, item, path, length))
		return -1;
	if (!dirs)
		return source->items == ITEMS_CHOSEN ? append(source, "", 0) : 0;
	Py_ssize_t skip = cut_path(source, dirs, &source->dir[item], path, length);
	return skip < 0 ? -1 : add_text(source, item, path + skip, length - (size_t)skip);
}

static int add_pair(struct source *source, PyObject *dirs, size_t item, PyObject *pair)
{
	PyObject *dir = NULL, *name = NULL;
	int result = -1;

	if (!PyUnicode_FSConverter(PyTuple_GET_ITEM(pair, 0), &dir) ||
	    !PyUnicode_FSConverter(PyTuple_GET_ITEM(pair, 1), &name))
		goto out;
	result = intern_dir(source, dirs, &source->dir[item], dir);
	if (!result)
		result = add_text(source, item, PyBytes_AS_STRING(name),
				  (size_t)PyBytes_GET_SIZE(name));
out:
	Py_XDECREF(dir);
	Py_XDECREF(name);
	return result;
}

static int add_name(struct source *source, PyObject *name)
{
	PyObject *bytes = NULL;
	if (!PyUnicode_FSConverter(name, &bytes))
		return -1;
	int result = -1;
	if (PyBytes_GET_SIZE(bytes))
		result = append(source, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
	else
		PyErr_SetString(PyExc_ValueError, "items: an empty name was chosen");
	Py_DECREF(bytes);
	return result;
}

/* A directory, and behind it the names chosen in it. */
static int add_chosen(struct source *source, size_t i, PyObject *pair)
{
	PyObject *path = NULL;
	PyObject *names =
		PySequence_Fast(PyTuple_GET_ITEM(pair, 1), "items: wanted a list of names");
	int result = -1;

	if (!names || !PyUnicode_FSConverter(PyTuple_GET_ITEM(pair, 0), &path))
		goto out;
	result = add_text(source, i, PyBytes_AS_STRING(path), (size_t)PyBytes_GET_SIZE(path));
	for (Py_ssize_t at = 0; !result && at < PySequence_Fast_GET_SIZE(names); at++)
		result = add_name(source, PySequence_Fast_GET_ITEM(names, at));
	if (!result)
		result = append(source, "", 0);
out:
	Py_XDECREF(names);
	Py_XDECREF(path);
	return result;
}

/* A path, and behind its name the second: a name in a directory, or what a link points to. */
static int add_two(struct source *source, PyObject *dirs, size_t i, PyObject *pair)
{
	PyObject *first = NULL, *second = NULL;
	Py_ssize_t skip = 0;
	int result = -1;

	if (!PyUnicode_FSConverter(PyTuple_GET_ITEM(pair, 0), &first) ||
	    !PyUnicode_FSConverter(PyTuple_GET_ITEM(pair, 1), &second) ||
	    add_path(source, dirs, i, PyBytes_AS_STRING(first), (size_t)PyBytes_GET_SIZE(first)))
		goto out;
	if (source->items == ITEMS_TWO)
		skip = cut_path(source, dirs, &source->second_dir[i], PyBytes_AS_STRING(second),
				(size_t)PyBytes_GET_SIZE(second));
	if (skip >= 0)
		result = append(source, PyBytes_AS_STRING(second) + skip,
				(size_t)(PyBytes_GET_SIZE(second) - skip));
out:
	Py_XDECREF(first);
	Py_XDECREF(second);
	return result;
}

static int add_item(struct source *source, PyObject *dirs, size_t i, PyObject *item)
{
	PyObject *path = NULL;
	bool pair = PyTuple_Check(item) && PyTuple_GET_SIZE(item) == 2;

	if (source->items == ITEMS_TWO || source->items == ITEMS_LINK) {
		if (pair)
			return add_two(source, dirs, i, item);
		PyErr_SetString(PyExc_TypeError, "items: wanted pairs");
		return -1;
	}
	if (dirs && pair)
		return add_pair(source, dirs, i, item);
	if (source->items == ITEMS_CHOSEN && pair)
		return add_chosen(source, i, item);
	if (!PyUnicode_FSConverter(item, &path))
		return -1;
	int result =
		add_path(source, dirs, i, PyBytes_AS_STRING(path), (size_t)PyBytes_GET_SIZE(path));
	Py_DECREF(path);
	return result;
}

/* Names packed into bytes, each ended by NUL, as the tree builder makes them in bulk. */
static int read_packed(struct source *source, PyObject *dirs, PyObject *packed)
{
	const char *at = PyBytes_AS_STRING(packed);
	for (size_t i = 0; i < source->count; i++) {
		size_t length = strlen(at);
		if (add_path(source, dirs, i, at, length))
			return -1;
		at += length + 1;
	}
	return 0;
}

static int read_sequence(struct source *source, PyObject *dirs, PyObject *items)
{
	for (size_t i = 0; i < source->count; i++) {
		PyObject *item = PySequence_GetItem(items, (Py_ssize_t)i);
		int result = item ? add_item(source, dirs, i, item) : -1;
		Py_XDECREF(item);
		if (result)
			return -1;
	}
	return 0;
}

static size_t count_packed(PyObject *packed)
{
	const char *at = PyBytes_AS_STRING(packed), *end = at + PyBytes_GET_SIZE(packed);
	size_t count = 0;
	while (at < end && (at = memchr(at, '\0', (size_t)(end - at)))) {
		count++;
		at++;
	}
	return count;
}

static int count_items(struct source *source, PyObject *items)
{
	bool two = source->items == ITEMS_TWO || source->items == ITEMS_LINK;
	if (two && PyBytes_Check(items)) {
		PyErr_SetString(PyExc_TypeError, "items: wanted pairs, got packed names");
		return -1;
	}
	if (PyBytes_Check(items)) {
		source->count = count_packed(items);
	} else if (PyUnicode_Check(items)) {
		PyErr_SetString(PyExc_TypeError,
				"items: wanted a sequence of paths, got one string");
		return -1;
	} else {
		Py_ssize_t size = PySequence_Size(items);
		if (size < 0)
			return -1;
		source->count = (size_t)size;
	}
	if (source->count && source->count < UINT32_MAX)
		return 0;
	PyErr_Format(PyExc_ValueError, "items: wanted 1 to 2^32 - 2, got %zu", source->count);
	return -1;
}

int items_read(struct layout *layout, struct source *source, const struct request *request)
{
	if (count_items(source, request->items))
		return -1;
	source->name = calloc(source->count, sizeof *source->name);
	if (by_directory(request->op->items)) {
		source->dir = calloc(source->count, sizeof *source->dir);
		source->second_dir = calloc(source->count, sizeof *source->second_dir);
		source->dir_index = PyDict_New();
		layout->dirs = PyList_New(0);
		if (!source->dir || !source->second_dir || !source->dir_index || !layout->dirs)
			goto no_memory;
	}
	if (!source->name)
		goto no_memory;
	return PyBytes_Check(request->items) ? read_packed(source, layout->dirs, request->items)
					     : read_sequence(source, layout->dirs, request->items);
no_memory:
	PyErr_NoMemory();
	return -1;
}

void items_release(struct source *source)
{
	free(source->text);
	free(source->name);
	free(source->dir);
	free(source->second_dir);
	Py_XDECREF(source->dir_index);
}
