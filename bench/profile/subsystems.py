"""What part of the kernel, or whose user space, an instruction belongs to.

A function is known by how it is called; helpers that everybody calls (locks, memset, lists) belong to
whoever called them, which the stack tells.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum
from functools import cache

from bench.profile.fold import Folded, Stack, StackOwner
from bench.profile.symbols import UNKNOWN_KERNEL


class Subsystem(StrEnum):
    """Parts that a reviewer thinks in."""

    WALK = "path walk"
    FUSE = "FUSE"
    OVERLAY = "overlayfs"
    BACKING = "backing file system"
    SCHEDULER = "scheduler and wake-up"
    COPY = "copying to and from user"
    MEMORY = "memory"
    SECURITY = "permissions and security"
    VFS = "VFS"
    ENTRY = "system call entry"
    INTERRUPT = "interrupts and timers"
    IDLE = "idle"
    OTHER = "rest of the kernel"
    CLIENT = "client's user space"
    SERVER = "server's user space"
    PROCESS = "other processes' user space"


_RULES: tuple[tuple[Subsystem, str], ...] = (
    (
        Subsystem.COPY,
        r"fuse_copy_|_?copy_(to|from)_|copy_page|copy_folio|rep_(movs|stos)|_copy_|__?(get|put)_user|"
        r"iov_iter|import_iovec|__import_iovec|strncpy_from_user|strnlen_user|gup_|get_user_pages|"
        r"pin_user|try_grab_folio|fault_in_|splice_|cp_statx|cp_new_stat",
    ),
    (
        Subsystem.SCHEDULER,
        r"_*schedule|try_to_wake_up|ttwu_|(en|de)queue_(task|entity|entities)|_*enqueue|_*dequeue|"
        r"pick_(next|task|eevdf)|update_(curr|load_avg|cfs|se|rq|min_vruntime|deadline|entity)|"
        r"__update_load|set_next|put_prev|_*switch_to|finish_task_switch|_*wake_up|wake_q|"
        r"autoremove_wake|default_wake|(prepare|finish)_(to_)?wait|sched_|select_task|resched|"
        r"place_entity|reweight|switch_mm|check_preempt|wakeup_preempt|avg_vruntime|vruntime_|"
        r"update_vlag|clear_buddies|yield_|psi_|cpuacct|native_load_|_*perf_event_task|native_sched|"
        r"init_wait|add_wait|remove_wait|raw_spin_rq|account_entity|entity_|rseq_|"
        r"task_work|fpregs_|save_fpregs|cpu_util|util_est|migrate_|is_cpu_allowed",
    ),
    (
        Subsystem.SECURITY,
        r"security_|cap_|selinux_|apparmor_|aa_|ima_|inode_permission|generic_permission|"
        r"map_id|from_k[ug]id|make_[kv]|mnt_[ug]|in_group|capable|ns_capable|privileged_wrt|"
        r"audit_|override_creds|revert_creds|prepare_creds|__task_pid|pid_nr|fuse_allow|"
        r"fuse_permissible",
    ),
    (Subsystem.FUSE, r"_*fuse_|queue_request|request_|flush_bg|forget_|create_kiovec|to_fuse"),
    (Subsystem.OVERLAY, r"ovl_|backing_"),
    (
        Subsystem.BACKING,
        r"shmem_|simple_|tmpfs|offset_|dcache_readdir|ext4_|jbd2_|xfs_|xlog_|btrfs_|ramfs_|mtree_|"
        r"mas_|blk_|bio_|submit_bio|iomap_|filemap_|find_get_|page_cache|mpage_",
    ),
    (
        Subsystem.MEMORY,
        r"kmem_|_*kmalloc|kv?free|kz?alloc|_*slab|_*alloc_pages|get_page|put_page|free_|_*folio|"
        r"___?cache|obj_cgroup|memcg|mod_|__memcg|get_random|rcu_(free|cblist|do)|call_rcu|"
        r"handle_mm|do_(user_addr_|anonymous|fault|wp)|exc_page_fault|asm_exc_page|lock_vma|mt_find|"
        r"clear_page|lru_|charge_|vma_|mmap_|unmap_|zap_|tlb_|flush_tlb|cgroup_|new_slab|discard_slab|"
        r"memset_page|refill_|drain_|allocate_slab|deactivate_slab|put_cpu_partial",
    ),
    (
        Subsystem.WALK,
        r"link_path|path_|walk_|lookup_|_*d_|step_into|filename_|getname|putname|dput|dget|lockref|"
        r"complete_walk|terminate_walk|nd_jump|set_root|legitimize|_*lookup|try_to_unlazy|unlazy|"
        r"mnt(put|get)|_*follow|pick_link|may_lookup|handle_dots|choose_mountpoint|full_name_hash|"
        r"hash_name|dentry_|retain_dentry|fast_dput|_*traverse|user_path|do_filp|open_last|hashlen|"
        r"open_|may_open",
    ),
    (
        Subsystem.VFS,
        r"_*vfs_|iterate_|generic_|do_statx|_*do_sys_|filldir|_*f(get|put)|fdget|do_statx|inode_|"
        r"i(get|put|hold)|igrab|new_inode|alloc_inode|inodes|file_|alloc_(empty_)?file|fd_|close_fd|"
        r"filp_|rw_verify|fsnotify|_*fsnotify|touch_atime|atime_|current_time|timestamp|ktime|"
        r"mnt_want|sb_|_*sb|ksys_|_*dnotify|do_dentry|eventpoll|read_iter|new_sync|call_read_iter|"
        r"call_write|do_(iter|readv|writev|loop)|statx_|do_fcntl|wait_on_inode|unlock_new|insert_inode|"
        r"find_inode|evict|clear_inode|destroy_inode|prune_|lease|locks_|posix_lock|fill_",
    ),
    (
        Subsystem.ENTRY,
        r"entry_|do_syscall|syscall_|_*(x64|ia32|se)_sys|x64_sys|ret_from_fork|swapgs|"
        r"exit_to_user|irqentry|error_|asm_exc|clear_bhb|__x86_|srso|its_|retbleed|native_iret|"
        r"common_interrupt_return|sync_regs|fixup_",
    ),
    (
        Subsystem.INTERRUPT,
        r"asm_(sysvec|common)|sysvec_|common_interrupt|handle_softirqs|irq_|hrtimer|tick_|run_timer|"
        r"timer_|rcu_(core|sched|note|qs|gp|nocb|report|accelerate|advance)|_*rcu_|update_process|"
        r"ktime_get|clockevents|lapic|apic_|ksoftirqd|run_ksoftirqd|tmigr|timekeeping",
    ),
    (Subsystem.IDLE, r"do_idle|cpu_startup|default_idle|cpuidle"),
)
_MATCHERS = tuple((subsystem, re.compile(pattern)) for subsystem, pattern in _RULES)
_USER = {StackOwner.CLIENT: Subsystem.CLIENT, StackOwner.SERVER: Subsystem.SERVER}


def is_user(frame: str) -> bool:
    """Whether a frame is user space's: a library, or a function of our own parts."""
    return frame != UNKNOWN_KERNEL and (frame.startswith("[") or ":" in frame)


@cache
def of_function(name: str) -> Subsystem | None:
    """The subsystem whose function this is; None for what everybody calls."""
    for subsystem, matcher in _MATCHERS:
        if matcher.match(name):
            return subsystem
    return None


def of_stack(stack: Stack) -> Subsystem:
    """The subsystem a stack's instructions belong to."""
    kind, *frames = stack
    if kind == StackOwner.INTERRUPT:
        return Subsystem.INTERRUPT
    if kind == StackOwner.IDLE:
        return Subsystem.IDLE
    if is_user(frames[-1]):
        return _USER.get(StackOwner(kind), Subsystem.PROCESS)
    for name in reversed(frames):
        if is_user(name):
            break
        if (found := of_function(name)) is not None:
            return found
    return Subsystem.OTHER


def by_function(folded: Folded) -> dict[str, Subsystem]:
    """For each function the subsystem that most of its instructions belong to."""
    sums: dict[str, Counter[Subsystem]] = {}
    for stack, count in folded.items():
        sums.setdefault(stack[-1], Counter())[of_stack(stack)] += count
    return {name: counts.most_common(1)[0][0] for name, counts in sums.items()}
