/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzing of the shim: FUSE requests and replies of any bytes, through the two hooks that stand
 * between libfuse and /dev/fuse.
 *
 * An input is a level, a byte of switches, and records: a kind, a byte of choices, a length, bytes.
 * Even kinds are requests that the kernel sent, odd ones replies of the server, cut into up to three
 * pieces as libfuse does; a bit of the kind has them carry a known opcode, or the length and the
 * success that a reply to it must have to be edited. Every execution begins and ends with nothing
 * remembered, so that an input alone reproduces what it found. The shim is compiled with its system
 * calls renamed (see Makefile).
 */
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "../../daemons/_native/backing.h"
#include "../../daemons/_native/counters.h"
#include "../../daemons/_native/edit.h"
#include "../../daemons/_native/fuse_abi.h"
#include "../../daemons/_native/shim.h"

#define LONGEST 8192u
#define UNIQUES 32u
#define SESSION 1000

static const uint32_t opcodes[] = {
	OP_LOOKUP,       OP_FORGET,       OP_GETATTR, OP_SYMLINK, OP_MKNOD,  OP_MKDIR,
	OP_LINK,         OP_OPEN,         OP_INIT,    OP_OPENDIR, OP_CREATE, OP_INTERRUPT,
	OP_NOTIFY_REPLY, OP_BATCH_FORGET, OP_TMPFILE, OP_READ,
};

#define OPCODES (sizeof(opcodes) / sizeof(*opcodes))

static const struct fuse_custom_io *hooks;
static const uint8_t *incoming; /* what the next read gives */
static size_t incoming_len;
static size_t expected_len; /* of the reply under way; 0: any */
static int next_id;
static unsigned ids_open;
static uint64_t nodeids[4096]; /* of this execution */
static size_t nodeid_count;

static void require(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

/* What the kernel does, in the place of it. */

ssize_t fuzz_read(int fd, void *buffer, size_t size)
{
	(void)fd;
	require(incoming_len <= size, "a request fits");
	memcpy(buffer, incoming, incoming_len);
	return (ssize_t)incoming_len;
}

static ssize_t written(size_t len)
{
	require(expected_len == 0 || len == expected_len || len == expected_len + SHIM_GROWTH,
		"a reply has its own length, or that of a longer entry");
	return (ssize_t)len;
}

ssize_t fuzz_write(int fd, const void *buffer, size_t len)
{
	uint32_t in_header = 0;

	(void)fd;
	if (len >= sizeof(in_header))
		memcpy(&in_header, buffer, sizeof(in_header));
	if (expected_len != 0 && len == expected_len + SHIM_GROWTH)
		require(in_header == len, "a lengthened reply says so");
	return written(len);
}

ssize_t fuzz_writev(int fd, const struct iovec *iov, int count)
{
	size_t len = 0;

	(void)fd;
	for (int i = 0; i < count; i++)
		len += iov[i].iov_len;
	return written(len);
}

int fuzz_ioctl(int fd, unsigned long request, void *argument)
{
	(void)argument;
	require(fd == SESSION, "ids belong to the session");
	if (request == IOC_BACKING_OPEN) {
		if (++next_id % 7 == 0) {
			errno = EPERM;
			return -1;
		}
		ids_open++;
		return next_id;
	}
	require(request == IOC_BACKING_CLOSE && ids_open > 0, "what is closed was open");
	ids_open--;
	return 0;
}

int fuzz_open(const char *path, int flags)
{
	(void)path;
	(void)flags;
	return next_id % 5 == 0 ? -1 : 777;
}

int fuzz_close(int fd)
{
	(void)fd;
	return 0;
}

/* libfuse, as far as the shim calls it. */

static int mounted(struct fuse_session *session, const char *mountpoint)
{
	(void)session;
	(void)mountpoint;
	return 0;
}

void *fuzz_dlsym(void *handle, const char *name)
{
	int (*function)(struct fuse_session *, const char *) = mounted;
	void *address;

	(void)handle;
	(void)name;
	memcpy(&address, &function, sizeof(address));
	return address;
}

int fuse_session_fd(struct fuse_session *session)
{
	(void)session;
	return SESSION;
}

void fuse_session_unmount(struct fuse_session *session)
{
	(void)session;
}

int fuse_session_custom_io(struct fuse_session *session, const struct fuse_custom_io *io, int fd)
{
	(void)session;
	(void)fd;
	hooks = io;
	return 0;
}

static int fd_of(uint64_t nodeid)
{
	return nodeid % 3 == 0 ? -1 : 778;
}

/* Executions */

static void note_nodeid(uint64_t nodeid)
{
	if (nodeid_count < sizeof(nodeids) / sizeof(*nodeids))
		nodeids[nodeid_count++] = nodeid;
}

/* Uniques are few, so that replies find their requests. */
static void settle_unique(uint8_t *message, size_t len, size_t at, uint8_t choices)
{
	const uint64_t unique = 1 + choices % UNIQUES;

	if (len >= at + sizeof(unique))
		memcpy(message + at, &unique, sizeof(unique));
}

static void request(uint8_t *message, size_t len, uint8_t choices)
{
	uint8_t buffer[LONGEST];
	uint64_t nodeid;

	settle_unique(message, len, IN_UNIQUE, choices);
	if (len >= IN_HEADER_SIZE) {
		memcpy(&nodeid, message + IN_NODEID, sizeof(nodeid));
		note_nodeid(nodeid);
	}
	incoming = message;
	incoming_len = len;
	hooks->read(SESSION, buffer, sizeof(buffer), NULL);
}

static void reply(uint8_t *message, size_t len, uint8_t choices)
{
	struct iovec iov[3];
	size_t first, second;
	uint64_t nodeid;

	settle_unique(message, len, OUT_UNIQUE, choices);
	if (len >= OUT_HEADER_SIZE + sizeof(nodeid)) {
		memcpy(&nodeid, message + OUT_HEADER_SIZE, sizeof(nodeid));
		note_nodeid(nodeid);
	}
	first = len < OUT_HEADER_SIZE ? len : OUT_HEADER_SIZE;
	second = (len - first) / (1 + choices % 3);
	/* On the heap, each piece alone: a byte too far is seen. */
	for (int i = 0; i < 3; i++) {
		const size_t from[] = {0, first, first + second, len};
		const size_t piece = from[i + 1] - from[i];

		iov[i] = (struct iovec){.iov_base = malloc(piece ? piece : 1), .iov_len = piece};
		memcpy(iov[i].iov_base, message + from[i], piece);
	}
	expected_len = len;
	hooks->writev(SESSION, iov, 3, NULL);
	expected_len = 0;
	for (int i = 0; i < 3; i++)
		free(iov[i].iov_base);
}

/* One message out of a record; on the heap, so that a byte too far is seen. */
static void message(const uint8_t *bytes, size_t len, uint8_t kind, uint8_t choices)
{
	const uint32_t opcode = opcodes[(kind >> 2) % OPCODES];
	const int settled = kind & 2;
	size_t wanted = len;
	uint8_t *made;

	if (settled && (kind & 1))
		wanted =
			OUT_HEADER_SIZE + (opcode == OP_INIT ? INIT_SIZE : shim_reply_size(opcode));
	made = calloc(1, wanted ? wanted : 1);
	memcpy(made, bytes, len < wanted ? len : wanted);
	if (settled && (kind & 1))
		memset(made + OUT_ERROR, 0, sizeof(uint32_t));
	else if (settled && len >= IN_HEADER_SIZE)
		memcpy(made + IN_OPCODE, &opcode, sizeof(opcode));
	(kind & 1 ? reply : request)(made, wanted, choices);
	free(made);
}

static void forget_everything(void)
{
	uint8_t failed[OUT_HEADER_SIZE] = {OUT_HEADER_SIZE, 0, 0, 0, 255, 255, 255, 255};
	struct iovec iov = {.iov_base = failed, .iov_len = sizeof(failed)};

	counters->timing = 1; /* so that no reply passes unlooked at */
	/* A slot may hold a unique more than once where a kernel would not. */
	for (uint8_t i = 0; i < 4 * UNIQUES; i++) {
		settle_unique(failed, sizeof(failed), OUT_UNIQUE, i);
		hooks->writev(SESSION, &iov, 1, NULL);
	}
	shim_forgotten(nodeids, nodeid_count);
	nodeid_count = 0;
	require(ids_open == 0, "every id is closed when its inode is forgotten");
	next_id = 0;
}

static void start(uint8_t level, uint8_t switches)
{
	const struct shim_options options = {
		.level = level % (LEVEL_LOOKUP + 1),
		.readdir = switches & 1,
		.fh_is_fd = (switches & 2) != 0,
		.fd_of_owned = (switches & 4) != 0,
		.fd_of = switches & 8 ? NULL : fd_of,
	};
	uint8_t offer[IN_HEADER_SIZE + INIT_SIZE] = {0};
	uint8_t answer[OUT_HEADER_SIZE + INIT_SIZE] = {OUT_HEADER_SIZE + INIT_SIZE};
	const uint32_t opcode = OP_INIT, all = UINT32_MAX;

	shim_configure(&options);
	counters->timing = (switches & 16) != 0;
	memcpy(offer + IN_OPCODE, &opcode, sizeof(opcode));
	memcpy(offer + IN_HEADER_SIZE + INIT_IN_FLAGS, &all, sizeof(all));
	if (switches & 32)
		memcpy(offer + IN_HEADER_SIZE + INIT_IN_FLAGS2, &all, sizeof(all));
	request(offer, sizeof(offer), 0);
	reply(answer, sizeof(answer), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!hooks)
		fuse_session_mount(NULL, "");
	if (size < 2)
		return 0;
	start(data[0], data[1]);
	for (data += 2, size -= 2; size >= 4;) {
		size_t len = (size_t)data[2] | ((size_t)(data[3] & 15) << 8);

		if (len > size - 4)
			len = size - 4;
		message(data + 4, len, data[0], data[1]);
		data += 4 + len, size -= 4 + len;
	}
	forget_everything();
	return 0;
}
