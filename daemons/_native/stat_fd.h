/* SPDX-License-Identifier: GPL-2.0-only */
/* stat of a descriptor, by the system call that costs least. */
#ifndef FUSE_BENCH_STAT_FD_H
#define FUSE_BENCH_STAT_FD_H

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * As fstat(). glibc 2.33 to 2.38 make that a newfstatat() of an empty path, which the kernel has to
 * read from user space first. On 64-bit machines struct stat is the kernel's own.
 */
static inline int stat_fd(int fd, struct stat *attr)
{
#if defined(SYS_fstat) && defined(__LP64__)
	return (int)syscall(SYS_fstat, fd, attr);
#else
	return fstat(fd, attr);
#endif
}

#endif
