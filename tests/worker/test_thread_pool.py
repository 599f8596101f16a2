import asyncio
import contextvars
import gc
import logging
import subprocess
import sys
import threading
import time
import weakref

import pytest
from support.no_threads import no_more_threads

from graphile_worker.worker.call_result import Raised, Returned
from graphile_worker.worker.thread_pool import ThreadPool

DEADLINE = 10.0


class Hanging:
    """A function that hangs until it is told to go on, and says when it has begun."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, value: str = "done") -> str:
        self.began.set()
        assert self.go_on.wait(DEADLINE)
        return value

    async def has_begun(self):
        assert await asyncio.to_thread(self.began.wait, DEADLINE)


async def abandoned_by_timeout(pool, hanging, name="job 1 hang"):
    with pytest.raises(TimeoutError):
        await pool.call(hanging, name=name, timeout=0.01)


async def test_a_function_runs_in_a_thread_and_its_value_comes_back():
    pool = ThreadPool(2)
    main_thread = threading.get_ident()

    def add(left: int, right: int) -> tuple[int, int]:
        return left + right, threading.get_ident()

    result = await pool.call(add, 1, 2, name="job 1 add")

    assert isinstance(result, Returned)
    total, thread = result.value
    assert total == 3
    assert thread != main_thread
    await pool.aclose()


async def test_the_thread_is_named_after_the_job_and_is_a_daemon():
    pool = ThreadPool(1)

    result = await pool.call(threading.current_thread, name="job 7 send_email")
    assert isinstance(result, Returned)
    named = await pool.call(lambda: threading.current_thread().name, name="job 7 send_email")

    assert named == Returned("job 7 send_email")
    assert result.value.daemon
    await pool.aclose()
    await asyncio.to_thread(result.value.join, DEADLINE)
    assert not result.value.is_alive()


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), StopIteration(1), StopAsyncIteration(), KeyboardInterrupt(), SystemExit(3),
     GeneratorExit(), asyncio.CancelledError(), TimeoutError("its own")],
    ids=repr,
)  # fmt: skip
async def test_whatever_a_function_raises_is_a_result_and_the_thread_lives_on(error):
    pool = ThreadPool(1)

    def fail():
        raise error

    result = await pool.call(fail, name="job 1 fail", timeout=DEADLINE)

    assert isinstance(result, Raised)
    assert result.error is error
    assert await pool.call(lambda: 1, name="job 2 fine") == Returned(1)
    assert pool.abandoned == 0
    await pool.aclose()


async def test_context_variables_reach_the_thread_and_do_not_come_back():
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("outside")
    pool = ThreadPool(1)

    def look_and_change():
        seen = variable.get()
        variable.set("inside")
        return seen

    assert await pool.call(look_and_change, name="job 1 look") == Returned("outside")
    assert await pool.call(look_and_change, name="job 2 look") == Returned("outside")
    assert variable.get() == "outside"
    await pool.aclose()


async def test_no_more_functions_run_at_a_time_than_there_are_threads():
    pool = ThreadPool(2)
    hangings = [Hanging() for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for number, hanging in enumerate(hangings):
            group.create_task(pool.call(hanging, name=f"job {number} hang"))
        await hangings[0].has_begun()
        await hangings[1].has_begun()
        assert pool.busy == 2
        assert not hangings[2].began.is_set()
        hangings[0].go_on.set()
        await hangings[2].has_begun()
        hangings[1].go_on.set()
        hangings[2].go_on.set()
    assert pool.busy == 0
    await pool.aclose()


async def test_threads_are_reused():
    pool = ThreadPool(8)
    threads = {await pool.call(threading.get_ident, name="job") for _ in range(20)}
    assert len(threads) == 1
    await pool.aclose()


async def test_a_thread_that_cannot_be_started_takes_no_place(caplog):
    pool = ThreadPool(2)
    with no_more_threads():
        for number in range(3):
            with pytest.raises(RuntimeError, match="0 of at most 2 threads of this worker run"):
                await pool.call(lambda: 1, name=f"job {number}")
    assert pool.busy == 0
    hangings = [Hanging() for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        for number, hanging in enumerate(hangings):
            group.create_task(pool.call(hanging, name=f"job {number} hang"))
            await hanging.has_begun()
        for hanging in hangings:
            hanging.go_on.set()
    await pool.aclose()
    assert not caplog.records


async def test_threads_that_run_already_are_used_when_no_other_can_be_started():
    pool = ThreadPool(2)
    thread = await pool.call(threading.get_ident, name="job 1")
    with no_more_threads():
        assert await pool.call(threading.get_ident, name="job 2") == thread
    await pool.aclose()


async def test_a_timeout_abandons_the_thread_and_says_so(caplog):
    returned = asyncio.Event()
    pool = ThreadPool(1, on_return=returned.set)
    hanging = Hanging()

    with pytest.raises(TimeoutError, match=r"^0\.01 s$"):
        await pool.call(hanging, name="job 42 send_email", timeout=0.01)

    assert pool.abandoned == 1
    assert pool.busy == 1
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "Abandoned the thread of job 42 send_email after 0.01 s" in record.getMessage()
    hanging.go_on.set()
    async with asyncio.timeout(DEADLINE):
        await returned.wait()
    assert (pool.abandoned, pool.busy) == (0, 0)
    assert "The abandoned thread of job 42 send_email came back" in caplog.text
    await pool.aclose()


async def test_an_abandoned_thread_keeps_its_place_until_it_returns():
    pool = ThreadPool(1)
    hanging = Hanging()
    await abandoned_by_timeout(pool, hanging)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(pool.call(lambda: "next", name="job 2 next", timeout=0.5))
        await asyncio.sleep(0)
        assert not waiting.done()
        hanging.go_on.set()

    assert waiting.result() == Returned("next")
    await pool.aclose()


async def test_waiting_for_a_free_thread_does_not_count_as_running_time():
    pool = ThreadPool(1)
    hanging = Hanging()
    async with asyncio.TaskGroup() as group:
        group.create_task(pool.call(hanging, name="job 1 hang"))
        waiting = group.create_task(pool.call(lambda: "next", name="job 2 next", timeout=0.05))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
        hanging.go_on.set()
    assert waiting.result() == Returned("next")
    await pool.aclose()


async def test_cancelling_abandons_the_thread(caplog):
    pool = ThreadPool(1)
    hanging = Hanging()
    call = asyncio.ensure_future(pool.call(hanging, name="job 1 hang"))
    await hanging.has_begun()

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert pool.abandoned == 1
    assert "when it was cancelled" in caplog.text
    hanging.go_on.set()
    assert await pool.wait_quiet(DEADLINE)
    assert pool.abandoned == 0
    await pool.aclose()


async def test_a_call_that_is_cancelled_while_it_waits_for_a_thread_never_starts():
    pool = ThreadPool(1)
    hanging, never = Hanging(), Hanging()
    first = asyncio.ensure_future(pool.call(hanging, name="job 1 hang"))
    await hanging.has_begun()
    second = asyncio.ensure_future(pool.call(never, name="job 2 never"))
    await asyncio.sleep(0)

    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second

    assert pool.abandoned == 0
    hanging.go_on.set()
    await first
    assert not never.began.is_set()
    await pool.aclose()


async def test_what_an_abandoned_function_raises_is_logged(caplog):
    pool = ThreadPool(1)
    go_on = threading.Event()

    def fail():
        go_on.wait(DEADLINE)
        raise SystemExit(4)

    await abandoned_by_timeout(pool, fail)
    go_on.set()
    assert await pool.wait_quiet(DEADLINE)
    assert "its function raised SystemExit(4)" in caplog.text
    await pool.aclose()


async def test_closing_does_not_wait_for_an_abandoned_thread_longer_than_told(caplog):
    pool = ThreadPool(1)
    hanging = Hanging()
    await abandoned_by_timeout(pool, hanging, "job 9 hang")

    began = time.monotonic()
    await pool.aclose(0.05)

    assert time.monotonic() - began < 2
    assert "Left threads behind that still run: job 9 hang" in caplog.text
    hanging.go_on.set()
    assert await pool.wait_quiet(DEADLINE)


async def test_a_closed_pool_refuses_calls():
    pool = ThreadPool(1)
    await pool.aclose()
    await pool.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await pool.call(lambda: 1, name="job 1 late")


async def test_an_idle_thread_keeps_nothing_of_its_last_call():
    class Payload:
        pass

    pool = ThreadPool(1)
    payload = Payload()
    gone = weakref.ref(payload)
    await pool.call(lambda _: None, payload, name="job 1 big")
    del payload
    assert await pool.call(lambda: None, name="job 2 small") == Returned(None)
    gc.collect()
    assert gone() is None
    await pool.aclose()


PROGRAM = """
import asyncio, threading
from graphile_worker.worker.thread_pool import ThreadPool

async def main():
    pool = ThreadPool(1)
    try:
        await pool.call(threading.Event().wait, name="job 1 hang", timeout=0.01)
    except TimeoutError:
        print("abandoned")
    await pool.aclose()

asyncio.run(main())
"""


def test_an_abandoned_thread_does_not_keep_the_program_from_ending():
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "abandoned\n")


def test_a_thread_that_comes_back_after_its_loop_was_closed_ends_quietly(recwarn):
    hanging = Hanging()
    threads = []

    def hang():
        threads.append(threading.current_thread())
        return hanging()

    async def leave_behind():
        pool = ThreadPool(1)
        await abandoned_by_timeout(pool, hang)
        await pool.aclose()

    asyncio.run(leave_behind())
    assert hanging.began.wait(DEADLINE)
    hanging.go_on.set()
    threads[0].join(DEADLINE)
    assert not threads[0].is_alive()
