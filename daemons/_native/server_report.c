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
#include "server_opcodes.h"
#include "server_options.h"

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
		if (counters->requests[i] == 0 || !opcode_name(i))
			continue;
		printf("%s\"%s\": %llu", comma, opcode_name(i),
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
		if (counters->requests[i] == 0 || opcode_name(i))
			continue;
		printf("%s\"opcode_%u\": %llu", comma, i,
		       (unsigned long long)counters->requests[i]);
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
