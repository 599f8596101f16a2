"""Takes the readings, and hands each to its check."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.doctor import fleet, server, storage
from graphile_worker.doctor.finding import Finding, Level, ok, problem, unanswered
from graphile_worker.doctor.hearing import Examined, seconds_to_hear
from graphile_worker.doctor.server import ClockReading
from graphile_worker.doctor.thresholds import Thresholds
from graphile_worker.errors import ConnectionLostError, DatabaseError
from graphile_worker.migrations.state import SchemaState, read_state
from graphile_worker.queries.lock_readings import held_queues, lock_owners, unknown_identifiers
from graphile_worker.queries.manage_jobs import stats
from graphile_worker.queries.overview import active_workers
from graphile_worker.queries.server_readings import (
    ServerReading,
    database_clock,
    index_definitions,
    locks_job_keys,
    missing_rights,
    sequence_readings,
    server_reading,
    snapshot_holders,
    table_readings,
)
from graphile_worker.queries.watch_queue import unserved_tasks

R = TypeVar("R")

_CLOCK_SAMPLES: Final = 5

Clock = Callable[[], datetime]


async def examine(
    database: Examined,
    schema: Schema,
    *,
    direct: Examined | None = None,
    thresholds: Thresholds | None = None,
    now: Clock | None = None,
    only_reads: bool = False,
) -> list[Finding]:
    """Make all checks that need the database, in the order in which to mend what they find.

    Reads only, but for one notification on a channel of its own. The table of jobs is read a few
    times. Where the schema is missing or hidden, the checks behind that are left out; without a
    registry of workers, those of the fleet.

    Args:
        database: where the workers connect.
        schema: where the tables are.
        direct: where they LISTEN, if that is not the same.
        thresholds: from when on something is worth a word.
        now: this machine's clock.
        only_reads: whether whoever asks only looks, and so needs no right but to read.

    Raises:
        ConnectionLostError: the database went away meanwhile.
    """
    limits = thresholds or Thresholds()
    book = _Book(database)
    facts = await database.run(server_reading())
    state = await read_state(database, schema)
    book.add(server.server(facts, state.encoding))
    book.add(server.clock(await _clock_reading(database, now or _this_clock), limits))
    await book.check(
        "notifications",
        seconds_to_hear(direct or database, database, within=limits.notification_within),
        lambda seconds: server.notifications(seconds, limits),
    )
    if await _of_the_schema(book, schema, state, only_reads=only_reads):
        if state.has_registry:
            await _of_the_fleet(book, schema, limits, facts)
        await _of_the_storage(book, schema, limits, facts)
    return book.findings


def unreachable(error: Exception) -> Finding:
    """The one finding there is when the database cannot be reached."""
    return problem(
        "database",
        str(error),
        "check --database-url or DATABASE_URL, and --direct-database-url; that PostgreSQL runs, "
        "and that it lets this role in",
    )


class _Book:
    """The findings so far, and how one more is made."""

    def __init__(self, database: Examined) -> None:
        self.findings = [ok("database", "it answers")]
        self.database = database

    def add(self, finding: Finding) -> Finding:
        self.findings.append(finding)
        return finding

    async def check(self, name: str, reading: Awaitable[R], judge: Callable[[R], Finding]) -> None:
        """Read and judge; what this role may not read is a finding too."""
        try:
            self.add(judge(await reading))
        except ConnectionLostError:
            raise
        except DatabaseError as error:
            self.add(unanswered(name, error))

    async def read(self, name: str, statement: Statement[R], judge: Callable[[R], Finding]) -> None:
        """The same where the reading is one statement."""
        await self.check(name, self.database.run(statement), judge)


async def _of_the_schema(
    book: _Book, schema: Schema, state: SchemaState, *, only_reads: bool
) -> bool:
    """Whether there is a schema that can be looked into."""
    rust = await book.database.run(locks_job_keys(schema))
    book.add(server.schema(state, schema.name, rust_lineage=rust))
    if state.jobs_owner is None:
        return False
    missing = await book.database.run(missing_rights(schema))
    rights = book.add(server.rights(state, missing, only_reads=only_reads))
    return rights.level is Level.OK


async def _of_the_fleet(
    book: _Book, schema: Schema, limits: Thresholds, facts: ServerReading
) -> None:
    """Who works, who holds what, and what nobody takes."""
    silence = limits.dead_after
    threshold = timedelta(seconds=silence)
    registered = await book.database.run(active_workers(schema, threshold=threshold))
    alive = [worker for worker in registered if not worker.is_stale]
    book.add(server.connections(facts, alive))
    await book.read(
        "workers",
        stats(schema),
        lambda counted: fleet.workers(registered, jobs_are_due=counted.ready > 0),
    )
    await book.read("locks", lock_owners(schema, dead_after=silence), fleet.locks)
    await book.read("queues", held_queues(schema, dead_after=silence), fleet.queues)
    due = await book.database.run(unserved_tasks(schema, due_for=limits.unserved_for))
    book.add(fleet.unserved(due, limits))
    await book.read(
        "identifiers",
        unknown_identifiers(schema, dead_after=silence),
        lambda unknown: fleet.identifiers(unknown, schema, told_already=due),
    )
    book.add(fleet.crontabs(alive))


async def _of_the_storage(
    book: _Book, schema: Schema, limits: Thresholds, facts: ServerReading
) -> None:
    """Tables, indexes, sequences."""
    tables = await book.database.run(table_readings(schema))
    book.add(storage.vacuum(tables, limits, autovacuum=facts.autovacuum))
    await book.read(
        "transactions",
        snapshot_holders(older_than=limits.old_transaction),
        lambda holders: storage.transactions(holders, limits),
    )
    names = [table.table for table in tables]
    await book.read(
        "indexes",
        index_definitions(schema),
        lambda found: storage.indexes(found, schema.name, names),
    )
    await book.read(
        "sequences",
        sequence_readings(schema),
        lambda readings: storage.sequences(readings, limits),
    )


async def _clock_reading(database: Examined, now: Clock) -> ClockReading:
    """The best of some tries: the quicker the answer, the surer what it says."""
    readings: list[ClockReading] = []
    for _ in range(_CLOCK_SAMPLES):
        started, before = time.monotonic(), now()
        theirs = await database.run(database_clock())
        took = time.monotonic() - started
        middle = before + timedelta(seconds=took / 2)
        readings.append(ClockReading((theirs - middle).total_seconds(), took / 2))
    return min(readings, key=lambda reading: reading.uncertainty)


def _this_clock() -> datetime:
    return datetime.now(UTC)
