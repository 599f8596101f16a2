"""Sizes of memory as people type them: `512MB`, `1GiB`, `300M`; a number is bytes."""

from __future__ import annotations

import re
from typing import Final

import click

_UNITS: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
"""As systemd and Docker read them: the bare letters are powers of two."""

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.ASCII)


def parse_size(text: str) -> int:
    """The bytes that a text names.

    Raises:
        ValueError: it is no size, or has an unknown unit, or is 0.
    """
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"invalid size `{text}`; write it like 512MB or 1GiB")
    if found[2] not in _UNITS:
        raise ValueError(f"unsupported unit `{found[2]}`; there are KB, MB, GB, KiB, MiB, GiB")
    parsed = int(float(found[1]) * _UNITS[found[2]])
    if not parsed:
        raise ValueError("must be more than 0")
    return parsed


def size(text: str) -> int:
    """A size on the command line: `click.option(type=size)`."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
