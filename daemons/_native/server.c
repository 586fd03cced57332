/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The C mirror: serves one mount; the program behind `plain-c` and `passthrough-c`.
 *
 * A mirror on libfuse's low-level API with the shim linked in, so that levels, counters and replies
 * are made by the same code as for the Python mirror.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server_files.h"
#include "server_inodes.h"
#include "server_log.h"
#include "server_loop.h"
#include "server_ops.h"
#include "server_options.h"
#include "server_report.h"
#include "shim.h"

/* Source of every mount of ours in /proc/self/mountinfo; its type is fuse.<daemon>. */
#define FS_NAME "fuse-passthrough-bench"

static struct fuse_session *new_session(void)
{
	static struct fuse_lowlevel_ops ops;
	char mount_options[256];
	char *arguments[] = {"mirror", "-o", mount_options, "-d", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(options.debug ? 4 : 3, arguments);
	struct fuse_session *session;

	snprintf(mount_options, sizeof(mount_options), "default_permissions,fsname=%s,subtype=%s%s",
		 FS_NAME, options.name, options.allow_other ? ",allow_other" : "");
	ops_add_inodes(&ops);
	ops_add_names(&ops);
	ops_add_files(&ops);
	ops_add_directories(&ops);
	ops_add_xattrs(&ops);
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	fuse_opt_free_args(&args); /* libfuse has made a copy of ours to work on */
	return session;
}

/* The tables and the shim. Returns an exit code, or -1 to go on. */
static int prepare(void)
{
	const struct shim_options shim = {
		.level = options.level,
		.readdir = options.readdir_passthrough,
		.files_only = options.attach == ATTACH_FILES,
		.xattrs = options.xattr == XATTR_PASSTHROUGH,
		.fh_is_fd = 1,
		.fd_of_owned = 1, /* another thread may drop ours at any time */
		.fd_of = inode_descriptor,
		.counters = options.counters,
	};
	int error = files_start(options.open_files);

	if (error == 0)
		error = inodes_start(options.backing, options.fd_cache);
	if (error != 0) {
		server_log("backing: %s: %s", options.backing, strerror(error));
		return EXIT_USAGE;
	}
	error = -shim_configure(&shim);
	if (error != 0) {
		server_log("counters: %s: %s", options.counters, strerror(error));
		return EXIT_USAGE;
	}
	for (uint32_t opcode = 0; opcode < COUNTERS_OPCODES; opcode++)
		shim_delay(opcode, options.delays_ns[opcode]);
	umask(0); /* modes arrive with the caller's umask applied */
	return -1;
}

static int serve(void)
{
	struct fuse_session *session = new_session();
	int status = EXIT_BUG;

	if (!session)
		goto out; /* libfuse has printed why */
	if (fuse_session_mount(session, options.mountpoint) != 0) {
		server_log("cannot mount on %s", options.mountpoint);
		status = EXIT_USAGE;
		goto out;
	}
	if (loop_run(session, options.threads, options.clone_fd) == 0)
		status = EXIT_SERVED;
	fuse_session_unmount(session); /* whatever happened, no mount is left behind */
out:
	if (session)
		fuse_session_destroy(session);
	return status;
}

int main(int argc, char **argv)
{
	int status = options_parse(argc, argv);

	if (status < 0)
		status = options_check();
	if (status < 0)
		status = prepare();
	if (status >= 0)
		return status;
	/* From before the mount until after the unmount: a signal in between would leave it behind. */
	loop_block_signals();
	status = serve();
	if (status == EXIT_SERVED)
		report_print();
	return status;
}
