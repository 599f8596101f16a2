"""One job ready to be inserted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphile_worker.jobs.spec import JobSpec, check_identifier, check_spec


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it goes to the database: made by `task.job(payload)`."""

    identifier: str
    payload: str
    """JSON text."""
    spec: JobSpec


@dataclass(frozen=True, slots=True)
class RawJobSpec:
    """A job by the name of its task, for `add_raw_jobs`: no payload type is checked.

    Raises:
        ConfigurationError: the identifier is empty or over 128 characters, or `spec` is no spec.
    """

    identifier: str
    payload: Any = None
    """Any JSON value; `None` is stored as `{}`, as `add_job` in SQL does."""
    spec: JobSpec = JobSpec()  # noqa: RUF009 (frozen)

    def __post_init__(self) -> None:
        check_identifier(self.identifier)
        check_spec(self.spec)
