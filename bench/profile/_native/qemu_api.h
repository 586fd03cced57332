/* SPDX-License-Identifier: GPL-2.0-only */
/* The dozen functions of qemu's TCG plugin interface that are used here; no package has the header.
 *
 * They are weak: qemu 7.2 to 10 (versions 1 to 4 of the interface) lack or change some of them, and
 * a plugin that asks for one that is not there does not load at all.
 */
#ifndef QEMU_API_H
#define QEMU_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QEMU_EXPORT __attribute__((visibility("default")))
#define QEMU_WEAK   __attribute__((weak, visibility("default")))

enum { QEMU_NO_REGISTERS = 0 };
/* Always both: qemu 7.2 mistakes one for the other when it is to call for one alone. */
enum { QEMU_READ_AND_WRITE = 3 };

typedef uint64_t qemu_plugin_id;

struct qemu_info {
	const char *target_name;
	struct {
		int min;
		int current;
	} version;
	bool system_emulation;
};

struct qemu_plugin_tb;
struct qemu_plugin_insn;

typedef void on_translation(qemu_plugin_id id, struct qemu_plugin_tb *tb);
typedef void on_execution(unsigned cpu, void *data);
typedef void on_access(unsigned cpu, uint32_t info, uint64_t address, void *data);

QEMU_WEAK void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id id, on_translation *call);
QEMU_WEAK void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, on_execution *call,
						    int flags, void *data);
QEMU_WEAK void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
						      on_execution *call, int flags, void *data);
QEMU_WEAK void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, on_access *call,
						int flags, int access, void *data);
QEMU_WEAK bool qemu_plugin_mem_is_store(uint32_t info);
QEMU_WEAK size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
QEMU_WEAK uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
QEMU_WEAK struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
							   size_t index);
QEMU_WEAK size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
QEMU_WEAK uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
/* Versions 1 and 2 return a pointer; from 3 on the bytes are copied. Called through insn_bytes(). */
QEMU_WEAK const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);

/* Looked for only: what each version brought. */
QEMU_WEAK void *qemu_plugin_scoreboard_new(size_t size);
QEMU_WEAK void qemu_plugin_register_vcpu_tb_exec_cond_cb(void);
QEMU_WEAK bool qemu_plugin_read_memory_vaddr(void);

#endif
