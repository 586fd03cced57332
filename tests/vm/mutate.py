"""Break the kernel on purpose, one line at a time, and see the guest tests fail.

    python -m tests.vm.mutate TREE OUT [NAME...]

TREE is a patched source tree that may be edited (each edit is undone), OUT a
configured and built O= directory of it.  For each mutation the kernel is rebuilt
and its variant booted; a mutation that no test notices is a hole in the tests.
Not part of `make test`: a minute each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.kernels.images import Image
from tests.vm.conftest import Boot, run_variant


@dataclass(frozen=True)
class Mutation:
    """`old` occurs once in fs/fuse/`file`; `caught_by` is a test to fail by it."""

    name: str
    file: str
    old: str
    new: str
    variant: str
    caught_by: str


MUTATIONS = (
    Mutation(
        "getattr: the server is asked all the same",
        "fuse_i.h",
        "return fuse_iops_switched_on(opcode) ? fb : NULL;",
        "return opcode != FUSE_GETATTR && fuse_iops_switched_on(opcode) ? fb : NULL;",
        "attach-getattr",
        "test_attach_getattr_is_asked_once_until_the_inode_is_evicted",
    ),
    Mutation(
        "getattr: attributes of the FUSE inode are not refreshed",
        "iops.c",
        "\tfuse_change_attributes(inode, &attr, NULL, 0, attr_version);\n",
        "",
        "attach-getattr",
        "test_a_growing_and_a_shrinking_file_cut_the_page_cache",
    ),
    Mutation(
        "readdir: seeks are copied, not made",
        "dir.c",
        "\tif (fuse_file_passthrough(ff))\n\t\treturn fuse_passthrough_dir_llseek",
        "\tif (0)\n\t\treturn fuse_passthrough_dir_llseek",
        "attach-getattr",
        "test_readdir_of_tmpfs_passes_through_with_its_positions",
    ),
    Mutation(
        "readdir: FOPEN_CACHE_DIR is let through",
        "passthrough.c",
        "if (ff->open_flags & FOPEN_CACHE_DIR)",
        "if (0)",
        "attach-getattr",
        "test_wrong_replies_to_opendir_fail_the_open",
    ),
    Mutation(
        "attach: any inode number will do",
        "iops.c",
        "if (backing_inode->i_ino != ino ||",
        "if (",
        "attach-getattr",
        "test_wrong_ids_and_inode_numbers_fail_with_eio",
    ),
    Mutation(
        "attach: the backing file is never put",
        "inode.c",
        "\tfuse_inode_detach(inode);\n",
        "",
        "attach-getattr",
        "test_no_backing_file_outlives_the_mount",
    ),
    Mutation(
        "setattr: the caller's rights are not checked",
        "iops.c",
        "\terr = fuse_backing_may_setattr(path, &change);",
        "\terr = 0;",
        "attach-lookup",
        "test_setattr_checks_the_rights_of_the_caller",
    ),
    Mutation(
        "setattr: suid is dropped by the mode of the FUSE inode alone",
        "iops.c",
        "\t\t\tsetattr_should_drop_suidgid(idmap, inode);",
        "\t\t\t0;",
        "attach-lookup",
        "test_setattr_drops_suid_and_sgid",
    ),
    Mutation(
        "lookup: the caller's rights are not checked on the backing directory",
        "iops.c",
        "return inode_permission(mnt_idmap(fb->path.mnt), backing, mask);",
        "return 0;",
        "lookup",
        "test_an_acl_underneath_denies_search",
    ),
    Mutation(
        "lookup: entries are never compared again",
        "iops.c",
        "ret = d_inode(child) == fuse_backing_inode(fb);",
        "ret = 1;",
        "lookup",
        "test_names_that_change_underneath",
    ),
    Mutation(
        "lookup: the server is not introduced",
        "fuse_i.h",
        "return fuse_inode_unmet(inode) ? fuse_do_introduce(inode) : 0;",
        "return 0;",
        "lookup",
        "test_a_server_is_introduced_before_it_is_asked",
    ),
    Mutation(
        "lookup: a FORGET is sent for a node that was never looked up",
        "inode.c",
        "\t\tset_bit(FUSE_I_UNMET, &fi->state);\n",
        "\t\tset_bit(FUSE_I_UNMET, &fi->state);\n\t\tfi->nlookup = 1;\n",
        "lookup",
        "test_cold_ls_l_of_1000_entries_sends_nothing",
    ),
    Mutation(
        "lookup: what is mounted underneath is not left to the server",
        "iops.c",
        "if (d_managed(child)) {",
        "if (0) {",
        "lookup",
        "test_mount_points_underneath_are_left_to_the_server",
    ),
    Mutation(
        "listing: the caller's room is not looked at",
        "readdir.c",
        "return clamp_t(size_t, ctx->room, PAGE_SIZE,",
        "return clamp_t(size_t, 0, PAGE_SIZE,",
        "mainline",
        "test_a_listing_asks_for_as_much_as_the_caller_has_room_for",
    ),
    Mutation(
        "entry: a statx mask of zero is refused",
        "dir.c",
        "\tif (out2->statx.mask &&\n",
        "\tif (1 &&\n",
        "attach-lookup",
        "test_an_entry_without_a_statx_mask_is_taken_for_a_whole_one",
    ),
    Mutation(
        "truncate: append-only files are not refused",
        "iops.c",
        "\tif (IS_APPEND(inode))\n\t\treturn -EPERM;\n",
        "",
        "attach-lookup",
        "test_an_append_only_file_is_not_truncated",
    ),
    Mutation(
        "truncate: leases are not broken",
        "iops.c",
        "\terr = break_lease(inode, O_WRONLY);",
        "\terr = 0;",
        "attach-lookup",
        "test_truncate_breaks_a_lease",
    ),
    Mutation(
        "chown: setgid goes by the FUSE inode",
        "iops.c",
        "\t\t\tsetattr_should_drop_sgid(idmap, inode);",
        "\t\t\t0;",
        "attach-lookup",
        "test_chown_by_root_drops_a_setgid_bit_set_underneath",
    ),
    Mutation(
        "write: set-id bits go by the FUSE inode",
        "iops.c",
        "\tif (fb && is_sxid(fuse_backing_inode(fb)->i_mode))",
        "\tif (0)",
        "attach-getattr",
        "test_a_write_drops_set_id_bits_that_were_set_underneath",
    ),
    Mutation(
        "permissions: the FUSE inode is never out of date",
        "iops.c",
        "\tif (!backing || !fb->local || !fb->same_ids)\n\t\treturn true;\n",
        "\treturn false;\n",
        "attach-lookup",
        "test_a_directory_closed_underneath_is_closed_whatever_the_timeouts",
    ),
    Mutation(
        "names: what is unhashed has its name still",
        "iops.c",
        "\t\t\t!d_unhashed(child) && d_inode_rcu(child) &&",
        "\t\t\td_inode_rcu(child) &&",
        "lookup",
        "test_names_compared_in_rcu_mode_are_those_underneath",
    ),
    Mutation(
        "names: the count of a compared entry is not looked at",
        "iops.c",
        "\tif (time != fuse_entry_compared(raw_read_seqcount(&entry->d_seq),",
        "\tif (0 && time != fuse_entry_compared(raw_read_seqcount(&entry->d_seq),",
        "lookup",
        "test_names_compared_in_rcu_mode_are_those_underneath",
    ),
    Mutation(
        "introduction: a name that is gone is not dropped",
        "iops.c",
        "\t\tif (err == -ESTALE && !d_is_dir(dentry)) {",
        "\t\tif (0) {",
        "lookup",
        "test_a_name_that_came_back_is_no_stale_handle",
    ),
    Mutation(
        "xattrs: trusted names are listed to all",
        "iops.c",
        "\tif (!ret || (ret < 0 && ret != -ERANGE) ||",
        "\tif (1 ||",
        "lookup",
        "test_trusted_names_are_listed_to_root_alone",
    ),
    Mutation(
        "xattrs: the caller's rights are not checked underneath",
        "iops.c",
        "\treturn inode_permission(idmap, inode, mask);",
        "\treturn 0;",
        "attach-lookup",
        "test_rights_to_xattrs_are_those_of_a_native_file",
    ),
    Mutation(
        "xattrs: the bits are always taken",
        "iops.c",
        "\t\t\t~READ_ONCE(fuse_iops_switched_off);",
        "\t\t\t~0ULL;",
        "attach-lookup",
        "test_bits_of_xattrs_are_unknown_unless_switched_on",
    ),
    Mutation(
        "xattrs: attributes are not read again",
        "iops.c",
        "\tfuse_invalidate_attr(inode);\n}\n\nstatic int fuse_backing_setxattr(",
        "}\n\nstatic int fuse_backing_setxattr(",
        "attach-lookup",
        "test_a_changed_xattr_changes_the_attributes_that_the_kernel_keeps",
    ),
    Mutation(
        "ACLs: setgid stays",
        "iops.c",
        "\tif (kill_sgid)\n",
        "\tif (0)\n",
        "attach-lookup",
        "test_acls_pass_through",
    ),
)


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    text = path.read_text()
    if text.count(old) != 1:
        raise SystemExit(f"{path}: {text.count(old)} times: {old!r}")
    path.write_text(text.replace(old, new))
    try:
        yield
    finally:
        path.write_text(text)


def make(tree: Path, out: Path) -> None:
    argv = ["make", "-s", "-C", str(tree), f"O={out}", f"-j{os.cpu_count()}", "bzImage"]
    # the compiler's opinion of a mutation is of no interest
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def verdict(mutation: Mutation, boot: Boot) -> str:
    failed = [name for name, entry in boot.tests.items() if entry["outcome"] == "failed"]
    if boot.done is None:
        return f"caught: {boot.result.outcome}, {boot.result.reason}"
    if mutation.caught_by in failed:
        others = len(failed) - 1
        return f"caught by {mutation.caught_by}" + (f" and {others} more" if others else "")
    if boot.result.splats:
        return f"caught by the kernel: {boot.result.splats[0]}"
    return f"SURVIVED, failed: {', '.join(failed) or 'none'}"


def run(mutation: Mutation, tree: Path, out: Path) -> str:
    image = Image(mutation.name, out / "arch/x86/boot/bzImage")
    with edited(tree / "fs/fuse" / mutation.file, mutation.old, mutation.new):
        make(tree, out)
        with tempfile.TemporaryDirectory() as share:
            return verdict(mutation, run_variant(mutation.variant, Path(share), image))


def main(tree: str, out: str, *names: str) -> int:
    survived = 0
    for mutation in MUTATIONS:
        if names and not any(name in mutation.name for name in names):
            continue
        line = run(mutation, Path(tree), Path(out).resolve())
        survived += line.startswith("SURVIVED")
        print(f"{mutation.name} [{mutation.variant}]\n    {line}", flush=True)
    make(Path(tree), Path(out).resolve())
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
