/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzing of the tree builder's face: its functions called from Python with any objects.
 *
 * An input is a function and a value: numbers of any size, text, bytes, tuples. Only the functions
 * that read are called; building and removing take a name in the file system, not a format.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <stdlib.h>

#include "../../workloads/_native/names.h"

#define COUNT_MAX 32u /* of names asked for: more would only take longer */

PyMODINIT_FUNC PyInit_treebuilder(void);

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t take(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

static PyObject *number(struct input *input)
{
	uint64_t value = 0;
	const unsigned bytes = take(input) % 9;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | take(input);
	return PyLong_FromUnsignedLongLong(value);
}

static PyObject *object(struct input *input, int depth);

static PyObject *tuple(struct input *input, int depth)
{
	const Py_ssize_t length = take(input) % 8;
	PyObject *made = PyTuple_New(length);

	for (Py_ssize_t i = 0; i < length; i++)
		PyTuple_SET_ITEM(made, i, object(input, depth + 1));
	return made;
}

static PyObject *object(struct input *input, int depth)
{
	static const char kinds[] = "dfmx";

	switch (take(input) % 12) {
	case 0:
		return depth < 4 ? tuple(input, depth) : PyTuple_New(0);
	case 1:
		return PyBytes_FromStringAndSize((const char *)input->at,
						 (Py_ssize_t)(input->left < 8 ? input->left : 8));
	case 2:
		return PyUnicode_FromOrdinal(take(input) | take(input) << 8);
	case 3:
		return PyUnicode_FromStringAndSize(&kinds[take(input) % 4], 1);
	case 4:
		return PyLong_FromLongLong(-(long long)take(input));
	case 5:
		return PyNumber_Lshift(PyLong_FromLong(1), PyLong_FromLong(take(input)));
	case 6:
		return PyFloat_FromDouble(take(input) / 3.0);
	case 7:
		return Py_NewRef(Py_None);
	default:
		return number(input);
	}
}

/* Six numbers, mostly small ones: a shape that is mostly taken. */
static PyObject *shape(struct input *input)
{
	PyObject *made = PyTuple_New(6);

	for (Py_ssize_t i = 0; i < 6; i++) {
		const uint8_t first = take(input);

		PyTuple_SET_ITEM(made, i,
				 first > 250 ? object(input, 3) : PyLong_FromLong(first % 32));
	}
	return made;
}

/* (shape, kind, start, count, stride), with few names asked for. */
static PyObject *range(struct input *input)
{
	const char kinds[] = {'d', 'f', 'm', 'x'};
	const char kind = kinds[take(input) % 4];
	PyObject *six = shape(input), *start = number(input), *stride = number(input);

	return Py_BuildValue("(NCNIN)", six, kind, start, take(input) % COUNT_MAX, stride);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const functions[] = {"counts", "paths", "packed", "check"};
	static PyObject *module;
	struct input input = {data, size};
	PyObject *function, *arguments, *result;
	uint8_t which, whole;

	if (!module) {
		Py_InitializeEx(0);
		module = PyInit_treebuilder();
	}
	which = take(&input) % 4;
	whole = take(&input);
	function = PyObject_GetAttrString(module, functions[which]);
	if (which == 0)
		arguments = PyTuple_Pack(1, whole % 4 ? shape(&input) : object(&input, 0));
	else if (which == 3)
		arguments = Py_BuildValue("(iNNNN)", -1, shape(&input), number(&input),
					  number(&input), number(&input));
	else if (whole % 8)
		arguments = range(&input);
	else
		arguments = tuple(&input, 0);
	result = PyObject_Call(function, arguments, NULL);
	if (!result)
		PyErr_Clear();
	Py_XDECREF(result);
	Py_DECREF(arguments);
	Py_DECREF(function);
	return 0;
}
