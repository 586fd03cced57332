"""xattr-get: ask for one extended attribute of open files, again and again.

What ``ls -l`` (the access list), every write (the capability) and programs (their own) ask for. The
kernel keeps none of the answers but ENOSYS.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Body, Bound, Context, Group, Opcode, Workload, XattrWay
from workloads import _expect, _xattrs

NAMES = {
    "capability": "security.capability",
    "acl": "system.posix_acl_access",
    "user": _xattrs.NAME,
}


def prepare(context: Context) -> Body:
    """The variant names the attribute; only the user's own is there."""
    name = NAMES[context.variant]
    if context.variant == "user" and _xattrs.has_any(context):
        return _xattrs.storm(context, "getxattr", text=name, expected=len(_xattrs.VALUE))
    return _xattrs.storm(context, "getxattr", text=name)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """One request each. Told EOPNOTSUPP, the kernel asks for a security name a second time
    (vfs_getxattr in fs/xattr.c); told ENOSYS, it asks no more."""
    once = 0 if context.xattr == XattrWay.ENOSYS else 1
    if context.xattr == XattrWay.OFF and context.variant == "capability":
        once = 2
    bounds = {Opcode.GETXATTR: Bound(once, once)}
    # The right to read a user's attribute is that to read the file, which is checked by its mode.
    if context.variant == "user":
        bounds[Opcode.GETATTR] = _expect.exactly(context.attr_timeout, 1)
    return bounds


WORKLOAD = Workload(
    name="xattr-get",
    summary="fgetxattr of known files: of a capability or access list they lack, of one they have",
    op="fgetxattr of an open file",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.GETXATTR}),
    variants=tuple(NAMES),
    expect=expect,
    group=Group.XATTRS,
    usual=("acl",),
    fixtures=lambda _variant: (_xattrs.FIXTURE,),
    about="GETXATTR; no posted series takes it, --xattr passthrough does",
)
