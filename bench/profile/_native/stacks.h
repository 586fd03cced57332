/* SPDX-License-Identifier: GPL-2.0-only */
/* Shadow call stacks of the guest's tasks, kept from its calls and returns alone.
 *
 * The interface of qemu 7.2 shows no register, but it shows the address that a call writes to and a
 * return reads from: the stack pointer. The kernel's part of a task's stack is 16 KiB, aligned, which
 * makes its base the task's name.
 */
#ifndef STACKS_H
#define STACKS_H

#include "tree.h"

#include <stdint.h>

/* A block is about to run; tells user space from kernel by its address. */
void stacks_enter(uint64_t block);

/* A call at an address has written its return address at the stack pointer. */
void stacks_call(uint64_t site, uint64_t pointer);

/* A return has read its address from the stack pointer. */
void stacks_return(uint64_t pointer);

/* The stack pointer is about to be loaded from memory: another task, or another stack of this one. */
void stacks_load(void);

/* The call path of what runs now. */
path_id stacks_path(void);

/* Call paths are to be made anew, because the tree was cleared. */
void stacks_forget_paths(void);

/* The running task's name. */
uint64_t stacks_task(void);

#endif
