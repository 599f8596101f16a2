"""`Crontab`: one recurring job, as text and builder both make it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import Enum
from typing import Any
from urllib.parse import quote

from graphile_worker.cron.checks import OPTION_NAMES, check_option
from graphile_worker.cron.expression import Expression
from graphile_worker.cron.fill import CrontabFill
from graphile_worker.cron.runs import MINUTE, first_run
from graphile_worker.cron.zones import UTC_NAME, zone_of
from graphile_worker.errors import CrontabError, PayloadError
from graphile_worker.payloads.codec import from_json, to_json
from graphile_worker.payloads.reserved_keys import CRON


class CronJobKeyMode(Enum):
    """What a run does when the job with its key is still there.

    `REPLACE` overwrites all of it; `PRESERVE_RUN_AT` the same but keeps `run_at` while the job was
    not tried yet.
    """

    REPLACE = "replace"
    PRESERVE_RUN_AT = "preserve_run_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crontab:
    """One recurring job: when, which task, and how. Made by `parse_crontab` and `Cron`.

    `str()` gives a line that is parsed to an equal value.

    Raises:
        CrontabError: a value that the text could not hold, or the database would refuse.
    """

    expression: Expression
    task: str
    id: str | None = None
    """What the entry is known by, where it is not the task's identifier."""
    fill: CrontabFill = CrontabFill()  # noqa: RUF009 (frozen)
    max_attempts: int | None = None
    queue: str | None = None
    priority: int | None = None
    job_key: str | None = None
    job_key_mode: CronJobKeyMode | None = None
    flags: tuple[str, ...] = ()
    timezone: str = UTC_NAME
    payload_json: str | None = None
    """JSON text of an object; kept without spaces and line breaks."""

    def __post_init__(self) -> None:
        for name in OPTION_NAMES:
            try:
                check_option(name, getattr(self, name))
            except ValueError as error:
                raise CrontabError(str(error)) from None
        if self.id == self.task:
            object.__setattr__(self, "id", None)
        if self.job_key is not None and self.job_key_mode is None:
            object.__setattr__(self, "job_key_mode", CronJobKeyMode.REPLACE)
        if self.payload_json is not None:
            object.__setattr__(self, "payload_json", _object_text(self.payload_json))

    def __str__(self) -> str:
        said = "&".join(f"{name}={quote(text, safe=':/,')}" for name, text in self._said())
        parts = (str(self.expression), self.task, said and f"?{said}", self.payload_json)
        return " ".join(part for part in parts if part)

    @property
    def identifier(self) -> str:
        """What the entry is known by, to every worker."""
        return self.id or self.task

    @property
    def payload(self) -> Any:
        """The payload as it is configured, without `_cron`; a new object each time."""
        return None if self.payload_json is None else from_json(self.payload_json)

    @property
    def zone(self) -> tzinfo:
        """The time zone of the five fields."""
        return zone_of(self.timezone)

    def first_run(self, start: datetime) -> datetime | None:
        """The first run that is not before an aware datetime; None when there will be none."""
        return first_run(self.expression, self.zone, start)

    def runs(self, start: datetime) -> Iterator[datetime]:
        """Every run from an aware datetime on."""
        run = self.first_run(start)
        while run is not None:
            yield run
            run = self.first_run(run + MINUTE)

    def payload_at(self, run: datetime, *, backfilled: bool) -> str:
        """JSON text of the payload of one run's job: the configured one, and `_cron`."""
        cron = f'"{CRON}":{{"ts":"{ts(run)}","backfilled":{"true" if backfilled else "false"}}}'
        own = self.payload_json or "{}"
        # A key that is written twice is read as its last value, but not by everybody.
        if f'"{CRON}"' in own:
            own = _without_cron(own)
        return f"{own[:-1]},{cron}}}" if own != "{}" else f"{{{cron}}}"

    def _said(self) -> Iterator[tuple[str, str]]:
        """The options as the text has them, those left out that say nothing."""
        if self.id is not None:
            yield "id", self.id
        if self.fill.total_seconds:
            yield "fill", str(self.fill)
        numbers = {"max": self.max_attempts, "priority": self.priority}
        yield from ((name, str(number)) for name, number in numbers.items() if number is not None)
        if self.queue is not None:
            yield "queue", self.queue
        if self.job_key is not None:
            yield "jobKey", self.job_key
        implied = None if self.job_key is None else CronJobKeyMode.REPLACE
        if self.job_key_mode is not None and self.job_key_mode is not implied:
            yield "jobKeyMode", self.job_key_mode.value
        if self.flags:
            yield "flags", ",".join(self.flags)
        if self.timezone != UTC_NAME:
            yield "tz", self.timezone


def ts(run: datetime) -> str:
    """A run as `_cron.ts` has it in the payload of its job."""
    return run.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _object_text(given: object) -> str:
    """JSON text of an object, in the one form in which keys can be added to it.

    What PostgreSQL would refuse would be refused with the jobs of all other entries of the minute.
    """
    try:
        value = from_json(given) if isinstance(given, str) else None
        text = to_json(value)
    except PayloadError as error:
        raise CrontabError(f"payload_json: {error}") from None
    if not isinstance(value, dict):
        raise CrontabError(f"payload_json must be JSON text of an object, got {given!r:.60}")
    return text


def _without_cron(text: str) -> str:
    payload = from_json(text)
    payload.pop(CRON, None)
    return to_json(payload)
