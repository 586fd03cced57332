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
        "\terr = fuse_passthrough_may_setattr(path, attr);",
        "\terr = 0;",
        "attach-lookup",
        "test_setattr_checks_the_rights_of_the_caller",
    ),
    Mutation(
        "setattr: suid is dropped by the mode of the FUSE inode alone",
        "iops.c",
        "\treturn setattr_should_drop_suidgid(mnt_idmap(path->mnt), inode);",
        "\treturn 0;",
        "attach-lookup",
        "test_setattr_drops_suid_and_sgid",
    ),
    Mutation(
        "lookup: the caller's rights are not checked on the backing directory",
        "iops.c",
        "err = inode_permission(idmap, fuse_backing_inode(dir), MAY_EXEC);",
        "err = 0;",
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
        "dev.c",
        "if (READ_ONCE(fc->unmet_inodes) &&",
        "if (0 &&",
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
