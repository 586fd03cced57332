"""Bundles that no `bench bundle` would write: cut short, changed on the way, or made to do harm.

``DAMAGES`` names every kind; each is a function of the dice and of a good bundle's files that gives the bytes
of a bad one. Tar blocks are put together here: a library would refuse to write most of them.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import random
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.model import SCHEMA
from bench.results.bundle import MANIFEST, VERSION

BLOCK = 512
END = bytes(2 * BLOCK)
Files = Mapping[str, bytes]
REGULAR, HARD, SYMBOLIC, PAX, GLOBAL, LONG_NAME, LONG_LINK, OLD_SPARSE = (
    b"0", b"1", b"2", b"x", b"g", b"L", b"K", b"S",
)  # fmt: skip
KINDS = [bytes([kind]) for kind in range(256) if bytes([kind]) not in (REGULAR, b"\0")]
"""Types of a member that are no plain file; most of them nobody has ever used."""


class Good(dict[str, bytes]):
    """The files of a good bundle, and a folder that nobody is to write to."""

    outside = b"/nowhere"


Damage = Callable[[random.Random, Good], bytes]


@dataclass(frozen=True)
class Member:
    """A member of an archive, as its header has it: nothing has to fit to anything."""

    name: bytes
    data: bytes = b""
    kind: bytes = REGULAR
    link: bytes = b""
    size: bytes = b""
    """The field as it stands; empty: the length of the data in octal."""
    prefix: bytes = b""
    tail: bytes = b""
    """The last bytes of the header, in the place of zeros."""
    checksum: bytes = b""

    def raw(self) -> bytes:
        """Header and data, in blocks."""
        block = bytearray(BLOCK)
        size = self.size or b"%011o\0" % len(self.data)
        for at, longest, text in (
            (0, 100, self.name), (100, 8, b"0000644\0"), (108, 8, b"0000000\0"), (116, 8, b"0000000\0"),
            (124, 12, size), (136, 12, b"00000000000\0"), (148, 8, b" " * 8), (156, 1, self.kind),
            (157, 100, self.link), (257, 8, b"ustar\x0000"), (345, 155, self.prefix), (386, 126, self.tail),
        ):  # fmt: skip
            block[at : at + min(longest, len(text))] = text[:longest]
        block[148:156] = self.checksum or b"%06o\0 " % sum(block)
        return bytes(block) + self.data + bytes(-len(self.data) % BLOCK)


def record(key: bytes, value: bytes) -> bytes:
    """One record of a pax header, its length as it should be."""
    rest = b" %s=%s\n" % (key, value)
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def pax(*records: bytes, kind: bytes = PAX) -> Member:
    """A pax header."""
    return Member(b"pax", b"".join(records), kind)


def packed(raw: bytes) -> bytes:
    """An archive's bytes, compressed."""
    return gzip.compress(raw, 1, mtime=0)


def archive(members: Iterable[Member]) -> bytes:
    """A tar.gz of them."""
    return packed(b"".join(member.raw() for member in members) + END)


def manifest(files: Files, **changes: Any) -> bytes:
    """What a bundle of these files says of itself."""
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return json.dumps(
        {"bundle": VERSION, "schema": SCHEMA, "run": "x", "sha256": sums} | changes
    ).encode()


def members(files: Files, **changes: Any) -> list[Member]:
    """The members of a good bundle."""
    whole = {MANIFEST: manifest(files, **changes), **files}
    return [Member(name.encode(), data) for name, data in whole.items()]


def with_one_more(dice: random.Random, files: Files, *more: Member) -> bytes:
    """A good bundle with further members somewhere in it."""
    good = members(files)
    at = dice.randrange(len(good) + 1)
    return archive([*good[:at], *more, *good[at:]])


@functools.cache
def _zeros(mib: int) -> bytes:
    """So many MiB of zeros as a gzip file of their own, in a thousandth of the bytes."""
    packer = zlib.compressobj(6, wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(mib)) + packer.flush()


# Damage to the file as a whole.


def as_it_was(_dice: random.Random, files: Good) -> bytes:
    """Nothing is wrong with it."""
    return archive(members(files))


def cut(dice: random.Random, files: Good) -> bytes:
    """The file ends too soon."""
    whole = archive(members(files))
    return whole[: dice.randrange(len(whole))]


def tar_cut(dice: random.Random, files: Good) -> bytes:
    """What was compressed had ended too soon."""
    raw = gzip.decompress(archive(members(files)))
    return packed(raw[: dice.randrange(len(raw))])


def flipped(dice: random.Random, raw: bytes, bound: int) -> bytes:
    """Some bytes among the first ``bound`` are others."""
    changed = bytearray(raw)
    for _ in range(dice.choice((1, 1, 3, 30))):
        changed[dice.randrange(min(bound, len(changed)))] = dice.randrange(256)
    return bytes(changed)


def bytes_flipped(dice: random.Random, files: Good) -> bytes:
    """Some bytes of the file are others."""
    whole = archive(members(files))
    return flipped(dice, whole, dice.choice((20, len(whole))))


def tar_flipped(dice: random.Random, files: Good) -> bytes:
    """Some bytes of what was compressed are others."""
    raw = gzip.decompress(archive(members(files)))
    return packed(flipped(dice, raw, dice.choice((BLOCK, len(raw)))))


def no_archive(dice: random.Random, _files: Good) -> bytes:
    """Something else of the name."""
    noise = dice.randbytes(dice.randrange(5000))
    starts = (b"", b"PK\x03\x04", b"\x1f\x8b", b"\x1f\x8b\x08\xff", b"\xfd7zXZ\0", b"BZh9", b"{}")
    return dice.choice((noise, packed(noise), packed(b""), b"", dice.choice(starts) + noise))


def twice_packed(_dice: random.Random, files: Good) -> bytes:
    """Compressed twice."""
    return packed(archive(members(files)))


def more_behind(dice: random.Random, files: Good) -> bytes:
    """Something follows the end."""
    good = archive(members(files))
    return good + dice.choice((b"x", bytes(5000), dice.randbytes(100), good, _zeros(64)))


# Members that a run does not have.


def outside(dice: random.Random, folder: bytes) -> bytes:
    """A name that leads out of a folder, perhaps into this one."""
    places = (
        folder + b"/evil", b"../outside/evil", b"series/../../../outside/evil", b"./../evil", b"..", b"/",
        b"series/../../evil.json", b"/" + folder + b"/evil", b"series/..", b"\\..\\evil", b"~/evil",
    )  # fmt: skip
    return dice.choice(places)


def names_outside(dice: random.Random, files: Good) -> bytes:
    """.. and absolute names, in the name, the prefix, a pax header or a GNU long name."""
    name, member = outside(dice, files.outside), Member(b"series/a.json", b"evil")
    return with_one_more(dice, files, *dice.choice((
        (Member(name, b"evil"),),
        (Member(b"evil.json", b"evil", prefix=name),),
        (pax(record(b"path", name)), member),
        (pax(record(b"path", name), kind=GLOBAL), member),
        (Member(b"././@LongLink", name + b"\0", LONG_NAME), member),
    )))  # fmt: skip


def links(dice: random.Random, files: Good) -> bytes:
    """A link, soft or hard, to what is outside, and a member that would be written through it."""
    target = dice.choice((files.outside + b"/kept", b"../outside/kept", b"run.json", b"."))
    name = dice.choice((b"run.json", b"series", b"series/l.json", b"trials.jsonl"))
    link = Member(name, b"", dice.choice((HARD, SYMBOLIC)), target)
    through = Member(dice.choice((name, b"series/kept")), b"evil")
    told = pax(record(b"linkpath", target), record(b"path", name))
    return with_one_more(dice, files, *dice.choice(((link, through), (told, link), (link,))))


def other_kinds(dice: random.Random, files: Good) -> bytes:
    """Devices, fifos, folders and types that do not exist, of a name that a run has."""
    name = dice.choice((b"run.json", b"costs.jsonl", b"series/d.json", b"series", b"x"))
    data = dice.choice((b"", b"evil"))
    return with_one_more(dice, files, Member(name, data, dice.choice(KINDS), tail=b"\x03\x03"))


def twice_of_a_name(dice: random.Random, files: Good) -> bytes:
    """Two members of a name; the sum is of the first, of the second, or of both."""
    good = members(files)
    one = dice.choice(good)
    other = dice.choice((one.data, b"{}", b""))
    pair = [one, Member(one.name, other)]
    dice.shuffle(pair)
    return archive([*pair, *(member for member in good if member is not one)])


def odd_names(dice: random.Random, files: Good) -> bytes:
    """Escapes, ends of lines, what is no UTF-8, blanks, too long, nested deeply."""
    name = dice.choice((
        b"run.json\n", b"\x1b[31mred\x1b[0m.json", b"series/\xff\xfe.json", b"a\r\nb.jsonl", b"", b" ",
        b"series/" + b"a/" * 40 + b"x.json", b"\xe2\x80\xae.jsonl", b"series/\xc3\xa9\xcc\x81.json",
        b"series/..json", b"series/.json", b"trials.jsonl/", b"./run.json", b"RUN.JSON", b"series//a.json",
        b"series/" + b"\xf0\x9d\x95\xa9" * 20 + b".json", dice.randbytes(dice.randrange(1, 60)),
    ))  # fmt: skip
    more = Member(name, b"evil")
    if dice.random() < 0.3:
        return with_one_more(dice, files, pax(record(b"path", name)), Member(b"x", b"evil"))
    return with_one_more(dice, files, more)


def told_of(dice: random.Random, files: Good) -> bytes:
    """Files that the manifest tells of, of names that lead outside, or that no file system has."""
    long = b"series/" + b"n" * dice.choice((90, 200, 244, 245, 250, 280, 3000)) + b".json"
    wide = "series/" + "\u6f22" * dice.choice((20, 82, 83, 90)) + ".json"
    odd = (long, wide.encode(), b"series/..json", b"z" * 250 + b".jsonl")
    name = dice.choice((*odd, outside(dice, files.outside)))
    told = {**files, name.decode(): b"{}"}
    front = members(files, sha256=json.loads(manifest(told))["sha256"])
    return archive([*front, pax(record(b"path", name)), Member(name[:100], b"{}")])


def deep(dice: random.Random, files: Good) -> bytes:
    """Names of very many folders."""
    name = dice.choice((b"a/", b"../", b"series/", b"./")) * dice.choice((50, 3000)) + b"x.json"
    told = dice.choice(
        (pax(record(b"path", name)), Member(b"././@LongLink", name + b"\0", LONG_NAME))
    )
    return with_one_more(dice, files, told, Member(b"x", b"evil"))


# Too much of something.


def sizes(dice: random.Random, files: Good) -> bytes:
    """A size that is not that of the data: huge, below zero, no number."""
    size = dice.choice((
        b"77777777777\0", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"\x80" + bytes(10) + b"\x01",
        b"-0000000001\0",
        b"no number\0\0\0", b"9" * 12, b" " * 12, bytes(12), b"00000000001\0", b"\xff" * 11 + b"\x00",
        b"\x80" + bytes(3) + b"\x7f" + bytes(7), b"1_0", b"0x10",
    ))  # fmt: skip
    good = members(files)
    at = dice.randrange(len(good))
    kind = dice.choice((REGULAR, REGULAR, PAX, GLOBAL, LONG_NAME, OLD_SPARSE))
    odd = Member(good[at].name, good[at].data, kind, size=size)
    return archive([*good[:at], odd, *good[at:]])


def bomb(dice: random.Random, files: Good) -> bytes:
    """A few kilobytes that stand for very many: as a file, a header, or behind the end."""
    mib = dice.choice((33, 64, 200))
    kind = dice.choice((REGULAR, REGULAR, PAX, GLOBAL, LONG_NAME, LONG_LINK))
    name = dice.choice((b"trials.jsonl", b"run.json", MANIFEST.encode(), b"series/b.json"))
    raw = Member(name, kind=kind, size=b"%011o\0" % (mib << 20)).raw()
    front = [member for member in members(files) if member.name != name]
    before = b"".join(member.raw() for member in front[: dice.randrange(len(front) + 1)])
    return packed(before + raw) + _zeros(mib) + packed(END)


def many_small_bombs(dice: random.Random, files: Good) -> bytes:
    """Files that are small each and too much together, or twice the same."""
    count, mib = 24, 2
    names = [f"series/{n}.json" if dice.random() < 0.9 else "series/0.json" for n in range(count)]
    raw = [Member(name.encode(), size=b"%011o\0" % (mib << 20)).raw() for name in names]
    front = b"".join(member.raw() for member in members(files))
    return packed(front) + b"".join(packed(one) + _zeros(mib) for one in raw) + packed(END)


def sparse(dice: random.Random, files: Good) -> bytes:
    """Files with holes, of every format GNU tar has had, of sizes no disk has."""
    real = dice.choice((0, 10, 1 << 24, 1 << 29, 1 << 40, 1 << 62, 10**30, -1))
    number = str(real).encode()
    name = dice.choice((b"run.json", b"series/s.json", b"trials.jsonl"))
    data = dice.choice((b"", b"1\n0\n1\n" + bytes(600), b"9" * 600, bytes(BLOCK)))
    hole = b"%011o\0" % 0 + b"%011o\0" % len(data)
    tails = (b"", hole * 4 + b"\x01", (b"\x80" + b"\xff" * 11) * 8 + b"\x01")
    odd = dice.choice((b"0,1,2", b"x", b",".join([b"0"] * 999), b"0," + number, b"-1,-1", b""))
    return with_one_more(dice, files, *dice.choice((
        (Member(name, data, OLD_SPARSE, tail=dice.choice(tails)), Member(b"x", bytes(BLOCK))),
        (pax(record(b"GNU.sparse.map", odd), record(b"GNU.sparse.size", number)), Member(name, data)),
        (pax(record(b"GNU.sparse.size", number), record(b"GNU.sparse.offset", b"0"),
             record(b"GNU.sparse.numbytes", number)), Member(name, data)),
        (pax(record(b"GNU.sparse.major", b"1"), record(b"GNU.sparse.minor", b"0"),
             record(b"GNU.sparse.name", name), record(b"GNU.sparse.realsize", number)), Member(name, data)),
    )))  # fmt: skip


def odd_pax(dice: random.Random, files: Good) -> bytes:
    """A pax header whose records or values are none."""
    odd = dice.choice((
        record(b"size", dice.choice((b"-1", b"9" * 30, b"x", b"", b"1e3", b"4" * 5000, b"\xff"))),
        record(b"hdrcharset", dice.choice((b"BINARY", b"\xff", b"utf-16"))) + record(b"path", b"\xff"),
        record(b"mtime", dice.choice((b"nan", b"1e999", b"-1", b"x"))), record(b"uid", b"9" * 5000),
        record(b"path", dice.choice((b"", b"\0", b"run.json\0x", b"run.json", b"a" * 70_000))),
        b"0 path=x\n", b"3 a=b\n", b"99999 path=run.json\n", b"9" * 5000 + b" path=x\n", b"path=x\n",
        b"7 path\n", b"11 path=x\n\n\n", b"\0" * 30, b"9" * 30_000, record(b"a" * 3000, b"b"),
        b"".join(record(b"%d" % n, b"v") for n in range(3000)), dice.randbytes(200),
        record(b"GNU.sparse.name", files.outside + b"/evil"), record(b"linkpath", files.outside + b"/kept"),
    ))  # fmt: skip
    name = dice.choice(list(files)).encode()
    return with_one_more(dice, files, pax(odd, kind=dice.choice((PAX, PAX, b"X", GLOBAL))),
                         Member(name, b"evil"))  # fmt: skip


def slow_pax(dice: random.Random, files: Good) -> bytes:
    """Digits upon digits, through which a search for a record goes again from each of them."""
    return with_one_more(
        dice, files, pax(b"1" * dice.choice((10_000, 1_000_000))), Member(b"x", b"")
    )


def headers_upon_headers(dice: random.Random, files: Good) -> bytes:
    """Very many headers in a row that each tell of the member that follows."""
    one = dice.choice((
        pax(record(b"path", b"run.json")),
        pax(record(b"comment", b"x"), kind=GLOBAL),
        Member(b"././@LongLink", b"run.json\0", LONG_NAME),
        Member(b"././@LongLink", b"run.json\0", LONG_LINK),
    ))  # fmt: skip
    return with_one_more(dice, files, *[one] * dice.choice((2, 1000, 5000)))


def thousands(dice: random.Random, files: Good) -> bytes:
    """Thousands of members, told of or not."""
    count = dice.choice((500, 2000))
    more = {f"series/{number}.json": b"" for number in range(count)}
    told = {**files, **more} if dice.random() < 0.5 else files
    front = members(files, sha256=json.loads(manifest(told))["sha256"])
    return archive([*front, *(Member(name.encode()) for name in more)])


# What is in it.


def other_sums(dice: random.Random, files: Good) -> bytes:
    """The manifest's sums are not those of the files, or of other files."""
    sums = json.loads(manifest(files))["sha256"]
    name = dice.choice(list(sums))
    return archive(members(files, sha256=dice.choice((
        {}, sums | {name: "0" * 64}, sums | {name: sums[name].upper()}, sums | {name: ""},
        sums | {"costs.jsonl": "0" * 64}, sums | {"../evil": "0" * 64}, sums | {"a\nb\x1b[0m": "0" * 64},
        sums | {"n" * 301: "0" * 64}, sums | {MANIFEST: "0" * 64},
        {k: v for k, v in sums.items() if k != name},
        {str(number): "0" * 64 for number in range(5000)}, sums | {"\ud800": "0" * 64},
    ))))  # fmt: skip


def other_manifest(dice: random.Random, files: Good) -> bytes:
    """A manifest of another version, of other types, or no JSON."""
    text = dice.choice((
        manifest(files, bundle=2), manifest(files, schema=99), manifest(files, bundle=True), b"null",
        manifest(files, bundle="1\n"), manifest(files, sha256=[]), manifest(files, run=[1]), b"{}", b"",
        b"[" * 100_000, b'{"a":' * 3000, b"1" + b"0" * 5000, b"\xff\xfe", b"NaN", manifest(files)[:-1],
        manifest(files, bundle=10**400), manifest(files, run="\x1b[31m\n" * 9), b" " * 100_000,
        manifest(files, schema=1.0),
        b"[" + b"[]," * 80_000 + b"[]]", b" " * 1_000_000, b"\xef\xbb\xbf" + manifest(files),
    ))  # fmt: skip
    rest = [Member(name.encode(), data) for name, data in files.items()]
    if dice.random() < 0.1:
        return archive(rest)
    return archive([Member(MANIFEST.encode(), text), *rest])


def other_run(dice: random.Random, files: Good) -> bytes:
    """run.json is none, with the right sum."""
    text = dice.choice((
        b"", b"{", b"[]", b"{}", b"[" * 100_000, b'{"schema": 2}', b"\xff", b'{"schema": "\\u001b[31m\\n"}',
        b'{"schema": 1, "settings": []}', b"1" * 5000, b'{"schema": NaN}', b"\0" * 100,
        b"[" + b"{}," * 80_000 + b"{}]", b" " * 1_000_000,
    ))  # fmt: skip
    changed = files | {"run.json": text}
    if dice.random() < 0.2:
        del changed["run.json"]
    return archive(members(changed))


def other_checksum(dice: random.Random, files: Good) -> bytes:
    """A header whose own sum is wrong, or of signed bytes, or no number."""
    good = members(files)
    at = dice.randrange(len(good))
    sums = (b"0000000\0", b"\xff" * 8, b"        ", b"777777\0 ", b"-00001\0 ")
    odd = Member(good[at].name, good[at].data, checksum=dice.choice(sums))
    return archive([*good[:at], odd, *good[at + 1 :]])


def noise_behind_a_header(dice: random.Random, files: Good) -> bytes:
    """Bytes without order where the next header should be."""
    raw = b"".join(member.raw() for member in members(files)[: dice.randrange(4)])
    return packed(raw + dice.randbytes(dice.randrange(3000)))


DAMAGES: dict[str, Damage] = {
    one.__name__.replace("_", " "): one
    for one in (
        as_it_was, cut, tar_cut, bytes_flipped, tar_flipped, no_archive, twice_packed, more_behind,
        names_outside, links, other_kinds, twice_of_a_name, odd_names, told_of, deep, sizes, bomb,
        many_small_bombs, sparse, odd_pax, slow_pax, headers_upon_headers, thousands, other_sums,
        other_manifest, other_run, other_checksum, noise_behind_a_header,
    )
}  # fmt: skip
