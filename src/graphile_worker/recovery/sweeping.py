"""Carrying a sweep out, with an event loop or without: by workers, and by hand."""

from __future__ import annotations

from typing import Final

from graphile_worker.database.executor import Lender, SyncDatabase
from graphile_worker.database.operation import Operation, perform, perform_sync
from graphile_worker.recovery.sweep import (
    Found,
    Sweep,
    SweepResult,
    Swept,
    begin,
    finish,
    finish_later,
    look,
    report,
)
from graphile_worker.recovery.sweep_events import SweepEvents
from graphile_worker.runtime.own_loop import run_in_own_loop

_NOBODY: Final = SweepEvents()


async def sweep(
    database: Lender, how: Sweep, events: SweepEvents = _NOBODY, *, dry_run: bool = False
) -> SweepResult:
    """Free the jobs of the dead, unless somebody else is at it.

    In one transaction, or, where hooks are asked, in two: they take their time, for which neither a
    connection nor a lock is held, and what has changed by then is left alone.

    Args:
        database: lends one connection at a time.
        how: the rules.
        events: who is asked and told; not for a dry run.
        dry_run: only look.

    Raises:
        DatabaseError: nothing was done.
    """
    if dry_run:
        return await perform(database, look(how))
    async with database.connection() as connection, connection.transaction():
        found, swept = await perform(connection, _unless_asked(how, events))
    if swept is None:
        told = await events.decide(how.sweeper_id, found.jobs)
        async with database.connection() as connection, connection.transaction():
            swept = await perform(connection, finish_later(how, found, told))
    report(swept)
    await events.tell(how.sweeper_id, swept)
    return swept.result


def sweep_sync(
    database: SyncDatabase, how: Sweep, events: SweepEvents = _NOBODY, *, dry_run: bool = False
) -> SweepResult:
    """`sweep` without an event loop; hooks get one for as long as they are asked or told."""
    if dry_run:
        return perform_sync(database, look(how))
    with database.connection() as connection, connection.transaction():
        found, swept = perform_sync(connection, _unless_asked(how, events))
    if swept is None:
        told = run_in_own_loop(events.decide(how.sweeper_id, found.jobs))
        with database.connection() as connection, connection.transaction():
            swept = perform_sync(connection, finish_later(how, found, told))
    report(swept)
    if events.any and swept.found.dead:
        run_in_own_loop(events.tell(how.sweeper_id, swept))
    return swept.result


def _unless_asked(how: Sweep, events: SweepEvents) -> Operation[tuple[Found, Swept | None]]:
    """The whole sweep, or, where hooks have a say, only what there is to ask them about."""
    found = yield from begin(how, with_jobs=events.with_jobs)
    if events.asks_about(found.jobs):
        return found, None
    return found, (yield from finish(how, found, events.as_usual(found.jobs)))
