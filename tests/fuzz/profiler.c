/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzing of the profiler: an input is its options, a NUL, then a guest: code to be translated, and what
 * runs of it with which stack pointers. The plugin is compiled in here, so that each input finds it new. */
#define PATHS 256u
#define CELLS 256u
#define DEPTH 16
#define TASKS 8
#pragma clang diagnostic ignored "-Wshadow"
#include "../../bench/profile/_native/plugin.c"
#include "../../bench/profile/_native/stacks.c"
#include "../../bench/profile/_native/tree.c"

#define ARGUMENTS 8
#define INSNS     8
#define BLOCKS    32

struct qemu_plugin_insn {
	uint64_t address;
	unsigned char bytes[INSN_ROOM + 4];
	size_t size;
	on_execution *executed;
	on_access *accessed;
	void *data;
};

struct qemu_plugin_tb {
	struct qemu_plugin_insn insns[INSNS];
	size_t count;
	on_execution *executed;
	void *data;
};

static struct qemu_plugin_tb blocks[BLOCKS];
static size_t block_count;
static on_translation *translated;
static const uint8_t *input;
static size_t left_over;

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id id, on_translation *call)
{
	(void)id;
	translated = call;
}

void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, on_execution *call, int flags,
					  void *data)
{
	(void)flags;
	tb->executed = call;
	tb->data = data;
}

void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, on_execution *call,
					    int flags, void *data)
{
	(void)flags;
	insn->executed = call;
	insn->data = data;
}

void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, on_access *call, int flags,
				      int access, void *data)
{
	(void)flags;
	(void)access;
	insn->accessed = call;
	insn->data = data;
}

bool qemu_plugin_mem_is_store(uint32_t info)
{
	return info & 1;
}

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb)
{
	return tb->count;
}

uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb)
{
	return tb->insns[0].address;
}

struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index)
{
	if (index >= tb->count)
		abort();
	return (struct qemu_plugin_insn *)(uintptr_t)&tb->insns[index];
}

size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn)
{
	return insn->size;
}

uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn)
{
	return insn->address;
}

const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn)
{
	return insn->bytes;
}

static unsigned byte(void)
{
	if (!left_over)
		return 0;
	left_over--;
	return *input++;
}

/* User space or the kernel, near one another or far apart. */
static uint64_t address(void)
{
	unsigned kind = byte(), low = byte();
	uint64_t high = (uint64_t)(kind >> 2) << (kind & 2 ? 12 : 34);

	return (kind & 1 ? UINT64_C(0xffff800000000000) : 0) + high + low * 8;
}

/* Half of the instructions are marks, calls, returns and loads of the stack pointer. */
static void fetch(struct qemu_plugin_insn *insn)
{
	static const char *const known[] = {"\xe8\1\2\3\4", "\xc3", "\x48\x8b\x65", "\xff\xd0"};
	unsigned kind = byte();

	insn->size = 1 + kind % (INSN_ROOM + 2);
	if (kind >= 0xc0) {
		const unsigned char mark[] = {0x0f, 0x1f, 0x84, 0, 1 + kind % 7, 0x7e, 0x5f, 0xb3};
		insn->size = sizeof mark;
		memcpy(insn->bytes, mark, sizeof mark);
	} else if (kind >= 0x80) {
		insn->size = strlen(known[kind % 4]);
		memcpy(insn->bytes, known[kind % 4], insn->size);
	} else {
		for (size_t at = 0; at < insn->size; at++)
			insn->bytes[at] = (unsigned char)byte();
	}
}

static void translate_one(void)
{
	struct qemu_plugin_tb *tb = &blocks[block_count];
	uint64_t at = address();

	if (block_count == BLOCKS)
		return;
	block_count++;
	tb->count = 1 + byte() % INSNS;
	for (size_t index = 0; index < tb->count; index++) {
		fetch(&tb->insns[index]);
		tb->insns[index].address = at;
		at += tb->insns[index].size;
	}
	translated(1, tb);
}

/* A block as far as it is run: an interrupt may come before its end. */
static void run_one(void)
{
	struct qemu_plugin_tb *tb = block_count ? &blocks[byte() % block_count] : NULL;
	size_t far = byte() % (INSNS + 1);

	if (!tb)
		return;
	tb->executed(0, tb->data);
	for (size_t index = 0; index < tb->count && index < far; index++) {
		struct qemu_plugin_insn *insn = &tb->insns[index];
		if (insn->executed)
			insn->executed(0, insn->data);
		if (insn->accessed)
			insn->accessed(0, byte(), address(), insn->data);
	}
}

static int install(void)
{
	const struct qemu_info info = {"x86_64", {1, 1}, true};
	char text[64] = "out=/proc/self/nowhere", *arguments[ARGUMENTS];
	int count = 0;
	size_t at = 0;

	if (byte() % 2) {
		for (; left_over && at < sizeof text - 1 && (text[at] = (char)byte()); at++)
			;
		text[at] = 0;
	}
	for (char *word = strtok(text, ","); word && count < ARGUMENTS; word = strtok(NULL, ","))
		arguments[count++] = word;
	return qemu_plugin_install(1, &info, count, arguments);
}

/* Everything is counted once: no window has more than was run in it. */
static void check(void)
{
	for (uint32_t at = 0; at < CELLS; at++) {
		if (cells[at].path > path_count || cells[at].closed > cells[at].count)
			abort();
	}
	for (path_id id = 1; id <= path_count; id++) {
		const struct path *found = &paths[path_places[id]];
		if (found->id != id || found->caller >= id)
			abort();
	}
}

static void forget(void)
{
	for (size_t index = 0; index < block_count; index++)
		free(blocks[index].data);
	memset(blocks, 0, sizeof blocks);
	for (size_t index = 0; index < TASKS; index++) {
		if (tasks[index]) {
			free(tasks[index]->user.frames);
			free(tasks[index]);
		}
	}
	memset(tasks, 0, sizeof tasks);
	free(paths);
	free(path_places);
	free(cells);
	free((void *)(uintptr_t)folder);
	memset(&interrupts, 0, sizeof interrupts);
	paths = NULL, path_places = NULL, cells = NULL, folder = NULL;
	task = NULL, stack = NULL, doubtful_cell = NULL;
	block_count = 0, path_count = cell_count = 0, path = 0, age = 1, doubtful = 0;
	in_user = loading = path_known = full = announced = open = false;
	number = window = running = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	left_over = size;
	if (!install()) {
		while (left_over)
			byte() % 4 ? run_one() : translate_one();
		check();
	}
	forget();
	return 0;
}
