"""What people type into forms; what is not understood is an error, never left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Final

from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.spec import RunAt

_SPAN: Final = re.compile(r"\+?\s*(\d{1,9}(?:\.\d{1,6})?)\s*([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WHOLE: Final = re.compile(r"[+-]?\d{1,10}", re.ASCII)


def whole_number(name: str, given: Mapping[str, str], *, field: str | None = None) -> int | None:
    """A whole number; None where the field is empty.

    Args:
        name: of what it is, for an error; of its field too, unless that has another one.
        given: the fields of the form.
        field: of the form.

    Raises:
        ConfigurationError: something else stands there.
    """
    text = given.get(field or name, "").strip()
    if not text:
        return None
    if not _WHOLE.fullmatch(text):
        raise ConfigurationError(f"{name} must be a whole number, got {text[:80]!r}")
    return int(text)


def run_at(given: Mapping[str, str], zone: tzinfo) -> RunAt | None:
    """A time, or a span from now: `now`, `+10m`, `2h`, `2026-01-31 08:00`; None where it is empty.

    A time without a zone is one of the viewer's.

    Raises:
        ConfigurationError: something else stands there.
    """
    text = given.get("run_at", "").strip()
    if not text:
        return None
    if text.lower() == "now":
        return timedelta(0)
    if found := _SPAN.fullmatch(text.lower()):
        return timedelta(**{_UNITS[found[2]]: float(found[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"run_at must be a time, or a span like +10m or 2h, got {text[:80]!r}"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
