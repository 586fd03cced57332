/* SPDX-License-Identifier: GPL-2.0-only */
/* The type Driver: operations laid out, and windows of them. */
#ifndef DRIVER_H
#define DRIVER_H

#include "pyglue.h"

/* Adds Driver and Result to a module; -1 with an exception. */
int driver_add_to(PyObject *module);

#endif
