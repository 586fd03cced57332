/* SPDX-License-Identifier: GPL-2.0-only */
/* One shadow stack for each task's kernel part, one for its user part, one for interrupts; see stacks.h.
 *
 * Frames are left by the stack pointer alone: whatever was called with a pointer at or below the one
 * seen now has ended, however it ended. So jumps out of functions, exits and reused stacks need no
 * care, and a call whose return is never seen is gone with its caller's next call or return.
 */
#include "stacks.h"

#include <stdbool.h>
#include <stdlib.h>

#define KERNEL_STACK UINT64_C(0x4000)
/* Two frames of user space farther apart than this are on stacks of different threads. */
#define USER_STACK (UINT64_C(8) << 20)
/* Tests make them small. */
#ifndef TASKS
#define DEPTH 1024
#define TASKS 4096
#endif

struct frame {
	uint64_t pointer;
	uint64_t site;
	path_id path;
	uint32_t age;
};

struct stack {
	/* What was called from: user space for the kernel, a task for an interrupt; NULL: nothing. */
	const struct stack *below;
	struct task *task;
	int depth;
	struct frame *frames;
};

struct task {
	uint64_t base;
	struct stack kernel, user;
	path_id path;
	uint32_t age;
};

static struct task *tasks[TASKS];
static struct task *task;
static struct stack interrupts;
static struct stack *stack;
static uint32_t age = 1;
static bool in_user, loading;
/* 0 when not known yet: nearly every event is followed by a block that asks. */
static path_id path;
static bool path_known;

static struct task *new_task(uint64_t base)
{
	struct task *made = calloc(1, sizeof *made);
	struct frame *frames = calloc(2 * DEPTH, sizeof *frames);

	if (!made || !frames)
		abort();
	made->base = base;
	made->user = (struct stack){.task = made, .frames = frames};
	made->kernel = (struct stack){.task = made, .frames = frames + DEPTH, .below = &made->user};
	return made;
}

/* Thousands of stacks that are no more. Whoever asks for a task has it, and its stack, in use next. */
static void forget_tasks(void)
{
	for (int at = 0; at < TASKS; at++) {
		free(tasks[at]->user.frames);
		free(tasks[at]);
		tasks[at] = NULL;
	}
}

static struct task *find_task(uint64_t base)
{
	uint64_t at = (base / KERNEL_STACK * UINT64_C(0x9e3779b97f4a7c15)) >> 52;
	at %= TASKS;

	for (int tried = 0; tried < TASKS; tried++, at = (at + 1) % TASKS) {
		if (!tasks[at])
			tasks[at] = new_task(base);
		if (tasks[at]->base == base)
			return tasks[at];
	}
	forget_tasks();
	return find_task(base);
}

/* The stack a pointer of the kernel's lies on becomes the one in use. */
static void choose(uint64_t pointer)
{
	uint64_t base = pointer & ~(KERNEL_STACK - 1);

	if (loading || !task) {
		task = find_task(base);
		stack = &task->kernel;
	} else if (base == task->base) {
		stack = &task->kernel;
	} else if (stack != &interrupts) {
		interrupts.depth = 0;
		interrupts.below = stack;
		interrupts.task = task;
		stack = &interrupts;
	}
	loading = false;
}

static void leave(uint64_t pointer)
{
	if (in_user && !task)
		return;
	if (!in_user)
		choose(pointer);
	while (stack->depth && stack->frames[stack->depth - 1].pointer <= pointer)
		stack->depth--;
	if (in_user && stack->depth &&
	    stack->frames[stack->depth - 1].pointer - pointer > USER_STACK)
		stack->depth = 0;
	path_known = false;
}

void stacks_call(uint64_t site, uint64_t pointer)
{
	static struct frame frames[DEPTH];

	interrupts.frames = frames;
	leave(pointer);
	if (!stack || stack->depth == DEPTH)
		return;
	stack->frames[stack->depth++] = (struct frame){.pointer = pointer, .site = site};
}

void stacks_return(uint64_t pointer)
{
	leave(pointer);
}

void stacks_load(void)
{
	loading = true;
}

void stacks_enter(uint64_t block)
{
	bool user = !(block >> 63);

	if (user == in_user)
		return;
	in_user = user;
	loading = false;
	path_known = false;
	if (!task)
		return;
	if (!user)
		task->kernel.depth = 0;
	stack = user ? &task->user : &task->kernel;
}

static path_id task_path(struct task *of)
{
	if (of->age != age) {
		of->path = tree_path(0, of->base);
		of->age = age;
	}
	return of->path;
}

static path_id path_of(const struct stack *of)
{
	int known = of->depth;
	path_id found;

	while (known && of->frames[known - 1].age != age)
		known--;
	if (known)
		found = of->frames[known - 1].path;
	else
		found = of->below ? path_of(of->below) : task_path(of->task);
	for (; known < of->depth; known++) {
		struct frame *frame = &of->frames[known];
		found = frame->path = tree_path(found, frame->site);
		frame->age = age;
	}
	return found;
}

path_id stacks_path(void)
{
	if (!path_known) {
		path = stack ? path_of(stack) : 0;
		path_known = true;
	}
	return path;
}

void stacks_forget_paths(void)
{
	age++;
	path_known = false;
}

uint64_t stacks_task(void)
{
	return task ? task->base : 0;
}
