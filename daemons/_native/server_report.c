/* SPDX-License-Identifier: GPL-2.0-only */
/* The JSON line at the end; see server_report.h. */

#define _GNU_SOURCE
#include "server_report.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "counters.h"
#include "server_inodes.h"
#include "server_options.h"

/* X(name, number): the names of bench.model.Opcode; a test holds the two together. */
#define OPCODES(X) \
	X(LOOKUP, 1) \
	X(FORGET, 2) \
	X(GETATTR, 3) \
	X(SETATTR, 4) \
	X(READLINK, 5) \
	X(SYMLINK, 6) \
	X(MKNOD, 8) \
	X(MKDIR, 9) \
	X(UNLINK, 10) \
	X(RMDIR, 11) \
	X(RENAME, 12) \
	X(LINK, 13) \
	X(OPEN, 14) \
	X(READ, 15) \
	X(WRITE, 16) \
	X(STATFS, 17) \
	X(RELEASE, 18) \
	X(FSYNC, 20) \
	X(SETXATTR, 21) \
	X(GETXATTR, 22) \
	X(LISTXATTR, 23) \
	X(REMOVEXATTR, 24) \
	X(FLUSH, 25) \
	X(INIT, 26) \
	X(OPENDIR, 27) \
	X(READDIR, 28) \
	X(RELEASEDIR, 29) \
	X(FSYNCDIR, 30) \
	X(GETLK, 31) \
	X(SETLK, 32) \
	X(SETLKW, 33) \
	X(ACCESS, 34) \
	X(CREATE, 35) \
	X(INTERRUPT, 36) \
	X(BMAP, 37) \
	X(DESTROY, 38) \
	X(IOCTL, 39) \
	X(POLL, 40) \
	X(NOTIFY_REPLY, 41) \
	X(BATCH_FORGET, 42) \
	X(FALLOCATE, 43) \
	X(READDIRPLUS, 44) \
	X(RENAME2, 45) \
	X(LSEEK, 46) \
	X(COPY_FILE_RANGE, 47) \
	X(SETUPMAPPING, 48) \
	X(REMOVEMAPPING, 49) \
	X(SYNCFS, 50) \
	X(TMPFILE, 51) \
	X(STATX, 52) \
	X(COPY_FILE_RANGE_64, 53)

static const char *const opcode_names[COUNTERS_OPCODES] = {
#define X(name, number) [number] = #name,
	OPCODES(X)
#undef X
};

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static uint64_t resident_kib(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	unsigned long long size, resident = 0;

	if (!statm)
		return 0;
	if (fscanf(statm, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	fclose(statm);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void print_requests(void)
{
	const char *comma = "";

	printf("\"requests\": {");
	for (unsigned int i = 0; i < COUNTERS_OPCODES; i++) {
		if (counters->requests[i] == 0 || !opcode_names[i])
			continue;
		printf("%s\"%s\": %llu", comma, opcode_names[i],
		       (unsigned long long)counters->requests[i]);
		comma = ", ";
	}
	printf("}, ");
}

static void print_extra(void)
{
	const char *comma = "";

	printf("\"extra\": {");
	for (unsigned int i = 0; i < COUNTERS_OPCODES; i++) {
		if (counters->requests[i] == 0 || opcode_names[i])
			continue;
		printf("%s\"opcode_%u\": %llu", comma, i, (unsigned long long)counters->requests[i]);
		comma = ", ";
	}
	for (unsigned int i = 0; i < FIELD_COUNT; i++) {
		printf("%s\"%s\": %llu", comma, counters->field[i].name,
		       (unsigned long long)counters->field[i].value);
		comma = ", ";
	}
	printf("}, ");
}

void report_print(void)
{
	const struct inode_figures figures = inodes_figures();
	struct rusage usage = {0};

	getrusage(RUSAGE_SELF, &usage);
	printf("{\"daemon\": \"%s\", \"level\": \"%s\", ", options.name, options.level_name);
	print_requests();
	print_extra();
	printf("\"inodes\": %llu, \"lookups\": %llu, \"forgets\": %llu, \"reopened\": %llu, ",
	       (unsigned long long)figures.inodes, (unsigned long long)figures.lookups,
	       (unsigned long long)figures.forgets, (unsigned long long)figures.reopened);
	printf("\"rss_kib\": %llu, \"peak_rss_kib\": %ld, \"user_s\": %.6f, \"system_s\": %.6f}\n",
	       (unsigned long long)resident_kib(), usage.ru_maxrss, seconds(usage.ru_utime),
	       seconds(usage.ru_stime));
	fflush(stdout);
}
