"""The cost of a request, read from stacks."""

from __future__ import annotations

import pytest

from bench.profile import requests
from bench.profile.store import Profile

CALL = ("client", "opdriver:drive", "entry_SYSCALL_64", "vfs_statx")
SERVER = ("server", "mirror:loop_run", "[libfuse3.so.3]")
FOLDED = {
    (*CALL, "path_lookupat", "link_path_walk"): 500,
    (*CALL, "path_lookupat", "fuse_dentry_revalidate", "__fuse_simple_request", "__schedule"): 200,
    (*CALL, "fuse_do_getattr", "__fuse_simple_request", "fuse_copy_args"): 60,
    (*CALL, "fuse_do_getattr"): 40,
    (*SERVER, "mirror:op_lookup.part.0", "vfs_statx"): 90,
    (*SERVER, "mirror:op_getattr"): 30,
    (*SERVER, "entry_SYSCALL_64", "fuse_dev_do_read"): 120,
}


def test_each_side_of_a_request_is_told_by_the_functions_that_do_it() -> None:
    """What is done for every request is shared by number; what needs none belongs to no request."""
    lookup, getattr_ = requests.measured(Profile(FOLDED, 10), {"LOOKUP": 2.0, "GETATTR": 1.0})
    assert (lookup.opcode, lookup.per_op) == ("LOOKUP", 2.0)
    assert lookup.client == {"scheduler and wake-up": 10.0}
    assert lookup.server == {"VFS": 4.5, "FUSE": 4.0}
    assert getattr_.client == {"copying to and from user": 6.0, "FUSE": 4.0}
    assert getattr_.server == {"server's user space": 3.0, "FUSE": 4.0}
    whole = sum(one.total * one.per_op for one in (lookup, getattr_))
    assert whole == pytest.approx((sum(FOLDED.values()) - 500) / 10)


def test_what_stays_is_what_a_passthrough_does_as_well() -> None:
    """FUSE's part of an answer and the backing's stat stay; a listing's entries are handed on once."""
    folded = {
        (*CALL, "fuse_do_getattr", "fuse_fillattr"): 40,
        (*CALL, "fuse_do_getattr", "__fuse_simple_request", "__schedule"): 300,
        (*SERVER, "mirror:op_getattr", "do_syscall_64", "vfs_fstat"): 20,
        (*SERVER, "mirror:op_getattr", "do_syscall_64", "cp_new_stat"): 30,
        (*CALL, "iterate_dir", "fuse_readdir_uncached", "filldir64"): 50,
        (*CALL, "iterate_dir", "fuse_readdir_uncached", "d_alloc_parallel"): 60,
        (*SERVER, "mirror:reply_listing", "iterate_dir", "offset_readdir"): 70,
        (*SERVER, "mirror:reply_listing", "iterate_dir", "offset_readdir", "filldir64"): 80,
    }
    found = requests.measured(Profile(folded, 10), {"GETATTR": 1.0, "READDIRPLUS": 0.5})
    assert {one.opcode: one.stays for one in found} == {"GETATTR": 6.0, "READDIRPLUS": 24.0}


def test_a_function_that_sends_several_opcodes_gives_the_one_that_was_sent() -> None:
    """READDIRPLUS goes out by the function that READDIR does, and LOOKUP only where there was one."""
    folded = {
        (*CALL, "iterate_dir", "fuse_readdir_uncached", "__fuse_simple_request"): 70,
        (*CALL, "path_lookupat", "fuse_dentry_revalidate"): 5,
    }
    folded[(*SERVER, "mirror:reply_listing.isra.0")] = 20
    sent = {"READDIRPLUS": 0.1, "LOOKUP": 0.0, "OPENDIR": 0.1}
    listing, opening = requests.measured(Profile(folded, 10), sent)
    assert (listing.opcode, listing.total) == ("READDIRPLUS", pytest.approx(90.0))
    assert (opening.opcode, opening.total) == ("OPENDIR", 0.0)
