/* SPDX-License-Identifier: GPL-2.0-only */
/* Python face of mark.h: announce() a window to be profiled, write() it down after it. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "mark.h"

static PyObject *announce(PyObject *module, PyObject *argument)
{
	unsigned long number = PyLong_AsUnsignedLong(argument);

	(void)module;
	if (PyErr_Occurred())
		return NULL;
	if (number > UINT32_MAX)
		return PyErr_Format(PyExc_ValueError, "announce: %lu: does not fit in 32 bits",
				    number);
	MARK(MARK_ANNOUNCE);
	for (int bit = 31; bit >= 0; bit--) {
		if (number >> bit & 1)
			MARK(MARK_BIT_1);
		else
			MARK(MARK_BIT_0);
	}
	Py_RETURN_NONE;
}

static PyObject *begin(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	MARK(MARK_BEGIN);
	Py_RETURN_NONE;
}

static PyObject *end(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	MARK(MARK_END);
	Py_RETURN_NONE;
}

static PyObject *write_down(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	MARK(MARK_WRITE);
	Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
	{"announce", announce, METH_O, "announce(number): the next window is to be profiled."},
	{"begin", begin, METH_NOARGS, "The window begins."},
	{"end", end, METH_NOARGS, "The window ends."},
	{"write", write_down, METH_NOARGS, "The window is to be written down."},
	{0},
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "workloads._native.marks",
	.m_doc = "Marks for who emulates the machine; nothing anywhere else.",
	.m_size = -1,
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit_marks(void)
{
	return PyModule_Create(&definition);
}
