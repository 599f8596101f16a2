"""When and how a job runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, TypeAlias, TypeGuard, TypeVar, final

from graphile_worker.errors import ConfigurationError

MAX_IDENTIFIER_LENGTH = 128
MAX_QUEUE_NAME_LENGTH = 128
MAX_JOB_KEY_LENGTH = 512
SMALLINT = range(-32768, 32768)


@final
class Unset(Enum):
    """The value of a field that was not given, unlike `None`, which clears a default."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET


class JobKeyMode(Enum):
    """What adding a job does when a job with the same key exists.

    `REPLACE` overwrites all of it; `PRESERVE_RUN_AT` the same but keeps `run_at` while the job was
    not tried yet; `UNSAFE_DEDUPE` leaves it as it is, even if it is running or has failed for good.
    """

    REPLACE = "replace"
    PRESERVE_RUN_AT = "preserve_run_at"
    UNSAFE_DEDUPE = "unsafe_dedupe"


_FARTHEST: Final = timedelta(days=365_250)
"""PostgreSQL has later times, which no `datetime` can hold: such a job could not even be listed."""

RunAt: TypeAlias = datetime | timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """When and how a job runs. A field not given is unset; `None` clears a task's default.

    Raises:
        ConfigurationError: a value the database would refuse, a naive datetime, or a far timedelta.
    """

    queue_name: str | None | Unset = UNSET
    """Jobs of one queue run one after the other; at most 128 characters. Default: no queue."""
    run_at: RunAt | None | Unset = UNSET
    """Not before: an aware datetime, or a timedelta from now on the database's clock, within
    1000 years. Default: at once."""
    max_attempts: int | None | Unset = UNSET
    """How often the job is tried before it has failed for good, 1 to 32767. Default 25."""
    job_key: str | None | Unset = UNSET
    """Names the job, so that adding it again changes it; 1 to 512 characters. Default: none."""
    job_key_mode: JobKeyMode | None | Unset = UNSET
    """What adding with an existing key does. Default `REPLACE`."""
    priority: int | None | Unset = UNSET
    """Lower numbers run first, -32768 to 32767. Default 0."""
    flags: Iterable[str] | None | Unset = UNSET
    """Marks that workers can be told to leave alone (`forbidden_flags`). Default: none."""

    def __post_init__(self) -> None:
        if isinstance(self.flags, str):
            raise ConfigurationError(
                f"flags must be a collection of strings, got the string {self.flags!r}; "
                f"write [{self.flags!r}]"
            )
        if self.flags is not UNSET and self.flags is not None:
            object.__setattr__(self, "flags", _checked_flags(self.flags))
        _check_text("queue_name", self.queue_name, MAX_QUEUE_NAME_LENGTH)
        _check_text("job_key", self.job_key, MAX_JOB_KEY_LENGTH, smallest=1)
        _check_smallint("max_attempts", self.max_attempts, smallest=1)
        _check_smallint("priority", self.priority, smallest=SMALLINT.start)
        _check_run_at(self.run_at)
        _check_key_mode(self.job_key_mode)

    def over(self, default: JobSpec) -> JobSpec:
        """This spec laid over a default: a field given here wins, key and mode as a pair."""
        given = {
            f.name: value
            for f in dataclasses.fields(self)
            if (value := getattr(self, f.name)) is not UNSET
        }
        if "job_key" in given:
            given.setdefault("job_key_mode", UNSET)
        return dataclasses.replace(default, **given)


def check_spec(spec: object) -> JobSpec:
    """What is given for a spec, if it is one: not a dict of its fields."""
    if not isinstance(spec, JobSpec):
        raise ConfigurationError(f"spec must be a JobSpec, got {spec!r}")
    return spec


def check_identifier(identifier: object) -> str:
    """A task identifier that the database takes: 1 to 128 characters, no NUL."""
    if not isinstance(identifier, str):
        raise ConfigurationError(f"a task identifier must be a string, got {identifier!r}")
    _check_text("task identifier", identifier, MAX_IDENTIFIER_LENGTH, smallest=1)
    return identifier


def _check_text(name: str, value: object, longest: int | None, *, smallest: int = 0) -> None:
    if value is None or value is UNSET:
        return
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a string, got {value!r}")
    if len(value) < smallest:
        raise ConfigurationError(f"{name} must not be empty")
    if longest is not None and len(value) > longest:
        raise ConfigurationError(
            f"{name} must be at most {longest} characters long, got {len(value)}: {value[:40]!r}…"
        )
    if "\0" in value:
        raise ConfigurationError(f"{name} must not contain a NUL character, got {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name} holds a lone surrogate, got {value!r}") from None


def _check_smallint(name: str, value: object, *, smallest: int) -> None:
    if value is None or value is UNSET:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{name} must be a whole number, got {value!r}")
    if not smallest <= value < SMALLINT.stop:
        raise ConfigurationError(
            f"{name} must be between {smallest} and {SMALLINT.stop - 1}, got {value}"
        )


def _checked_flags(flags: object) -> tuple[str, ...]:
    if not _is_iterable(flags):
        raise ConfigurationError(f"flags must be a collection of strings, got {flags!r}")
    checked: list[str] = []
    for flag in flags:
        if not isinstance(flag, str):
            raise ConfigurationError(f"flags must be strings, got {flag!r}")
        _check_text("flags", flag, None)
        checked.append(flag)
    return tuple(checked)


def _is_iterable(value: object) -> TypeGuard[Iterable[object]]:
    return isinstance(value, Iterable)


def _check_run_at(value: object) -> None:
    if value is None or value is UNSET:
        return
    if isinstance(value, timedelta):
        if abs(value) > _FARTHEST:
            raise ConfigurationError(f"run_at must be within 1000 years, got {value}")
        return
    if not isinstance(value, datetime):
        raise ConfigurationError(f"run_at must be a datetime or a timedelta, got {value!r}")
    if value.tzinfo is None or value.utcoffset() is None:
        raise ConfigurationError(
            f"run_at must be an aware datetime, got the naive {value!r}; "
            "use datetime.now(UTC), or a timedelta from now"
        )
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ConfigurationError(
            f"run_at must be a time of the years 1 to 9999 in UTC, got {value!r}"
        ) from None


def _check_key_mode(value: object) -> None:
    if value is None or value is UNSET or isinstance(value, JobKeyMode):
        return
    known = ", ".join(f"JobKeyMode.{mode.name}" for mode in JobKeyMode)
    raise ConfigurationError(f"job_key_mode must be one of {known}, got {value!r}")


V = TypeVar("V")


def given(value: V | None | Unset) -> V | None:
    """The value for the database, where unset and cleared are both NULL: its own default."""
    return None if value is UNSET else value
