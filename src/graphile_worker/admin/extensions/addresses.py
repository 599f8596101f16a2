"""Addresses that a host names and that pages link to."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

_WITH_HOST: Final = {"http", "https"}


def is_safe(address: str) -> bool:
    """Whether a link may lead there: to a web page or a mailbox, never into a script.

    Browsers leave out tabs and line ends, and take a backslash for a slash: neither is let in.
    """
    if not address.isprintable() or any(char in ' \\"<>' for char in address):
        return False
    if address.startswith("/"):
        return not address.startswith("//")
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.netloc) if parts.scheme in _WITH_HOST else parts.scheme == "mailto"
