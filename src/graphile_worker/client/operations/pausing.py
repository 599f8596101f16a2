"""Pausing and resuming, and what is paused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from graphile_worker.client.operations import side_tables
from graphile_worker.client.operations.changing import checked_text
from graphile_worker.client.setup import Setup
from graphile_worker.database.operation import Operation, ask
from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.spec import JobSpec, check_identifier
from graphile_worker.queries import pauses as queries
from graphile_worker.queries.pauses import PAUSES, Kind, Pause, PausedQueue
from graphile_worker.queries.side_tables import Feature, table_exists

FEATURE: Final = Feature("pause", 1, {})
"""What the ledger of side tables says of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """All that is paused."""

    everything: Pause | None
    """Not None: the Python workers run nothing new."""
    queues: list[PausedQueue]
    """By name; for workers of every kind."""
    tasks: list[Pause]
    """By name; for the Python workers, as the next."""
    crons: list[Pause]
    """By name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumedQueue:
    """What resuming a queue came to."""

    queue_name: str
    was_paused: bool
    waits_for: list[int]
    """Jobs of the queue that are still running: it goes on by itself when they have ended, which
    Python workers look for. Empty: it goes on now."""


def pause(setup: Setup, kind: Kind, name: str, by: str) -> Operation[Pause]:
    """Pause something for the Python workers; in a transaction."""
    by = _by(by)
    if not (yield from ask(table_exists(setup.schema, PAUSES))):
        yield from side_tables.install(setup.schema, FEATURE, ["pauses/create"])
    paused = yield from ask(queries.pause(setup.schema, kind, name, by))
    yield from ask(queries.announce_pauses(setup.schema))
    return paused


def resume(setup: Setup, kind: Kind, name: str) -> Operation[bool]:
    """Resume it; whether it was paused; in a transaction."""
    if not (yield from ask(table_exists(setup.schema, PAUSES))):
        return False
    resumed = yield from ask(queries.resume(setup.schema, kind, name))
    yield from ask(queries.announce_pauses(setup.schema))
    return resumed


def pause_queue(setup: Setup, queue_name: str, by: str) -> Operation[PausedQueue]:
    """Pause a named queue; in a transaction."""
    queue_name, by = _queue(queue_name), _by(by)
    yield from ask(queries.pause_queue(setup.schema, queue_name, by))
    return (yield from ask(queries.paused_queues(setup.schema, queue_name)))[0]


def resume_queue(setup: Setup, queue_name: str, by: str) -> Operation[ResumedQueue]:
    """Resume a named queue, or let the workers do so as soon as its job has ended.

    In a transaction.
    """
    queue_name, by = _queue(queue_name), _by(by)
    yield from ask(queries.lock_paused_queues(setup.schema))
    waits = yield from ask(queries.resume_queue(setup.schema, queue_name, by))
    running: list[int] = []
    if waits:
        left = yield from ask(queries.paused_queues(setup.schema, queue_name))
        running = left[0].running
        yield from ask(queries.announce_pauses(setup.schema))
    elif waits is not None:
        yield from ask(queries.announce_jobs(setup.schema, 1))
    return ResumedQueue(queue_name=queue_name, was_paused=waits is not None, waits_for=running)


def paused(setup: Setup) -> Operation[Paused]:
    """All that is paused now."""
    queues = yield from ask(queries.paused_queues(setup.schema))
    found: dict[str, list[Pause]] = {"all": [], "task": [], "cron": []}
    if (yield from ask(table_exists(setup.schema, PAUSES))):
        for row in (yield from ask(queries.pause_rows(setup.schema))):
            if row.resumed_at is None:
                found[row.kind].append(row.pause)
    everything = found["all"][0] if found["all"] else None
    return Paused(everything=everything, queues=queues, tasks=found["task"], crons=found["cron"])


def finish_resuming(setup: Setup) -> Operation[list[str]]:
    """Free the queues whose last job has ended since they were resumed; in a transaction.

    Returns:
        Their names; none where somebody else is at it.
    """
    if not (yield from ask(queries.try_lock_paused_queues(setup.schema))):
        return []
    freed = yield from ask(queries.finish_resuming(setup.schema))
    if freed:
        yield from ask(queries.announce_jobs(setup.schema, len(freed)))
    return freed


def task_name(task: Any) -> str:
    """The identifier of a task, a task class or a name.

    Raises:
        ConfigurationError: it has none.
    """
    if isinstance(task, type):
        task = getattr(task, "IDENTIFIER", task)
    return check_identifier(getattr(task, "identifier", task))


def cron_name(entry: Any) -> str:
    """The identifier of a cron entry, or a name.

    Raises:
        ConfigurationError: it has none.
    """
    name = checked_text("a cron entry", getattr(entry, "identifier", entry))
    if not name:
        raise ConfigurationError("a cron entry has a name, got an empty one")
    return name


def _queue(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"expected the name of a queue, got {name!r}")
    JobSpec(queue_name=name)
    return name


def _by(by: object) -> str:
    return checked_text("by", by)
