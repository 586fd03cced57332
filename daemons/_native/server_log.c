/* SPDX-License-Identifier: GPL-2.0-only */
/* Logging; see server_log.h. */

#include "server_log.h"

#include <stdarg.h>
#include <stdio.h>

static const char *name_of_daemon = "mirror";

void server_log_name(const char *name)
{
	name_of_daemon = name;
}

void server_log(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	flockfile(stderr); /* lines of several threads do not mix */
	fprintf(stderr, "%s: ", name_of_daemon);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	funlockfile(stderr);
	va_end(arguments);
}
