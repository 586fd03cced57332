/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzing of the C mirror's command line: an input is its arguments, each ended by a NUL. */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "../../daemons/_native/delay.h"
#include "../../daemons/_native/edit.h"
#include "../../daemons/_native/server_options.h"

#define ARGUMENTS 24

int fuzz_getrlimit(int which, struct rlimit *limit)
{
	(void)which;
	*limit = (struct rlimit){1024, 20000};
	return 0;
}

int fuzz_setrlimit(int which, const struct rlimit *limit)
{
	(void)which;
	(void)limit;
	return 0;
}

static void require(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

/* What the server may rely on once its options are taken. */
static void check(void)
{
	require(options.backing && options.mountpoint, "there are two directories");
	require(options.level >= LEVEL_NONE && options.level <= LEVEL_LOOKUP, "a level");
	require(options.readdir_mode <= MODE_AUTO, "a readdir mode");
	require(options.threads >= 1 && options.threads <= 1024, "a number of threads");
	require(options.fd_cache >= 16 && options.fd_cache < options.open_files, "a cache");
	require(options.attr_timeout >= 0 && options.attr_timeout < 1e9, "an attr timeout");
	require(options.entry_timeout >= 0 && options.entry_timeout < 1e9, "an entry timeout");
	for (size_t i = 0; i < COUNTERS_OPCODES; i++)
		require(options.delays_ns[i] <= DELAY_MAX_NS, "a delay");
	for (const char *at = options.name; *at; at++)
		require(isalnum((unsigned char)*at) || strchr("-_.", *at), "a name");
	require(strlen(options.name) <= 64, "a name that fits the mount options");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	char *arguments[ARGUMENTS + 2] = {"mirror"};
	int count = 1;

	memcpy(text, data, size);
	text[size] = '\0';
	for (char *at = text; at < text + size && count <= ARGUMENTS; at += strlen(at) + 1)
		arguments[count++] = at;
	arguments[count] = NULL;
	optind = 0; /* glibc's getopt starts anew */
	if (options_parse(count, arguments) < 0)
		check();
	free(text);
	return 0;
}
