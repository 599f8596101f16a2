"""Which event loop `run` takes."""

from __future__ import annotations

import asyncio
import sys

import pytest
import uvloop

from graphile_worker import MissingDependencyError
from graphile_worker.cli.loop import run_on_loop


async def loop() -> type[asyncio.AbstractEventLoop]:
    return type(asyncio.get_running_loop())


def test_the_quickest_that_is_installed_or_the_one_that_is_named(monkeypatch):
    assert run_on_loop(loop(), "auto") is uvloop.Loop
    assert run_on_loop(loop(), "uvloop") is uvloop.Loop
    assert run_on_loop(loop(), "asyncio") is not uvloop.Loop
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run_on_loop(loop(), "auto") is not uvloop.Loop
    with pytest.raises(MissingDependencyError, match="uvloop"):
        run_on_loop(loop(), "uvloop")
