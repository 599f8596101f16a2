"""Panels of the host's on the page of a job, none of which can break or hold up the page."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from graphile_worker.errors import ConfigurationError

logger = logging.getLogger(__name__)

SECONDS: Final = 2.0
"""What all panels of a page have together; they are asked beside each other."""
_THREADS: Final = 4
"""For plain functions. One that hangs holds up other panels at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownJob:
    """A job as its page shows it to somebody: without what they may not see."""

    id: int
    schema: str
    task: str
    queue: str | None
    key: str | None
    state: str
    """`ready`, `blocked`, `unclaimed`, `running`, `stuck`, `retrying`, `scheduled`, `failed`."""
    why: str
    """Why it is where it is, in one sentence."""
    priority: int
    attempts: int
    max_attempts: int
    flags: Sequence[str]
    created_at: datetime
    updated_at: datetime
    run_at: datetime
    locked_at: datetime | None
    locked_by: str | None
    error: str | None
    """Without secrets; the first 65,536 characters."""
    payload: str | None
    """JSON, one value a line, decoded, without secrets; None for who may not see it, and where it
    could not be decoded."""
    payload_is_cut: bool
    """Whether there is more than the 65,536 characters of `payload`."""
    viewer: str
    """Who looks."""
    permissions: frozenset[str]
    """What they may do."""


@dataclass(frozen=True, slots=True)
class Panel:
    """What a panel shows.

    Attributes:
        title: its heading.
        body: text, which is shown as it is; or HTML, as a `markupsafe.Markup`.
    """

    title: str
    body: str


JobPanel: TypeAlias = Callable[[ShownJob], "Panel | None | Awaitable[Panel | None]"]
"""Answers with a panel for a job, or None for none. May be async."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A panel, or why there is none.

    Attributes:
        title: its heading.
        body: of the panel.
        problem: what stands in its place, where something went wrong.
    """

    title: str
    body: str = ""
    problem: str | None = None


class JobPanels:
    """Asks the host's functions for panels.

    Args:
        panels: the functions.
        seconds: what they have together.

    Raises:
        ConfigurationError: one is no function.
    """

    def __init__(self, panels: Iterable[JobPanel] = (), *, seconds: float = SECONDS) -> None:
        self._panels = tuple(panels)
        self._seconds = seconds
        self._threads: ThreadPoolExecutor | None = None
        for panel in self._panels:
            if not callable(panel):
                raise ConfigurationError(f"job_panels must be functions of a job, got {panel!r}")

    async def of(self, job: ShownJob) -> list[Card]:
        """The panels of a job, in the order of the functions."""
        asked = [asyncio.ensure_future(self._ask(panel, job)) for panel in self._panels]
        if not asked:
            return []
        try:
            await asyncio.wait(asked, timeout=self._seconds)
        finally:
            for one in asked:
                one.add_done_callback(_look_at)
                one.cancel()
        cards = map(self._card, self._panels, asked)
        return [card for card in cards if card is not None]

    def close(self) -> None:
        """Wait for no function any more; what is asked later begins anew."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, panel: JobPanel, job: ShownJob) -> Any:
        if inspect.iscoroutinefunction(panel):
            return await panel(job)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, "graphile-worker-panel")
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, lambda: context.run(panel, job))
        return await found if inspect.isawaitable(found) else found

    def _card(self, panel: JobPanel, asked: asyncio.Future[Any]) -> Card | None:
        name = _name(panel)
        if not asked.done():
            logger.warning("the job panel %s took more than %g s", name, self._seconds)
            return Card(title=name, problem=f"It took more than {self._seconds:g} s.")
        if asked.cancelled():
            return Card(title=name, problem="It was cancelled.")
        if error := asked.exception():
            logger.error("the job panel %s failed", name, exc_info=error)
            return Card(title=name, problem=f"It raised {type(error).__name__}; see the log.")
        match asked.result():
            case None:
                return None
            case Panel(str(title), str(body)):
                return Card(title=title, body=body)
            case other:
                return Card(title=name, problem=f"It answered with {type(other).__name__}.")


def _name(panel: JobPanel) -> str:
    return str(getattr(panel, "__name__", type(panel).__name__))


def _look_at(asked: asyncio.Future[Any]) -> None:
    """Nobody waits for one that is late, and asyncio complains of errors that nobody saw."""
    if not asked.cancelled():
        asked.exception()
