/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading Python's items: names copied into one arena, directories numbered. */
#ifndef ITEMS_H
#define ITEMS_H

#include "layout.h"

struct source {
	enum items items;
	size_t count;
	char *text;
	size_t used, room;
	/* Offset of each item's name in text; for pairs of the name in its directory. */
	size_t *name;
	/* Index of each item's directory, where names in directories are visited, and of the second
	 * name's; and the index by name. */
	uint32_t *dir, *second_dir;
	PyObject *dir_index;
};

/* Fills a source whose kind of items is set, and the layout's directories; -1 with an exception, to be
 * released all the same. */
int items_read(struct layout *layout, struct source *source, const struct request *request);
void items_release(struct source *source);

#endif
