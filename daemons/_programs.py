"""Servers that are other people's programs: whether they are here, and what supplies them."""

from __future__ import annotations

import shutil


def not_installed(program: str, package: str) -> str:
    """Why a program of a Debian package cannot be started; empty when it can."""
    return "" if shutil.which(program) else f"{program} is not installed: apt install {package}"
