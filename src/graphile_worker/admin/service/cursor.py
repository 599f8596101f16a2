"""Places in lists as opaque text, for addresses."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, Final

from graphile_worker.errors import ConfigurationError
from graphile_worker.queries.admin_jobs import Place

_LONGEST: Final = 200
_TIME: Final = re.compile(r"-?infinity|[\d+: .BC-]{1,40}", re.ASCII)
_BIGINT: Final = range(-(2**63), 2**63)


def write_cursor(place: Place | None) -> str | None:
    """The text for a place."""
    if place is None:
        return None
    data = json.dumps([place.id, place.priority, place.at], separators=(",", ":"))
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> Place | None:
    """The place that a text of `write_cursor` stands for; empty is the beginning.

    Raises:
        ConfigurationError: it is no such text.
    """
    if not text:
        return None
    try:
        padded = text[:_LONGEST].encode("ascii") + b"=" * (-len(text) % 4)
        return _place(json.loads(base64.b64decode(padded, altchars=b"-_", validate=True)))
    except (ValueError, binascii.Error):
        raise ConfigurationError(
            f"after must be a `next` of an earlier answer, got {text[:40]!r}"
        ) from None


def _place(data: Any) -> Place:
    match data:
        case [int(id_), int() | None as priority, str() | None as at]:
            if id_ in _BIGINT and (priority is None or priority in range(-(2**15), 2**15)):
                return Place(id_, priority, None if at is None else _time(at))
        case _:
            pass
    raise ValueError(data)


def _time(text: str) -> str:
    """A time as PostgreSQL writes it: nothing else reaches the cast."""
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return text
