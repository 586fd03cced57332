/* SPDX-License-Identifier: GPL-2.0-only */
/* Items become visits: names copied into one arena, descriptors opened, the order decided.
 *
 * In random order the visits and the names are moved into visiting order, so that a window reads
 * memory forward whatever the order, and costs the driver the same at 10^4 and 10^6 items.
 */
#define _GNU_SOURCE
#include "layout.h"
#include "items.h"
#include "names.h"
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors left for everything else in the process. */
#define SPARE         64
#define SIGNALS_EVERY 1024

/* Raises the soft limit if need be; refuses with the figures when the hard one is in the way. */
static int need_descriptors(size_t wanted, const char *root)
{
	struct rlimit limit;
	char text[160];

	if (getrlimit(RLIMIT_NOFILE, &limit) || wanted + SPARE <= limit.rlim_cur)
		return 0;
	if (wanted + SPARE <= limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (!setrlimit(RLIMIT_NOFILE, &limit))
			return 0;
	}
	snprintf(text, sizeof text,
		 "%zu descriptors would be open at once, the limit is %llu less %d (ulimit -Hn): "
		 "use fewer items",
		 wanted, (unsigned long long)limit.rlim_max, SPARE);
	raise_os(EMFILE, text, root);
	return -1;
}

static int raise_open(const struct layout *layout, const char *name, int error)
{
	char text[160];
	PyObject *path = PyBytes_FromFormat("%s/%s", layout->root, name);
	if (path) {
		snprintf(text, sizeof text, "open: %s", strerror(error));
		raise_os(error, text, PyBytes_AS_STRING(path));
		Py_DECREF(path);
	}
	return -1;
}

static int open_one(struct layout *layout, const char *name, int flags)
{
	int fd, error;
	do {
		/* The GIL is released: the server of a FUSE mount may be a thread of this very process. */
		Py_BEGIN_ALLOW_THREADS fd = openat(layout->root_fd, name, flags | O_CLOEXEC);
		error = errno;
		Py_END_ALLOW_THREADS if (fd < 0 && PyErr_CheckSignals()) return -1;
	} while (fd < 0 && error == EINTR);
	if (fd < 0)
		return raise_open(layout, name, error);
	layout->fds[layout->opened++] = fd;
	if (layout->opened % SIGNALS_EVERY == 0)
		return PyErr_CheckSignals();
	return 0;
}

static int open_items(struct layout *layout, const struct source *source,
		      const struct request *request)
{
	const struct op_spec *op = request->op;
	size_t count = layout->dirs ? (size_t)PyList_GET_SIZE(layout->dirs) : source->count;
	/* Each thread gets its own of a directory's. */
	size_t each = layout->dirs ? (size_t)request->threads : 1;

	if (walks_paths(op->items))
		return 0;
	if (need_descriptors(count * each, layout->root))
		return -1;
	layout->fds = calloc(count, sizeof *layout->fds);
	if (!layout->fds) {
		PyErr_NoMemory();
		return -1;
	}
	for (size_t i = 0; i < count; i++) {
		const char *name =
			layout->dirs
				? PyBytes_AS_STRING(PyList_GET_ITEM(layout->dirs, (Py_ssize_t)i))
				: source->text + source->name[i];
		if (open_one(layout, name, op->open_flags))
			return -1;
	}
	return 0;
}

static int allot(struct layout *layout, size_t size)
{
	layout->visits = calloc(size, sizeof *layout->visits);
	if (!layout->visits) {
		PyErr_NoMemory();
		return -1;
	}
	layout->size = size;
	return 0;
}

/* The expected number of entries of directory i, or -1 with an exception. */
static int64_t expected_of(PyObject *expected, size_t i)
{
	PyObject *item = PyLong_Check(expected) ? Py_NewRef(expected)
						: PySequence_GetItem(expected, (Py_ssize_t)i);
	long long value = item ? PyLong_AsLongLong(item) : -1;
	Py_XDECREF(item);
	if (!PyErr_Occurred() && (value < 0 || value >= ANY_COUNT))
		PyErr_Format(PyExc_ValueError, "expected: %lld: not a number of entries or bytes",
			     value);
	return PyErr_Occurred() ? -1 : value;
}

static int check_expected(const struct request *request, size_t count)
{
	if (!request->expected)
		return 0;
	if (request->op->expects == NOTHING) {
		PyErr_Format(PyExc_ValueError, "expected: %s finds nothing to count",
			     request->op->name);
		return -1;
	}
	if (PyLong_Check(request->expected))
		return 0;
	Py_ssize_t size = PySequence_Size(request->expected);
	if (size >= 0 && (size_t)size != count)
		PyErr_Format(PyExc_ValueError, "expected: wanted %zu numbers, got %zd", count,
			     size);
	return PyErr_Occurred() ? -1 : 0;
}

static int make_visits(struct layout *layout, const struct source *source,
		       const struct request *request)
{
	enum items items = request->op->items;

	if (check_expected(request, source->count) || allot(layout, source->count))
		return -1;
	for (size_t i = 0; i < source->count; i++) {
		struct visit *visit = &layout->visits[i];
		visit->name = source->text + source->name[i];
		visit->aux = source->dir ? source->dir[i] : ANY_COUNT;
		visit->second_fd = items == ITEMS_TWO ? layout->fds[source->second_dir[i]] : -1;
		visit->fd = walks_paths(items) ? layout->root_fd
					       : layout->fds[source->dir ? source->dir[i] : i];
		if (!request->expected)
			continue;
		int64_t count = expected_of(request->expected, i);
		if (count < 0)
			return -1;
		visit->aux = (uint32_t)count;
	}
	return 0;
}

/* Whole 4 KiB blocks of file i; -1 with an exception if there is none. */
static int64_t count_blocks(struct layout *layout, const struct source *source, size_t i)
{
	struct stat st;
	int error;
	const char *name = source->text + source->name[i];

	Py_BEGIN_ALLOW_THREADS error = fstat(layout->fds[i], &st) ? errno : 0;
	Py_END_ALLOW_THREADS if (error) return raise_open(layout, name, error);
	if (!S_ISREG(st.st_mode) || st.st_size < BLOCK || st.st_size / BLOCK >= ANY_COUNT) {
		PyErr_Format(PyExc_ValueError, "%s/%s: not a file of 4 KiB to 16 TiB", layout->root,
			     name);
		return -1;
	}
	return st.st_size / BLOCK;
}

/* The first eight bytes of a block of the i-th file; 0: not known. */
static uint64_t first_word(const struct request *request, size_t i, uint32_t block)
{
	return request->known_contents ? content_word(request->contents, DATA_STREAM + i,
						      (uint64_t)block * (BLOCK / 8))
				       : 0;
}

static int make_blocks(struct layout *layout, const struct source *source,
		       const struct request *request)
{
	size_t total = 0, at = 0;
	int64_t blocks;

	for (size_t i = 0; i < source->count; i++) {
		if ((blocks = count_blocks(layout, source, i)) < 0)
			return -1;
		total += (size_t)blocks;
	}
	if (allot(layout, total))
		return -1;
	for (size_t i = 0; i < source->count && at < total; i++) {
		if ((blocks = count_blocks(layout, source, i)) < 0)
			return -1;
		for (uint32_t block = 0; block < blocks && at < total; block++)
			layout->visits[at++] =
				(struct visit){.name = source->text + source->name[i],
					       .fd = layout->fds[i],
					       .second_fd = -1,
					       .aux = block,
					       .word = first_word(request, i, block)};
	}
	layout->size = at;
	return 0;
}

static void shuffle(struct visit *visits, size_t size, uint64_t seed)
{
	for (uint32_t left = (uint32_t)size; left > 1; left--) {
		uint32_t pick = random_below(&seed, left);
		struct visit last = visits[left - 1];
		visits[left - 1] = visits[pick];
		visits[pick] = last;
	}
}

/* Bytes of an item's text: its name, and the second name or the names that were chosen in it. */
static size_t text_bytes(const char *text, enum items items)
{
	size_t bytes = strlen(text) + 1;
	if (items == ITEMS_TWO || items == ITEMS_LINK)
		return bytes + strlen(text + bytes) + 1;
	if (items != ITEMS_CHOSEN)
		return bytes;
	while (text[bytes])
		bytes += strlen(text + bytes) + 1;
	return bytes + 1;
}

/* Copies the names into visiting order. */
static int order_names(struct layout *layout, size_t bytes, enum items items)
{
	char *ordered = malloc(bytes), *at = ordered;
	if (!ordered) {
		PyErr_NoMemory();
		return -1;
	}
	for (size_t i = 0; i < layout->size; i++) {
		size_t length = text_bytes(layout->visits[i].name, items);
		memcpy(at, layout->visits[i].name, length);
		layout->visits[i].name = at;
		at += length;
	}
	free(layout->names);
	layout->names = ordered;
	return 0;
}

/* Where the second of two names begins, now that both stay where they are. */
static void find_seconds(struct layout *layout)
{
	for (size_t i = 0; i < layout->size; i++)
		layout->visits[i].second =
			layout->visits[i].name + strlen(layout->visits[i].name) + 1;
}

int layout_make(struct layout *layout, const struct request *request)
{
	struct source source = {.items = request->op->items};
	bool blocks = request->op->items == ITEMS_BLOCKS;
	int result = -1;

	if (items_read(layout, &source, request) || open_items(layout, &source, request))
		goto out;
	if (blocks ? make_blocks(layout, &source, request) : make_visits(layout, &source, request))
		goto out;
	layout->names = source.text;
	source.text = NULL;
	if (layout->size >= UINT32_MAX) {
		PyErr_Format(PyExc_ValueError, "items: %zu blocks are too many", layout->size);
		goto out;
	}
	if (request->random) {
		shuffle(layout->visits, layout->size, request->seed);
		if (!blocks && order_names(layout, source.used, source.items))
			goto out;
	}
	if (source.items == ITEMS_TWO || source.items == ITEMS_LINK)
		find_seconds(layout);
	result = 0;
out:
	items_release(&source);
	return result;
}

void layout_release(struct layout *layout)
{
	/* Closing may ask a FUSE server, which may need the GIL. */
	Py_BEGIN_ALLOW_THREADS while (layout->opened) close(layout->fds[--layout->opened]);
	Py_END_ALLOW_THREADS free(layout->fds);
	free(layout->visits);
	free(layout->names);
	Py_CLEAR(layout->dirs);
	layout->fds = NULL;
	layout->visits = NULL;
	layout->names = NULL;
	layout->size = 0;
}
