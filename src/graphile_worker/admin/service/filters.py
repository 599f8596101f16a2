"""Filters as they stand in addresses, and what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.fine_state import SELECTABLE
from graphile_worker.queries.admin_jobs import ANY_TIME, Moment, Order, Wanted

FIELDS: Final = (
    *("state", "task", "queue", "key", "error", "payload", "worker", "flag", "attempts"),
    *("created", "run", "fingerprint", "q", "scope"),
)
"""The parameters of a filter; others are not for it."""

LONGEST: Final = 2_048
"""Characters of a filter, all told."""
SCOPES: Final = (20_000, 100_000, 10_000_000)
"""How many jobs of a state are looked at for what no index finds: by default, or on request."""

_ORDERS: Final = {
    **dict.fromkeys(("ready", "blocked", "unclaimed", "waiting"), Order.NEXT_TO_RUN),
    **dict.fromkeys(("scheduled", "later"), Order.NEXT_DUE),
    "retrying": Order.NEXT_RETRY,
    **dict.fromkeys(("running", "stuck", "locked"), Order.LONGEST_LOCKED),
}
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_RELATIVE: Final = re.compile(r"([+-]?)(\d{1,9})([smhdw])", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,5}", re.ASCII)
_COMPARED: Final = re.compile(r"(>=|<=|>|<)(\d{1,5})", re.ASCII)
_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_PATH: Final = re.compile(r"[\w$-]+(?:\.[\w$-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs somebody wants to see, as typed and as understood.

    Attributes:
        fields: what was given, in the order of `FIELDS`; goes back into addresses as it is.
        wanted: what it means.
        scope: how many jobs are looked at where `is_searching`.
    """

    fields: dict[str, str]
    wanted: Wanted
    scope: int = SCOPES[0]

    @property
    def order(self) -> Order:
        """The order that suits the state."""
        return _ORDERS.get(self.wanted.state, Order.NEWEST)

    @property
    def is_searching(self) -> bool:
        """Whether something is wanted that no index helps to find."""
        return any(name not in {"state", "task", "queue", "scope"} for name in self.fields) and (
            self.wanted.key is None
        )

    @property
    def is_counted(self) -> bool:
        """Whether the figures that are there anyway say how many there are."""
        return set(self.fields) <= {"state", "task", "queue", "scope"}


def parse_filter(given: Mapping[str, str]) -> JobFilter:
    """The filter in the parameters of an address; empty ones are none.

    `key=abc*` is a beginning, `payload=user.id=42` a JSON value at a path, `payload=text` a text in
    it, `attempts` one of `3`, `>=3`, `2..5`, `created` and `run` times: `-1h` (since then),
    `+30m` (until then), `2026-01-01T00:00:00Z..-1d`.

    Raises:
        ConfigurationError: a value is not understood, or it is too long.
    """
    fields = {name: given[name] for name in FIELDS if given.get(name)}
    for name, value in fields.items():
        _check_text(name, value)
    if sum(map(len, fields.values())) > LONGEST:
        raise ConfigurationError(f"a filter must not be longer than {LONGEST:,} characters")
    return JobFilter(fields=fields, wanted=_wanted(fields), scope=_scope(fields.get("scope")))


def filter_of(**fields: str | None) -> JobFilter:
    """The filter with these fields; see `parse_filter`."""
    return parse_filter({name: value for name, value in fields.items() if value})


def _wanted(fields: Mapping[str, str]) -> Wanted:
    key = fields.get("key")
    is_prefix = key is not None and key.endswith("*")
    low, high = _attempts(fields.get("attempts"))
    created, run = _span("created", fields), _span("run", fields)
    return Wanted(
        state=_state(fields.get("state", "all")),
        task=fields.get("task"),
        queue=fields.get("queue"),
        key=None if is_prefix else key,
        key_prefix=key.removesuffix("*") if key is not None and is_prefix else None,
        error=fields.get("error"),
        worker=fields.get("worker"),
        flag=fields.get("flag"),
        min_attempts=low,
        max_attempts=high,
        created_from=created[0],
        created_to=created[1],
        run_from=run[0],
        run_to=run[1],
        fingerprint=fields.get("fingerprint"),
        search=fields.get("q"),
        **_payload(fields.get("payload")),
    )


def _check_text(name: str, value: str) -> None:
    if "\0" in value:
        raise ConfigurationError(f"{name} must not contain a NUL character, got {value[:40]!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name} holds a lone surrogate, got {value[:40]!r}") from None


def _state(text: str) -> str:
    if text not in SELECTABLE:
        raise _wrong("state", text, SELECTABLE)
    return text


def _scope(text: str | None) -> int:
    if text is None:
        return SCOPES[0]
    if text == "all":
        return SCOPES[-1]
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= SCOPES[-1]:
        raise _wrong("scope", text, ("a number of jobs", "all"))
    return int(text[:9])


def _attempts(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    low, dots, high = text.partition("..")
    if dots and all(part == "" or _NUMBER.fullmatch(part) for part in (low, high)):
        return (int(low) if low else None), (int(high) if high else None)
    if _NUMBER.fullmatch(text):
        return int(text), int(text)
    if found := _COMPARED.fullmatch(text):
        number = int(found[2])
        return {
            ">=": (number, None),
            ">": (number + 1, None),
            "<=": (None, number),
            "<": (None, number - 1),
        }[found[1]]
    raise _wrong("attempts", text, ("3", ">=3", "<3", "2..5"))


def _span(name: str, fields: Mapping[str, str]) -> tuple[Moment, Moment]:
    """From when, and until before when; a time for itself reaches from or to now."""
    text = fields.get(name)
    if text is None:
        return ANY_TIME, ANY_TIME
    start, dots, end = text.partition("..")
    if dots:
        return _moment(name, start), _moment(name, end)
    moment, now = _moment(name, text), Moment(seconds=0.0)
    is_past = moment.seconds < 0 if moment.seconds is not None else _is_past(moment.at)
    return (moment, now) if is_past else (now, moment)


def _moment(name: str, text: str) -> Moment:
    text = text.strip()
    if not text:
        return ANY_TIME
    if text == "now":
        return Moment(seconds=0.0)
    if found := _RELATIVE.fullmatch(text):
        seconds = float(found[2]) * _UNITS[found[3]]
        return Moment(seconds=seconds if found[1] == "+" else -seconds)
    try:
        # A plus in an address that nobody encoded arrives as a space.
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        examples = ("-1h", "+30m", "2026-01-01T00:00:00Z", "-2d..-1d")
        raise _wrong(name, text, examples) from None
    return Moment(at=at if at.tzinfo is not None else at.replace(tzinfo=UTC))


def _is_past(at: datetime | None) -> bool:
    return at is None or at <= datetime.now(UTC)


def _payload(text: str | None) -> dict[str, Any]:
    """A JSON value at a path where it looks like one, else a text."""
    if text is None:
        return {}
    path, equals, value = text.partition("=")
    if not equals or not _PATH.fullmatch(path):
        return {"payload_text": text}
    return {"payload_path": tuple(path.split(".")), "payload_value": _json(value)}


def _json(text: str) -> str:
    """The JSON that somebody means: a number, a string in quotes, true, false, null, or a text."""
    if text in {"true", "false", "null"} or _JSON_NUMBER.fullmatch(text):
        return text
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if isinstance(value, str):
            _check_text("payload", value)
            return json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False)


def _wrong(name: str, text: str, known: Iterable[str]) -> ConfigurationError:
    return ConfigurationError(f"{name} must be one of {', '.join(known)}, got {text[:80]!r}")
