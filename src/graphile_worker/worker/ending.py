"""The end of a run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from graphile_worker.runtime.log_fields import log_fields
from graphile_worker.runtime.shutdown import ShutdownSignal
from graphile_worker.worker.engine import CANCELLED_END_WITHIN, Engine

logger = logging.getLogger(__name__)

_STORED_WITHIN: Final = 5.0
"""Seconds that the last outcomes have to reach the database."""


async def end_in_order(
    engine: Engine,
    claiming: asyncio.Task[None],
    shutdown: ShutdownSignal,
    *,
    grace: float,
) -> None:
    """Draining, aborting, stored: each bounded, so that a dead database cannot hold us up.

    Args:
        engine: of the run that ends.
        claiming: its claim loop, which ends by itself after the claim under way; what that takes
            goes back at once.
        shutdown: told to abort when the grace period is over; may be told by others before.
        grace: seconds that running handlers have to end by themselves.
    """
    engine.drain()
    await within(grace, engine.slots.wait_idle(), unless=shutdown.aborting)
    if engine.slots.running:
        shutdown.abort()
        for job in engine.slots.running:
            log_fields(
                logger,
                logging.WARNING,
                "job %s: interrupted by the shutdown",
                job.id,
                fields={"event": "JobInterrupted", "job_id": job.id, "attempt": job.attempts},
            )
        engine.slots.cancel_all()
        await within(CANCELLED_END_WITHIN, engine.slots.wait_idle())
    await engine.abandon_running()
    await asyncio.wait([claiming], timeout=_STORED_WITHIN)
    claiming.cancel()
    await asyncio.gather(
        within(_STORED_WITHIN, engine.releaser.wait_empty()), engine.give_back_lost_claims()
    )
    if engine.releaser.unreleased:
        logger.error(
            "the database is away; these jobs stay locked until they are recovered: %s",
            [job.id for job in engine.releaser.unreleased],
        )


async def within(
    limit: float | None, wait: Coroutine[Any, Any, Any], *, unless: asyncio.Event | None = None
) -> None:
    """Await, but no longer than `limit` seconds, nor past the moment that `unless` is set.

    What is awaited is cancelled then.
    """
    waits = [asyncio.ensure_future(wait)]
    if unless is not None:
        waits.append(asyncio.ensure_future(unless.wait()))
    try:
        await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in waits:
            future.cancel()
