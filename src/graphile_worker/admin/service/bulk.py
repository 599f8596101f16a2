"""Changes of more jobs than one transaction should hold: in chunks, and to be cancelled."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from graphile_worker.admin.service.actions import Act, Report, Skipped
from graphile_worker.errors import ConfigurationError, DatabaseError

logger = logging.getLogger(__name__)

CHUNK: Final = 1_000
"""Jobs in one transaction."""
PAUSE: Final = 0.05
"""Seconds between two chunks: others want to work too."""
KEPT: Final = 50
"""Operations that are remembered after they ended."""
RUNNING: Final = 4
"""Operations at the same time."""
_REPORTED: Final = 1_000
"""Skipped jobs that are named one by one."""


@dataclass(slots=True, kw_only=True)
class BulkOperation:
    """A change of many jobs, as it stands.

    Attributes:
        id: what it is asked for by; known to this process only.
        actor: who started it.
        act: what is done.
        filter: to which jobs, as in an address.
        total: how many jobs matched when it began; None when they were not counted to the end.
        state: `running`, `done`, `cancelled` or `failed`.
    """

    id: str
    actor: str
    act: Act
    filter: dict[str, str]
    newest_id: int | None
    total: int | None
    started_at: datetime
    state: str = "running"
    ended_at: datetime | None = None
    requested: int = 0
    changed: int = 0
    missing: int = 0
    skipped: int = 0
    skipped_jobs: list[Skipped] = field(default_factory=list[Skipped])
    """The first thousand of them."""
    error: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether it is under way."""
        return self.state == "running"

    def add(self, report: Report) -> None:
        """Count a chunk in."""
        self.requested += report.requested
        self.changed += len(report.changed)
        self.missing += len(report.missing)
        self.skipped += len(report.skipped)
        self.skipped_jobs += report.skipped[: _REPORTED - len(self.skipped_jobs)]


Chunks = Callable[[], AsyncGenerator[list[int]]]
Do = Callable[[list[int]], Awaitable[Report]]
Ended = Callable[[BulkOperation], Awaitable[None]]


class BulkOperations:
    """Runs bulk operations, one task each, and remembers what came of them.

    Owned by `Changing`, which closes it: what is under way then ends after its chunk.
    """

    def __init__(self) -> None:
        self._operations: OrderedDict[str, BulkOperation] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(
        self,
        actor: str,
        act: Act,
        *,
        fields: dict[str, str],
        newest_id: int | None,
        total: int | None,
        chunks: Chunks,
        do: Do,
        ended: Ended,
    ) -> BulkOperation:
        """Begin an operation.

        Raises:
            ConfigurationError: too many are under way.
        """
        if len(self._tasks) >= RUNNING:
            raise ConfigurationError(
                f"{RUNNING} operations are under way, which is the most at a time; wait for one of "
                "them, or cancel it"
            )
        operation = BulkOperation(
            id=secrets.token_hex(8),
            actor=actor,
            act=act,
            filter=fields,
            newest_id=newest_id,
            total=total,
            started_at=datetime.now(UTC),
        )
        self._operations[operation.id] = operation
        while len(self._operations) > KEPT:
            oldest = next(id_ for id_, old in self._operations.items() if not old.is_running)
            del self._operations[oldest]
        run = asyncio.get_running_loop().create_task(_run(operation, chunks, do, ended))
        self._tasks[operation.id] = run
        run.add_done_callback(lambda _: self._tasks.pop(operation.id, None))
        return operation

    def get(self, operation_id: str) -> BulkOperation | None:
        """An operation by its id."""
        return self._operations.get(operation_id)

    def all(self) -> list[BulkOperation]:
        """All that are remembered, the newest first."""
        return list(reversed(self._operations.values()))

    async def cancel(self, operation_id: str) -> BulkOperation | None:
        """End an operation after the chunk that is under way; waits for it."""
        task = self._tasks.get(operation_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        return self._operations.get(operation_id)

    async def aclose(self) -> None:
        """End all of them."""
        await asyncio.gather(*(self.cancel(operation_id) for operation_id in list(self._tasks)))


async def _run(operation: BulkOperation, chunks: Chunks, do: Do, ended: Ended) -> None:
    try:
        async with aclosing(chunks()) as found:
            async for ids in found:
                if ids:
                    # A chunk is a transaction: it is done, and counted, or not begun.
                    await _to_the_end(operation, do(ids))
                await asyncio.sleep(PAUSE)
        operation.state = "done"
    except asyncio.CancelledError:
        operation.state = "cancelled"
    except DatabaseError as error:
        operation.state, operation.error = "failed", str(error)
    except Exception as error:
        operation.state, operation.error = "failed", type(error).__name__
        logger.exception("the bulk operation %s failed", operation.id)
    finally:
        operation.ended_at = datetime.now(UTC)
        await ended(operation)


async def _to_the_end(operation: BulkOperation, doing: Awaitable[Report]) -> None:
    task = asyncio.ensure_future(doing)
    try:
        operation.add(await asyncio.shield(task))
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is None:
            operation.add(task.result())
        raise
