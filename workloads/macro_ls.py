"""macro-ls: the real program, once over the whole tree, on a fresh mount."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import FOREVER, Bound, Context, Group, Opcode, Shape, Workload, XattrWay
from workloads import _layout, walk_find
from workloads._bodies import Program


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """Every directory is opened once. Of each entry ls asks for a label and an access list, of each
    directory for a default one as well; one that is linked without SELinux asks for no label. Told
    that there are none, it remembers that of the device; of lists no kernel asks in a user namespace."""
    tree = _layout.spec(context)
    entries = tree.file_count + tree.dir_count
    most = 2 * tree.file_count + 3 * tree.dir_count
    least = entries if context.acls else 0
    asked = Bound(least, most) if XattrWay(context.xattr).has_any else Bound(0, 6)
    return {
        Opcode.OPENDIR: Bound(tree.dir_count, tree.dir_count),
        Opcode.GETXATTR: asked,
    }


WORKLOAD = Workload(
    name="macro-ls",
    summary="ls -lR",
    op="one run of ls -lR",
    unit="run",
    prepare=lambda context: Program(["ls", "-lR", str(context.root / "tree")]),
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    needs=("ls",),
    group=Group.PROGRAMS,
    about="READDIRPLUS, two GETXATTR an entry; attach-getattr takes the listing",
    expect=expect,
)
