"""Jobs as lines of JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from graphile_worker.cli.instants import parse_instant
from graphile_worker.errors import ConfigurationError, PayloadError
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import JobKeyMode, JobSpec, check_identifier
from graphile_worker.payloads.codec import from_json, to_json
from graphile_worker.payloads.shapes import is_list, is_mapping

_OF_A_SPEC: Final = (
    *("queue_name", "run_at", "max_attempts", "job_key", "job_key_mode", "priority", "flags"),
)
FIELDS: Final = ("identifier", "payload", *_OF_A_SPEC)
"""What a line may say of a job; null, or leaving it out, means the default."""


@dataclass(frozen=True, slots=True)
class LineReader:
    """Reads lines: whole jobs, or payloads of one task.

    Attributes:
        task: what each line is the payload of; None where each line is a job with its task.
        spec: for what a line does not say.
    """

    task: str | None
    spec: JobSpec

    def job(self, line: bytes) -> NewJob | None:
        """The job of a line; None for a blank one.

        Raises:
            PayloadError: it is no JSON.
            ConfigurationError: it is no job.
        """
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            raise PayloadError("not UTF-8") from None
        if not text:
            return None
        value = from_json(text)
        if self.task is not None:
            return NewJob(self.task, to_json(value), self.spec)
        return self._whole_job(value)

    def _whole_job(self, value: object) -> NewJob:
        if not is_mapping(value):
            raise ConfigurationError(
                "expected an object with `identifier` and `payload`; name the task before "
                "--from-ndjson where each line is a payload"
            )
        unknown = [name for name in value if name not in FIELDS]
        if unknown:
            raise ConfigurationError(f"unknown field `{unknown[0]}`; there are {', '.join(FIELDS)}")
        given = {name: value[name] for name in _OF_A_SPEC if value.get(name) is not None}
        payload = value.get("payload")
        return NewJob(
            check_identifier(value.get("identifier")),
            "{}" if payload is None else to_json(payload),
            _spec(given).over(self.spec) if given else self.spec,
        )


def _spec(given: dict[str, Any]) -> JobSpec:
    if "run_at" in given:
        given["run_at"] = _run_at(given["run_at"])
    if "job_key_mode" in given:
        given["job_key_mode"] = _mode(given["job_key_mode"], given.get("job_key"))
    if "flags" in given:
        given["flags"] = _flags(given["flags"])
    return dataclasses.replace(JobSpec(), **given)


def _run_at(value: object) -> datetime | timedelta:
    if not isinstance(value, str):
        raise ConfigurationError(f"run_at must be a string, got {value!r}")
    try:
        return parse_instant(value)
    except ValueError as error:
        raise ConfigurationError(f"run_at: {error}") from None


def _mode(value: object, key: object) -> JobKeyMode:
    if key is None:
        raise ConfigurationError("job_key_mode needs job_key")
    known = [JobKeyMode.REPLACE, JobKeyMode.PRESERVE_RUN_AT]
    for mode in known:
        if isinstance(value, str) and value.replace("-", "_") == mode.value:
            return mode
    names = " or ".join(mode.value for mode in known)
    raise ConfigurationError(f"job_key_mode must be {names} where many are added, got {value!r}")


def _flags(value: object) -> list[Any]:
    """A list of names, or the stored form: an object whose values are true."""
    if is_list(value):
        return list(value)
    if is_mapping(value) and all(mark is True for mark in value.values()):
        return list(value)
    raise ConfigurationError(f"flags must be a list of strings, got {value!r}")
