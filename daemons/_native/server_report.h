/* SPDX-License-Identifier: GPL-2.0-only */
/* The JSON line a server ends with: the same keys as the Python mirror's (daemons/_serve.py). */
#ifndef FUSE_BENCH_SERVER_REPORT_H
#define FUSE_BENCH_SERVER_REPORT_H

/* Prints it to stdout. */
void report_print(void);

#endif
