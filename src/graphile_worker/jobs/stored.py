"""What the columns of a job hold, as Python values."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any, Final

import msgspec

from graphile_worker.errors import PayloadError
from graphile_worker.payloads.codec import from_json

_NO_FLAGS: Final[frozenset[str]] = frozenset()
_FIRST: Final = datetime(MINYEAR, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(MAXYEAR, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_flags: Final = msgspec.json.Decoder(dict[str, object])


def payload_of(text: str) -> Any:
    """The stored JSON; its text where Python cannot hold it (nested too deep, endless digits).

    One such job must not hide the others of a list.
    """
    try:
        return from_json(text)
    except PayloadError:
        return text


def flags_of(text: str | None) -> frozenset[str]:
    """The names in a stored `flags` object."""
    return _NO_FLAGS if text is None else frozenset(_flags.decode(text))


def aware(moment: datetime) -> datetime:
    """A time of any driver: where it comes without a zone, it is UTC."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """The time so many seconds after 1970; the first or last there is, where it lies beyond."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError):
        return _LAST if seconds > 0 else _FIRST
