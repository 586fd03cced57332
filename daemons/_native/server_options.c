/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line; see server_options.h. */

#define _GNU_SOURCE
#include "server_options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "delay.h"
#include "edit.h"
#include "server_log.h"
#include "server_opcodes.h"

#define FDS_MIN         16u
#define FDS_DEFAULT_MAX 16384u
#define OPEN_FILES_MAX  (1u << 20)
#define THREADS_MAX     256u
#define TIMEOUT_MAX     1e9
#define NAME_MAX_LENGTH 64u

struct server_options options;

static const char usage[] =
	"usage: mirror [options] BACKING MOUNTPOINT\n"
	"\n"
	"Serves one mount in the foreground; logs to stderr; ends with one JSON line on stdout.\n"
	"Exit codes: 0 unmounted or told to end, 1 bug, 2 wrong arguments, 3 no FUSE here.\n"
	"\n"
	"  --name NAME            name in logs and in the mount's type (default plain-c)\n"
	"  --level LEVEL          none, rw, attach-getattr, attach-lookup or lookup\n"
	"  --no-readdir           no readdir passthrough\n"
	"  --attach WHAT          files or all: inodes to attach (default all)\n"
	"  --attr-timeout S       seconds the kernel may keep attributes (default 0)\n"
	"  --entry-timeout S      seconds the kernel may keep names (default 0)\n"
	"  --counters FILE        count requests into FILE\n"
	"  --delay OPCODE=NS      hold requests back that long; repeatable (GETATTR=5000)\n"
	"  --fd-cache N           inodes kept open (default from the open-file limit)\n"
	"  --readdir-mode MODE    readdir, readdirplus or auto (default readdirplus)\n"
	"  --xattr WAY            answer, enosys, off or passthrough: extended attributes\n"
	"                         (default answer)\n"
	"  --threads N            worker threads (default: the CPUs it may run on)\n"
	"  --clone-fd             a descriptor of /dev/fuse for every thread\n"
	"  --allow-other          let other users in\n"
	"  --debug                log every request\n";

static const char *const levels[] = {
	[LEVEL_NONE] = "none",
	[LEVEL_RW] = "rw",
	[LEVEL_ATTACH_GETATTR] = "attach-getattr",
	[LEVEL_ATTACH_LOOKUP] = "attach-lookup",
	[LEVEL_LOOKUP] = "lookup",
	NULL,
};

static const char *const modes[] = {
	[MODE_READDIR] = "readdir",
	[MODE_READDIRPLUS] = "readdirplus",
	[MODE_AUTO] = "auto",
	NULL,
};

static const char *const xattr_ways[] = {
	[XATTR_ANSWER] = "answer",
	[XATTR_ENOSYS] = "enosys",
	[XATTR_OFF] = "off",
	[XATTR_PASSTHROUGH] = "passthrough",
	NULL,
};

static const char *const attachable[] = {
	[ATTACH_ALL] = "all",
	[ATTACH_FILES] = "files",
	NULL,
};

enum {
	OPT_NAME = 1,
	OPT_LEVEL,
	OPT_NO_READDIR,
	OPT_ATTACH,
	OPT_ATTR_TIMEOUT,
	OPT_ENTRY_TIMEOUT,
	OPT_COUNTERS,
	OPT_DELAY,
	OPT_FD_CACHE,
	OPT_READDIR_MODE,
	OPT_XATTR,
	OPT_THREADS,
	OPT_CLONE_FD,
	OPT_ALLOW_OTHER,
	OPT_DEBUG,
	OPT_HELP,
};

static const struct option known[] = {
	{"name", required_argument, NULL, OPT_NAME},
	{"level", required_argument, NULL, OPT_LEVEL},
	{"no-readdir", no_argument, NULL, OPT_NO_READDIR},
	{"attach", required_argument, NULL, OPT_ATTACH},
	{"attr-timeout", required_argument, NULL, OPT_ATTR_TIMEOUT},
	{"entry-timeout", required_argument, NULL, OPT_ENTRY_TIMEOUT},
	{"counters", required_argument, NULL, OPT_COUNTERS},
	{"delay", required_argument, NULL, OPT_DELAY},
	{"fd-cache", required_argument, NULL, OPT_FD_CACHE},
	{"readdir-mode", required_argument, NULL, OPT_READDIR_MODE},
	{"xattr", required_argument, NULL, OPT_XATTR},
	{"threads", required_argument, NULL, OPT_THREADS},
	{"clone-fd", no_argument, NULL, OPT_CLONE_FD},
	{"allow-other", no_argument, NULL, OPT_ALLOW_OTHER},
	{"debug", no_argument, NULL, OPT_DEBUG},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static int refuse(const char *option, const char *value, const char *wanted)
{
	server_log("--%s: %s, wanted %s", option, value, wanted);
	return EXIT_USAGE;
}

/* The place of ``value`` in a NULL-terminated list, or -1. */
static int choose(const char *const *list, const char *value)
{
	for (int i = 0; list[i]; i++)
		if (strcmp(list[i], value) == 0)
			return i;
	return -1;
}

static int parse_seconds(const char *option, const char *value, double *seconds)
{
	char *end;

	*seconds = strtod(value, &end);
	if (end == value || *end || !(*seconds >= 0 && *seconds < TIMEOUT_MAX))
		return refuse(option, value, "0 to 1e9 seconds");
	return -1;
}

static int parse_number(const char *option, const char *value, size_t low, size_t high,
			size_t *number)
{
	char wanted[64];
	char *end;
	unsigned long long parsed;

	errno = 0;
	parsed = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || errno || parsed < low || parsed > high) {
		snprintf(wanted, sizeof(wanted), "%zu to %zu", low, high);
		return refuse(option, value, wanted);
	}
	*number = (size_t)parsed;
	return -1;
}

static int parse_delay(const char *value)
{
	const char *equals = strchr(value, '=');
	int opcode = equals ? opcode_number(value, (size_t)(equals - value)) : -1;
	size_t ns = 0;
	int status;

	if (opcode < 0)
		return refuse("delay", value, "OPCODE=NANOSECONDS, e.g. GETATTR=5000");
	status = parse_number("delay", equals + 1, 0, DELAY_MAX_NS, &ns);
	options.delays_ns[opcode] = ns;
	return status;
}

static int parse_name(const char *value)
{
	/* It goes into mount options and into JSON as it is; options cut short would lose their end. */
	if (strlen(value) > NAME_MAX_LENGTH)
		return refuse("name", value, "64 characters at most");
	for (const char *at = value; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("-_.", *at))
			return refuse("name", value, "letters, digits, '-', '_' and '.'");
	options.name = value;
	server_log_name(value);
	return -1;
}

static int parse_choice(const char *option, const char *const *list, const char *wanted,
			int *chosen)
{
	*chosen = choose(list, optarg);
	return *chosen >= 0 ? -1 : refuse(option, optarg, wanted);
}

/* An option without a value. Returns an exit code, or -1 to go on. */
static int parse_switch(int which)
{
	switch (which) {
	case OPT_NO_READDIR:
		options.readdir_passthrough = false;
		return -1;
	case OPT_CLONE_FD:
		options.clone_fd = true;
		return -1;
	case OPT_ALLOW_OTHER:
		options.allow_other = true;
		return -1;
	case OPT_DEBUG:
		options.debug = true;
		return -1;
	case OPT_HELP:
		fputs(usage, stdout);
		return EXIT_SERVED;
	default: /* getopt has said what is wrong */
		return EXIT_USAGE;
	}
}

/* An option whose value is one of a few words. */
static int parse_word(int which)
{
	int chosen = 0;
	int status;

	switch (which) {
	case OPT_LEVEL:
		status = parse_choice("level", levels,
				      "none, rw, attach-getattr, attach-lookup or lookup", &chosen);
		options.level = chosen;
		options.level_name = optarg;
		return status;
	case OPT_ATTACH:
		status = parse_choice("attach", attachable, "files or all", &chosen);
		options.attach = (enum attach_what)chosen;
		return status;
	case OPT_READDIR_MODE:
		status = parse_choice("readdir-mode", modes, "readdir, readdirplus or auto",
				      &chosen);
		options.readdir_mode = (enum readdir_mode)chosen;
		return status;
	case OPT_XATTR:
		status = parse_choice("xattr", xattr_ways, "answer, enosys, off or passthrough",
				      &chosen);
		options.xattr = (enum xattr_way)chosen;
		return status;
	default:
		return parse_switch(which);
	}
}

/* One option. Returns an exit code, or -1 to go on. */
static int parse_option(int which)
{
	size_t number = 0;
	int status;

	switch (which) {
	case OPT_NAME:
		return parse_name(optarg);
	case OPT_ATTR_TIMEOUT:
		return parse_seconds("attr-timeout", optarg, &options.attr_timeout);
	case OPT_ENTRY_TIMEOUT:
		return parse_seconds("entry-timeout", optarg, &options.entry_timeout);
	case OPT_COUNTERS:
		options.counters = optarg;
		return -1;
	case OPT_DELAY:
		return parse_delay(optarg);
	case OPT_FD_CACHE:
		return parse_number("fd-cache", optarg, FDS_MIN, options.open_files - 1,
				    &options.fd_cache);
	case OPT_THREADS:
		status = parse_number("threads", optarg, 1, THREADS_MAX, &number);
		options.threads = (unsigned int)number;
		return status;
	default:
		return parse_word(which);
	}
}

static size_t raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	limit.rlim_cur = limit.rlim_max > OPEN_FILES_MAX ? OPEN_FILES_MAX : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		getrlimit(RLIMIT_NOFILE, &limit);
	return (size_t)limit.rlim_cur;
}

static unsigned int cpus_allowed(void)
{
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		return 1;
	return (unsigned int)CPU_COUNT(&cpus);
}

static void set_defaults(void)
{
	size_t limit = raise_open_files();

	options = (struct server_options){
		.name = "plain-c",
		.level_name = levels[LEVEL_NONE],
		.readdir_passthrough = true,
		/*
		 * A scan in order over more inodes than this misses every time, so: as many as we may,
		 * and a rest for what clients open.
		 */
		.fd_cache = limit / 5 * 4 < FDS_DEFAULT_MAX ? limit / 5 * 4 : FDS_DEFAULT_MAX,
		.readdir_mode = MODE_READDIRPLUS,
		.threads = cpus_allowed(),
		.open_files = limit,
	};
	server_log_name(options.name);
}

int options_parse(int argc, char **argv)
{
	int which, status;

	set_defaults();
	while ((which = getopt_long(argc, argv, "", known, NULL)) != -1) {
		status = parse_option(which);
		if (status >= 0)
			return status;
	}
	if (argc - optind != 2) {
		server_log("%d arguments, wanted 2: BACKING MOUNTPOINT (see --help)",
			   argc - optind);
		return EXIT_USAGE;
	}
	if (options.attach == ATTACH_FILES && options.level == LEVEL_LOOKUP)
		return refuse("attach", "files",
			      "all: level lookup looks up in attached directories");
	options.backing = argv[optind];
	options.mountpoint = argv[optind + 1];
	return -1;
}
