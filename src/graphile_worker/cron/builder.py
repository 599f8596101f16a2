"""`Cron`: recurring jobs in Python, checked by the type checker too."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any, Generic, TypeAlias, TypeVar

from graphile_worker.cron.checks import check_option
from graphile_worker.cron.crontab import CronJobKeyMode, Crontab
from graphile_worker.cron.expression import Expression, parse_expression
from graphile_worker.cron.field import DAY, HOUR, MINUTE, MONTH, Kind
from graphile_worker.cron.fill import CrontabFill
from graphile_worker.errors import CrontabError, PayloadError
from graphile_worker.jobs.definition import JobDefinition, as_definition
from graphile_worker.jobs.spec import UNSET, JobKeyMode, JobSpec, given

P = TypeVar("P")
Q = TypeVar("Q")

AnyTask: TypeAlias = JobDefinition[Q] | type[Q]
"""A task, a `task_ref`, or a task class."""


class Weekday(IntEnum):
    """The days of the week, numbered as in a crontab."""

    SUNDAY = 0
    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6


@dataclass(frozen=True)
class Cron(Generic[P]):
    """When a task recurs, and how its jobs run: begin with one of the static methods.

    A value: each method returns a new object. What is not said here is the task's own spec; its
    `run_at` does not count, since the minute says when.

    Raises:
        CrontabError: a value that a crontab could not hold.

    Example:
        Cron.daily_at(send_digest, 8, 0).fill(CrontabFill.hours(1)).payload(Digest(42))
    """

    task: JobDefinition[P]
    expression: Expression
    _id: str | None = None
    _fill: CrontabFill = CrontabFill()  # noqa: RUF009 (frozen)
    _payload: str | None = None
    _timezone: str = "UTC"
    _spec: JobSpec = JobSpec()  # noqa: RUF009 (frozen)

    def __post_init__(self) -> None:
        _check("task", self.task.identifier)

    def __str__(self) -> str:
        return str(self.build())

    # -- when ------------------------------------------------------------------------------------

    @staticmethod
    def every_minute(task: AnyTask[Q]) -> Cron[Q]:
        """Every minute."""
        return _cron(task, "* * * * *")

    @staticmethod
    def every_n_minutes(task: AnyTask[Q], n: int) -> Cron[Q]:
        """Every n minutes, counted from the full hour; 1 to 59."""
        return _cron(task, f"*/{_within('n', n, 1, 59)} * * * *")

    @staticmethod
    def hourly_at(task: AnyTask[Q], minute: int) -> Cron[Q]:
        """Every hour at this minute."""
        return _cron(task, f"{_number(MINUTE, minute)} * * * *")

    @staticmethod
    def daily_at(task: AnyTask[Q], hour: int, minute: int) -> Cron[Q]:
        """Every day at this time."""
        return _cron(task, f"{_time(hour, minute)} * * *")

    @staticmethod
    def weekly_on(task: AnyTask[Q], weekday: Weekday, hour: int, minute: int) -> Cron[Q]:
        """Every week on this day at this time."""
        if not isinstance(weekday, Weekday):
            raise CrontabError(f"weekday must be a Weekday, got {weekday!r}")
        return _cron(task, f"{_time(hour, minute)} * * {weekday.value}")

    @staticmethod
    def monthly_on(task: AnyTask[Q], day: int, hour: int, minute: int) -> Cron[Q]:
        """Every month that has this day, at this time."""
        return _cron(task, f"{_time(hour, minute)} {_number(DAY, day)} * *")

    @staticmethod
    def yearly_on(task: AnyTask[Q], month: int, day: int, hour: int, minute: int) -> Cron[Q]:
        """Every year that has this day, at this time."""
        date = f"{_number(DAY, day)} {_number(MONTH, month)}"
        return _cron(task, f"{_time(hour, minute)} {date} *")

    @staticmethod
    def from_expression(task: AnyTask[Q], expression: str) -> Cron[Q]:
        """Whatever five fields say, for example `*/10 8-18 * * 1-5`."""
        return _cron(task, expression)

    # -- how -------------------------------------------------------------------------------------

    def id(self, identifier: str | None) -> Cron[P]:
        """What the entry is known by; default: the task's identifier, which only one can have."""
        return self._with(_id=_check("id", identifier))

    def fill(self, fill: CrontabFill | timedelta) -> Cron[P]:
        """How far back runs are made up for that were missed while no worker ran."""
        if isinstance(fill, timedelta):
            fill = CrontabFill.seconds(int(fill.total_seconds()))
        if not isinstance(fill, CrontabFill):
            raise CrontabError(f"fill must be a CrontabFill or a timedelta, got {fill!r}")
        return self._with(_fill=fill)

    def payload(self, payload: P) -> Cron[P]:
        """What the jobs are given; it has to be an object in JSON, since `_cron` is put into it.

        Raises:
            PayloadError: it is not what the task takes.
        """
        text = self.task.codec.encode(payload)
        if not text.startswith("{"):
            raise CrontabError(
                f"the payload of a recurring job must be an object in JSON, got {text[:40]}"
            )
        return self._with(_payload=text)

    def queue(self, queue: str | None) -> Cron[P]:
        """Jobs of one queue run one after the other."""
        return self._over(JobSpec(queue_name=_check("queue", queue)))

    def priority(self, priority: int | None) -> Cron[P]:
        """Lower numbers run first."""
        return self._over(JobSpec(priority=_check("priority", priority)))

    def max_attempts(self, max_attempts: int | None) -> Cron[P]:
        """How often a job is tried before it has failed for good."""
        return self._over(JobSpec(max_attempts=_check("max_attempts", max_attempts)))

    def job_key(self, job_key: str | None) -> Cron[P]:
        """Names the jobs, so that a run changes the job of the last one if it still waits."""
        return self._over(JobSpec(job_key=_check("job_key", job_key)))

    def job_key_mode(self, mode: CronJobKeyMode) -> Cron[P]:
        """What that does."""
        if not isinstance(mode, CronJobKeyMode):
            raise CrontabError(f"job_key_mode must be a CronJobKeyMode, got {mode!r}")
        return self._over(JobSpec(job_key_mode=JobKeyMode(mode.value)))

    def timezone(self, name: str) -> Cron[P]:
        """The time zone of the hours and days, by its IANA name; default UTC."""
        return self._with(_timezone=_check("timezone", name))

    # -- the value -------------------------------------------------------------------------------

    def build(self) -> Crontab:
        """The entry, the same that its text gives.

        Raises:
            ConfigurationError: the task's payload type cannot be resolved.
            CrontabError: the task needs a payload and has none, or its spec says what a crontab
                cannot.
        """
        self._check_payload()
        spec = self._spec.over(self.task.spec)
        return Crontab(
            expression=self.expression,
            task=self.task.identifier,
            id=self._id,
            fill=self._fill,
            max_attempts=given(spec.max_attempts),
            queue=given(spec.queue_name),
            priority=given(spec.priority),
            job_key=given(spec.job_key),
            job_key_mode=self._key_mode(given(spec.job_key_mode)),
            flags=tuple(given(spec.flags) or ()),
            timezone=self._timezone,
            payload_json=self._payload,
        )

    @property
    def identifier(self) -> str:
        """What the entry is known by."""
        return self._id or self.task.identifier

    def _check_payload(self) -> None:
        if self._payload is None:
            try:
                self.task.codec.decode("{}")
            except PayloadError as error:
                raise CrontabError(
                    f"the task {self.task.identifier!r} needs a payload: .payload(…) ({error})"
                ) from error

    def _key_mode(self, mode: JobKeyMode | None) -> CronJobKeyMode | None:
        if mode is JobKeyMode.UNSAFE_DEDUPE:
            raise CrontabError(
                f"the task {self.task.identifier!r} has the job_key_mode UNSAFE_DEDUPE, which a "
                "crontab does not know: choose one with .job_key_mode(CronJobKeyMode…)"
            )
        return None if mode is None else CronJobKeyMode(mode.value)

    def _over(self, spec: JobSpec) -> Cron[P]:
        """With these fields besides those said before."""
        changed = {
            f.name: value
            for f in dataclasses.fields(spec)
            if (value := getattr(spec, f.name)) is not UNSET
        }
        return self._with(_spec=dataclasses.replace(self._spec, **changed))

    def _with(self, **changes: Any) -> Cron[P]:
        return dataclasses.replace(self, **changes)


def _cron(task: AnyTask[Q], expression: str) -> Cron[Q]:
    definition: JobDefinition[Q] = as_definition(task)
    try:
        return Cron(definition, parse_expression(expression))
    except ValueError as error:
        raise CrontabError(str(error)) from None


def _time(hour: int, minute: int) -> str:
    return f"{_number(MINUTE, minute)} {_number(HOUR, hour)}"


def _number(kind: Kind, value: int) -> int:
    return _within(kind.name, value, kind.low, kind.high)


def _within(name: str, value: int, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CrontabError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
    return value


def _check(name: str, value: Q) -> Q:
    try:
        check_option(name, value)
    except ValueError as error:
        raise CrontabError(str(error)) from None
    return value
