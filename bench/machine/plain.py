"""Text out of files, which a stranger may have written: no character in it is a command to a terminal."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_SUSPECT = re.compile(r"[^\x20-\x7e\n\t]")
_CONTROL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control characters, those that change the direction of text, lone surrogates, ends of lines that are
no newline, and what is no character at all."""


def text(words: str) -> str:
    """Words with everything but text replaced by "?"; newlines and tabs stay."""
    return _SUSPECT.sub(_shown, words)


def value(whole: Any) -> Any:
    """A JSON value with every string in it, keys too, as ``text`` and on one line each."""
    if isinstance(whole, str):
        return text(whole).replace("\n", " ").replace("\t", " ")
    if isinstance(whole, list):
        return [value(one) for one in whole]
    if isinstance(whole, dict):
        return {value(key): value(one) for key, one in whole.items()}
    return whole


def loads(raw: str | bytes) -> Any:
    """A JSON text's value, its strings as ``value`` gives them; raises ValueError."""
    whole = json.loads(raw)
    # Whatever is not plain JSON writes with a backslash, or as it is.
    backslash = ("\\" in raw) if isinstance(raw, str) else (b"\\" in raw)
    return value(whole) if backslash or not raw.isascii() else whole


def _shown(found: re.Match[str]) -> str:
    return "?" if unicodedata.category(found[0]) in _CONTROL else found[0]
