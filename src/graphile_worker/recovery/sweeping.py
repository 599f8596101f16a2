"""Carrying a sweep out, with an event loop or without: by workers, and by hand."""

from __future__ import annotations

from typing import Final

from graphile_worker.database.executor import Lender, SyncDatabase
from graphile_worker.database.operation import perform, perform_sync
from graphile_worker.recovery.sweep import Sweep, SweepResult, begin, finish, look, report
from graphile_worker.recovery.sweep_events import SweepEvents
from graphile_worker.runtime.own_loop import run_in_own_loop

_NOBODY: Final = SweepEvents()


async def sweep(
    database: Lender, how: Sweep, events: SweepEvents = _NOBODY, *, dry_run: bool = False
) -> SweepResult:
    """Free the jobs of the dead, in one transaction, unless somebody else is at it.

    Args:
        database: lends one connection, also while hooks are asked.
        how: the rules.
        events: who is asked and told; not for a dry run.
        dry_run: only look.

    Raises:
        DatabaseError: nothing was done.
    """
    if dry_run:
        return await perform(database, look(how))
    async with database.connection() as connection, connection.transaction():
        found = await perform(connection, begin(how, with_jobs=events.with_jobs))
        told = await events.decide(how.sweeper_id, found.jobs)
        swept = await perform(connection, finish(how, found, told))
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
        found = perform_sync(connection, begin(how, with_jobs=events.with_jobs))
        told = (
            run_in_own_loop(events.decide(how.sweeper_id, found.jobs)) if events.with_jobs else None
        )
        swept = perform_sync(connection, finish(how, found, told))
    report(swept)
    if events.any and swept.found.dead:
        run_in_own_loop(events.tell(how.sweeper_id, swept))
    return swept.result
