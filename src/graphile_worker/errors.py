"""Every exception this library raises, as one tree.

An error says what happened, with which value, and what to do; where a program may want to react,
the values are fields of the error as well as words of its message.
"""

from __future__ import annotations

import shlex
from datetime import timedelta


class GraphileWorkerError(Exception):
    """The root of the tree: `except GraphileWorkerError` catches all that is ours."""


class ConfigurationError(GraphileWorkerError, ValueError):
    """An option, a task definition or a call does not make sense as given."""


class CrontabError(ConfigurationError):
    """A crontab, or a call of the cron builder, is not valid.

    Of a text with several errors this is the first one, and its message tells all of them.

    Attributes:
        reason: what is wrong, in one line.
        line: the line it is in, counted from 1; None where there is no text.
        column: the character of that line, counted from 1.
        text: the whole line.
    """

    def __init__(
        self,
        reason: str,
        *,
        line: int | None = None,
        column: int | None = None,
        text: str | None = None,
        message: str | None = None,
        errors: tuple[CrontabError, ...] = (),
    ) -> None:
        super().__init__(reason if message is None else message)
        self.reason = reason
        self.line = line
        self.column = column
        self.text = text
        self._errors = errors

    @property
    def errors(self) -> tuple[CrontabError, ...]:
        """Every error of the text, in its order."""
        return self._errors or (self,)


class DuplicateTaskError(ConfigurationError):
    """Two tasks with the same identifier were given to one worker."""

    def __init__(self, identifier: str) -> None:
        super().__init__(
            f"two tasks have the identifier {identifier!r}; give one of them another name, "
            f'for example @task("{identifier}_2")'
        )
        self.identifier = identifier


class MissingDependencyError(GraphileWorkerError, ImportError):
    """A feature was asked for whose optional library is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra {extra!r}: pip install 'graphile-worker[{extra}]'"
        )
        self.feature = feature
        self.extra = extra


class PayloadError(GraphileWorkerError, ValueError):
    """A payload is not JSON, or is not what its task takes."""


class UnknownTaskError(GraphileWorkerError, LookupError):
    """A task was named that nobody here knows."""


class JobScheduleSkipped(GraphileWorkerError):  # noqa: N818 (public name)
    """A `BeforeJobSchedule` hook answered that the job is not to be added."""


class JobScheduleFailed(GraphileWorkerError):  # noqa: N818 (public name)
    """A job could not be added for a reason that lies in the call or in a hook."""


class JobNotAddedError(GraphileWorkerError):
    """The database took the call but stored no job: its key was being claimed at that moment.

    Nothing was stored; adding the job again is safe. Only schemas installed by the Node worker,
    whose `add_job` has this race, answer so.
    """

    def __init__(self, job_key: str | None) -> None:
        super().__init__(
            f"no job was stored for the key {job_key!r}: another session held the job with this "
            "key; add the job again"
        )
        self.job_key = job_key


class JobLostError(GraphileWorkerError):
    """This worker no longer holds the job: it was recovered, unlocked or removed meanwhile."""

    def __init__(self, job_id: int, worker_id: str) -> None:
        super().__init__(f"job {job_id} is no longer held by worker {worker_id}")
        self.job_id = job_id
        self.worker_id = worker_id


class DatabaseError(GraphileWorkerError):
    """PostgreSQL refused a statement on one of our own connections.

    Attributes:
        sqlstate: the five-character SQLSTATE, or None when the error is not PostgreSQL's.
        constraint: the constraint that was violated, where there is one.
    """

    def __init__(
        self, message: str, *, sqlstate: str | None = None, constraint: str | None = None
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.constraint = constraint


class ConnectionLostError(DatabaseError, ConnectionError):
    """There is no usable connection: never established, dropped, or to a read-only server."""


class SchemaMissingError(DatabaseError):
    """The database has no Graphile Worker schema of this name."""

    def __init__(self, schema: str) -> None:
        super().__init__(
            f"the schema {schema!r} holds no Graphile Worker tables; "
            f"create them with: graphile-worker --schema {shlex.quote(schema)} migrate"
        )
        self.schema = schema


class MigrationError(DatabaseError):
    """The schema could not be brought to the revision this version works with."""


class IncompatibleSchemaError(MigrationError):
    """The schema, or the server, is one that this version cannot work with."""


class LockedJobsError(MigrationError):
    """Revision 11 rebuilds the tables and cannot pass while jobs are locked."""


class Snooze(GraphileWorkerError):  # noqa: N818 (public name: control flow, not an error)
    """Raised by a handler: run this job again later, and do not count this attempt.

    Args:
        delay: how long from now (the database's clock); a number means seconds.
    """

    def __init__(self, delay: timedelta | float) -> None:
        self.delay = delay if isinstance(delay, timedelta) else timedelta(seconds=delay)
        super().__init__(f"run again in {self.delay}")

    def __reduce__(self) -> tuple[type[Snooze], tuple[timedelta]]:
        return Snooze, (self.delay,)


class PermanentFailure(GraphileWorkerError):  # noqa: N818 (public name: control flow)
    """Raised by a handler: this job has failed for good, do not retry it.

    Args:
        reason: stored as the job's `last_error`, as it is.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
