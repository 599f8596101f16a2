"""Telling observers and asking interceptors, whatever they do."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from support.recorder import ALL

from graphile_worker import BeforeJobRun, HookRegistry, HookResult, WorkerRecovered
from graphile_worker.hooks.dispatch import Hooks, frozen

EVENT = WorkerRecovered(worker_id="w", dead_worker_ids=[], jobs_recovered=0)


def observers(*handlers: Any, timeout: float = 5.0) -> Any:
    return _table(WorkerRecovered, handlers, timeout).worker_recovered


def interceptors(*handlers: Any, timeout: float = 5.0) -> Any:
    return _table(BeforeJobRun, handlers, timeout).before_job_run


def _table(event: Any, handlers: tuple[Any, ...], timeout: float) -> Hooks:
    hooks = HookRegistry()
    for handler in handlers:
        hooks.on(event, handler)
    return frozen(hooks, timeout)


@pytest.mark.parametrize("event", ALL, ids=lambda event: event.__name__)
def test_events_are_frozen_and_carry_no_dictionary(event: Any) -> None:
    assert event.__dataclass_params__.frozen
    assert not hasattr(event, "__dict__") or "__dict__" not in event.__slots__


async def test_plain_observers_are_done_at_once_and_in_order() -> None:
    seen: list[str] = []
    tell = observers(lambda _: seen.append("a"), lambda _: seen.append("b"))
    assert tell(EVENT) is None
    assert seen == ["a", "b"]


async def test_async_observers_run_beside_each_other() -> None:
    meet = asyncio.Barrier(3)

    async def wait(event: WorkerRecovered) -> None:
        await meet.wait()

    async with asyncio.timeout(15):
        await observers(wait, wait, wait)(EVENT)


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("error", [ValueError("no luck"), SystemExit(3), KeyboardInterrupt()])
async def test_an_observer_that_raises_is_logged_and_keeps_nobody_else(
    kind: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[object] = []

    def plain(event: WorkerRecovered) -> None:
        raise error

    async def coroutine(event: WorkerRecovered) -> None:
        raise error

    handler = plain if kind == "plain" else coroutine
    slow = observers(handler, seen.append)(EVENT)
    if slow is not None:
        await slow
    assert seen == [EVENT]
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert handler.__qualname__ in record.getMessage()
    assert "at WorkerRecovered" in record.getMessage()
    assert record.exc_info is not None


async def test_an_observer_that_hangs_is_cancelled_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = asyncio.Event()

    async def hang(event: WorkerRecovered) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(15):
        await observers(hang, timeout=0.01)(EVENT)
    assert ended.is_set()
    [record] = caplog.records
    assert "hang failed at WorkerRecovered: the hook did not end within 0.01 s" in (
        record.getMessage()
    )


async def test_an_observers_own_timeout_is_its_own_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def give_up(event: WorkerRecovered) -> None:
        raise TimeoutError("the page did not load")

    await observers(give_up)(EVENT)
    assert "the page did not load" in caplog.records[0].getMessage()


async def test_an_observer_that_cancels_itself_cancels_nobody_else() -> None:
    async def cancel(event: WorkerRecovered) -> None:
        raise asyncio.CancelledError

    await observers(cancel)(EVENT)
    await observers(cancel, cancel)(EVENT)


async def test_cancelling_who_waits_cancels_the_observers() -> None:
    begun, cancelled = asyncio.Event(), []

    async def wait(event: WorkerRecovered) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    waiting = asyncio.ensure_future(observers(wait)(EVENT))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert cancelled == [True]


async def test_the_first_opinion_decides_and_nobody_else_is_asked() -> None:
    asked: list[str] = []

    def none(event: object) -> None:
        asked.append("none")

    async def goes_on(event: object) -> HookResult:
        asked.append("continue")
        return HookResult.CONTINUE

    def skips(event: object) -> HookResult:
        asked.append("skip")
        return HookResult.skip()

    def fails(event: object) -> HookResult:
        asked.append("fail")
        return HookResult.fail("late")

    assert await interceptors(none, goes_on, skips, fails)(None) == HookResult.skip()
    assert asked == ["none", "continue", "skip"]
    assert await interceptors(none, goes_on)(None) == HookResult.CONTINUE


async def test_interceptors_are_asked_one_after_the_other_in_the_askers_context() -> None:
    running: list[str] = []

    async def slow(event: object) -> None:
        running.append("in")
        await asyncio.sleep(0)
        assert running == ["in"], "nobody else is asked meanwhile"
        running.pop()

    await interceptors(slow, slow)(None)


@pytest.mark.parametrize(
    ("error", "reason"), [(ValueError("no luck"), "no luck"), (KeyError(), "KeyError")]
)
async def test_an_interceptor_that_raises_fails_with_its_reason(
    error: Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(event: object) -> None:
        raise error

    assert await interceptors(refuse)(None) == HookResult.fail(reason)
    assert "refuse failed at NoneType" in caplog.records[0].getMessage()


async def test_an_interceptor_that_hangs_fails() -> None:
    async def hang(event: object) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(15):
        answer = await interceptors(hang, timeout=0.01)(None)
        hurried = await interceptors(hang)(None, timeout=0.02)
    assert answer == HookResult.fail("the hook did not end within 0.01 s")
    assert hurried == HookResult.fail("the hook did not end within 0.02 s")


async def test_an_answer_of_another_kind_is_a_failure_that_says_so() -> None:
    answer = await interceptors(lambda _: True)(None)
    assert answer.reason == "a hook answered True; expected HookResult or None"


async def test_a_handler_may_be_a_callable_object(caplog: pytest.LogCaptureFixture) -> None:
    class Counter:
        def __call__(self, _event: object) -> None:
            raise ValueError("broken")

    observers(Counter())(EVENT)
    assert "Counter failed" in caplog.records[0].getMessage()
