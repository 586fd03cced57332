/* SPDX-License-Identifier: GPL-2.0-only */
/* Plugin for qemu's TCG: every instruction of a window, by call path and translation block.
 *
 * A window is what the guest marks (mark.h). The worker says which one comes, so that what boots and
 * warms up costs nothing but the shadow stacks; op driver and walk say where it begins and ends.
 * Loaded with -plugin profiler.so,out=FOLDER, it writes FOLDER/NUMBER.blocks, whole or not at all.
 */
#define _GNU_SOURCE
#include "mark.h"
#include "qemu_api.h"
#include "stacks.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSN_ROOM 16
#define PAGE      UINT64_C(4096)

struct block {
	uint64_t address;
	uint64_t insns;
	/* Where it was counted last: loops ask for the same place again. */
	struct cell *cell;
	path_id path;
	uint32_t window;
	/* Address of a last instruction that may not be executed with the others, or 0. */
	uint64_t doubtful;
};

QEMU_EXPORT int qemu_plugin_version;

static const char *folder;
static bool copies_insns;
static bool announced, open;
static uint32_t number, window, running;
/* Of the block before: its doubtful instruction, and where it was counted. */
static uint64_t doubtful;
static struct cell *doubtful_cell;

/* Before qemu looks at the version: the newest that this qemu has and we know. */
__attribute__((constructor)) static void choose_version(void)
{
	qemu_plugin_version = qemu_plugin_read_memory_vaddr               ? 4
			      : qemu_plugin_register_vcpu_tb_exec_cond_cb ? 3
			      : qemu_plugin_scoreboard_new                ? 2
									  : 1;
}

static void begin(void)
{
	if (!announced || running++)
		return;
	if (!open) {
		tree_clear();
		stacks_forget_paths();
		doubtful = 0;
		window++;
		open = true;
	}
}

static void note_client(void)
{
	/* A path of its own, from the root: "this task ran the ops". */
	if (announced)
		tree_cell(tree_path(0, MARK_CLIENT), stacks_task())->count++;
}

static void write_down(void)
{
	if (announced && (!open || !tree_write(folder, number)))
		fprintf(stderr, "profiler: window %u could not be written to %s\n", number, folder);
	announced = open = false;
	running = 0;
}

static void on_mark(unsigned cpu, void *data)
{
	(void)cpu;
	switch ((enum mark)(uintptr_t)data) {
	case MARK_ANNOUNCE:
		number = 0;
		announced = true;
		break;
	case MARK_BIT_0:
	case MARK_BIT_1:
		number = number << 1 | ((uintptr_t)data == MARK_BIT_1);
		break;
	case MARK_BEGIN:
		begin();
		note_client();
		break;
	case MARK_END:
		if (running && !--running)
			tree_close();
		break;
	case MARK_WRITE:
		write_down();
		break;
	}
}

static void on_block(unsigned cpu, void *data)
{
	struct block *block = data;

	(void)cpu;
	stacks_enter(block->address);
	if (!open)
		return;
	if (doubtful && doubtful == block->address)
		doubtful_cell->count--;
	path_id path = stacks_path();
	if (block->window != window || block->path != path) {
		block->cell = tree_cell(path, block->address);
		block->path = path;
		block->window = window;
	}
	block->cell->count += block->insns;
	block->cell->runs++;
	doubtful = block->doubtful;
	doubtful_cell = block->cell;
}

static void on_call(unsigned cpu, uint32_t info, uint64_t pointer, void *data)
{
	(void)cpu;
	/* A call through memory reads its target, too. */
	if (qemu_plugin_mem_is_store(info))
		stacks_call((uintptr_t)data, pointer);
}

static void on_return(unsigned cpu, uint32_t info, uint64_t pointer, void *data)
{
	(void)cpu;
	(void)data;
	if (!qemu_plugin_mem_is_store(info))
		stacks_return(pointer);
}

static void on_load(unsigned cpu, void *data)
{
	(void)cpu;
	(void)data;
	stacks_load();
}

/* The bytes of an instruction; how many. */
static size_t insn_bytes(const struct qemu_plugin_insn *insn, unsigned char *bytes)
{
	typedef size_t copying(const struct qemu_plugin_insn *insn, void *to, size_t room);
	size_t size = qemu_plugin_insn_size(insn);

	if (size > INSN_ROOM)
		return 0;
	if (!copies_insns) {
		memcpy(bytes, qemu_plugin_insn_data(insn), size);
		return size;
	}
	copying *copy;
	const void *address = (const void *)&qemu_plugin_insn_data;
	memcpy(&copy, &address, sizeof copy);
	return copy(insn, bytes, size);
}

/* Segment, size and repeat prefixes, and REX, which calls and returns have for padding only. */
static size_t prefixes(const unsigned char *bytes, size_t size)
{
	static const unsigned char known[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0xf2, 0xf3};
	size_t at = 0;

	while (at < size && memchr(known, bytes[at], sizeof known))
		at++;
	return at;
}

static bool is_call(const unsigned char *code, size_t size)
{
	if (size && (code[0] & 0xf0) == 0x40) {
		code++;
		size--;
	}
	return size &&
	       (code[0] == 0xe8 || (code[0] == 0xff && size > 1 && (code[1] >> 3 & 7) == 2));
}

static bool is_return(const unsigned char *code, size_t size)
{
	return size && (code[0] == 0xc3 || code[0] == 0xc2);
}

/* mov MEMORY,%rsp: the kernel's way to another task's stack, and from user space to this one's. */
static bool is_stack_load(const unsigned char *code, size_t size)
{
	return size > 2 && code[0] == 0x48 && code[1] == 0x8b && (code[2] >> 3 & 7) == 4 &&
	       code[2] < 0xc0;
}

static void watch_insn(struct qemu_plugin_insn *insn)
{
	unsigned char bytes[INSN_ROOM];
	size_t size = insn_bytes(insn, bytes), skip = prefixes(bytes, size);
	const unsigned char *code = bytes + skip;
	uint64_t address = qemu_plugin_insn_vaddr(insn);
	int kind = mark_kind(bytes, size);

	if (kind >= 0)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_NO_REGISTERS,
						       (void *)(uintptr_t)kind);
	else if (is_call(code, size - skip))
		qemu_plugin_register_vcpu_mem_cb(insn, on_call, QEMU_NO_REGISTERS,
						 QEMU_READ_AND_WRITE, (void *)(uintptr_t)address);
	else if (is_return(code, size - skip))
		qemu_plugin_register_vcpu_mem_cb(insn, on_return, QEMU_NO_REGISTERS,
						 QEMU_READ_AND_WRITE, NULL);
	else if (address >> 63 && is_stack_load(code, size - skip))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_load, QEMU_NO_REGISTERS, NULL);
}

/* An instruction that reaches into the next page is put off to a block of its own, but qemu 7.2 lists
 * it with this one: then the next block begins with it. A repeated one does that, too. */
static uint64_t put_off(const struct qemu_plugin_tb *tb, size_t insns)
{
	unsigned char bytes[INSN_ROOM];
	struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, insns - 1);
	uint64_t address = qemu_plugin_insn_vaddr(last);
	size_t size = insn_bytes(last, bytes);
	bool repeated = size && (bytes[0] == 0xf2 || bytes[0] == 0xf3);

	return insns > 1 && !repeated && (address & (PAGE - 1)) > PAGE - INSN_ROOM ? address : 0;
}

/* Kept for good: qemu does not tell when it forgets a translation. */
static void translate(qemu_plugin_id id, struct qemu_plugin_tb *tb)
{
	struct block *block = calloc(1, sizeof *block);

	(void)id;
	if (!block)
		abort();
	block->address = qemu_plugin_tb_vaddr(tb);
	block->insns = qemu_plugin_tb_n_insns(tb);
	block->doubtful = put_off(tb, block->insns);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_NO_REGISTERS, block);
	for (size_t at = 0; at < block->insns; at++)
		watch_insn(qemu_plugin_tb_get_insn(tb, at));
}

QEMU_EXPORT int qemu_plugin_install(qemu_plugin_id id, const struct qemu_info *info, int argc,
				    char **argv)
{
	for (int at = 0; at < argc; at++)
		if (!strncmp(argv[at], "out=", 4))
			folder = strdup(argv[at] + 4);
	if (!folder || strcmp(info->target_name, "x86_64") || !info->system_emulation) {
		fprintf(stderr, "profiler: wanted an emulated x86_64 machine and out=FOLDER\n");
		return 1;
	}
	copies_insns = info->version.current >= 3;
	if (!tree_init()) {
		fprintf(stderr, "profiler: no memory\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
