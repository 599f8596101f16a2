"""Sweeping by hand."""

from __future__ import annotations

from typing import Final

from graphile_worker.client.operation import Operation, ask
from graphile_worker.queries.cleanup import limit_lock_waits
from graphile_worker.queries.workers import forget_workers, lock_sweep, unlock_queues_of
from graphile_worker.recovery.sweep import Sweep, SweepResult, report

_LOCK_WAIT_MILLISECONDS: Final = 2_000


def look(sweep: Sweep) -> Operation[SweepResult]:
    """Whom a sweep would find; changes nothing."""
    dead = yield from ask(sweep.find())
    return SweepResult(worker_ids=dead, recovered_count=0, dry_run=True)


def carry_out(sweep: Sweep) -> Operation[SweepResult]:
    """Free the jobs of the dead, as `Sweep.run` does; in one transaction.

    Nobody is found while another sweep is under way.
    """
    schema = sweep.schema
    yield from ask(limit_lock_waits(schema, _LOCK_WAIT_MILLISECONDS))
    if not (yield from ask(lock_sweep(schema))):
        return SweepResult(worker_ids=[], recovered_count=0)
    dead = yield from ask(sweep.find())
    if not dead:
        return SweepResult(worker_ids=[], recovered_count=0)
    recovered = yield from ask(sweep.recover(dead))
    yield from ask(unlock_queues_of(schema, dead))
    yield from ask(forget_workers(schema, dead))
    report(dead, recovered)
    return SweepResult(worker_ids=dead, recovered_count=len(recovered))
