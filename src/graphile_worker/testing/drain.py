"""Run everything that is due, in a test."""

from __future__ import annotations

from graphile_worker.worker.worker import RunResult, Worker


async def drain(worker: Worker) -> RunResult:
    """Run everything that is due, and what falls due meanwhile.

    Raises:
        ExceptionGroup: what handlers raised, once all is done.
    """
    return await worker.run_once(raise_on_failure=True)
