"""xattr-list: list the extended attributes of open files, again and again."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bench.model import Body, Bound, Context, Group, Opcode, Workload, XattrWay
from workloads import _xattrs


def prepare(context: Context) -> Body:
    """Every file must list as many bytes of names as the first does in the backing."""
    if not _xattrs.has_any(context):
        return _xattrs.storm(context, "listxattr")
    side = context.backing or context.root
    names = os.listxattr(side / _xattrs.FOLDER / "0000")
    return _xattrs.storm(context, "listxattr", expected=sum(len(name) + 1 for name in names))


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """One request each, none once ENOSYS was the answer."""
    each = 0 if context.xattr == XattrWay.ENOSYS else 1
    return {Opcode.LISTXATTR: Bound(each, each)}


WORKLOAD = Workload(
    name="xattr-list",
    summary="flistxattr of known files that have one attribute",
    op="flistxattr of an open file",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.LISTXATTR}),
    expect=expect,
    group=Group.XATTRS,
    usual=(),
    fixtures=lambda _variant: (_xattrs.FIXTURE,),
    about="LISTXATTR; no posted series takes it, --xattr passthrough does",
)
