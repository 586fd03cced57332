/* SPDX-License-Identifier: GPL-2.0-only */
/* One line to stderr, with the daemon's name before it. */
#ifndef FUSE_BENCH_SERVER_LOG_H
#define FUSE_BENCH_SERVER_LOG_H

/* The name every line begins with; a string that stays. */
void server_log_name(const char *name);

__attribute__((format(printf, 1, 2))) void server_log(const char *format, ...);

#endif
