"""Which event loop a worker runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from graphile_worker.errors import MissingDependencyError

T = TypeVar("T")

LOOPS: Final = ("auto", "asyncio", "uvloop")


def run_on_loop(main: Coroutine[Any, Any, T], loop: str) -> T:
    """`asyncio.run` on one of `LOOPS`; `auto` is uvloop where it is installed.

    That is the extra `uvloop`: a third faster for I/O.

    Raises:
        MissingDependencyError: uvloop is asked for, and not installed.
    """
    factory = None if loop == "asyncio" else _uvloop()
    if factory is None and loop == "uvloop":
        main.close()
        raise MissingDependencyError("the event loop uvloop", "uvloop")
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 (an extra)
    except ImportError:
        return None
    return uvloop.new_event_loop
