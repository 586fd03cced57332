/* SPDX-License-Identifier: GPL-2.0-only */
/* The shared counters file: creation only; counting is inline in counters.h. */

#define _GNU_SOURCE
#include "counters.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct counters private_counters;
struct counters *counters = &private_counters;

static void name_fields(struct counters *fresh)
{
	static const char *const names[] = {
#define X(name) #name,
		COUNTERS_FIELDS(X)
#undef X
	};

	memcpy(fresh->magic, "FPBC", 4);
	fresh->version = COUNTERS_VERSION;
	fresh->opcodes = COUNTERS_OPCODES;
	fresh->fields = FIELD_COUNT;
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		strncpy(fresh->field[i].name, names[i], sizeof(fresh->field[i].name) - 1);
}

int counters_map(const char *path)
{
	struct counters *mapped = MAP_FAILED;
	int status = 0;
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof(*mapped)) == 0)
		mapped = mmap(NULL, sizeof(*mapped), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED) {
		status = -errno;
		goto out;
	}
	name_fields(mapped);
	counters = mapped;
out:
	close(fd);
	return status;
}

__attribute__((constructor)) static void start_private(void)
{
	name_fields(&private_counters);
}
