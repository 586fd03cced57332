/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of operations: what each is given and what runs it. */
#ifndef SPECS_H
#define SPECS_H

#include "layout.h"

/* NULL with an exception for a name that is not in the table. */
const struct op_spec *find_op(const char *name);

/* All names, as a tuple. */
PyObject *op_names(void);

#endif
