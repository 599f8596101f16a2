import asyncio
import contextlib
import logging
import re
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from graphile_worker.worker.loop_monitor import LoopMonitor

DEADLINE = 10.0


class Warned(logging.Handler):
    """Collects the monitor's records and lets a blocking test wait for them in its own thread."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = []
        self.arrived = threading.Semaphore(0)

    def emit(self, record):
        self.texts.append(record.getMessage())
        self.arrived.release()

    def wait(self):
        assert self.arrived.acquire(timeout=DEADLINE)

    def __len__(self) -> int:
        return len(self.texts)


@pytest.fixture
def warned():
    handler = Warned()
    logger = logging.getLogger("graphile_worker.worker.loop_monitor")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def quick_monitor(**options: Any) -> LoopMonitor:
    return LoopMonitor(threshold=0.1, interval=0.01, **options)


async def in_a_task_named(name, coroutine):
    await asyncio.create_task(coroutine, name=name)


async def test_a_handler_that_blocks_the_loop_is_named_once(warned):
    async def send_email():
        warned.wait()  # blocks the loop until the monitor has spoken
        assert not warned.arrived.acquire(timeout=0.5)  # and blocks on: it says it only once

    async with quick_monitor():
        await in_a_task_named("job 42 send_email", send_email())

    text = warned.texts[0]
    assert "is blocked for" in text
    assert "job 42 send_email" in text
    assert re.search(rf"{re.escape(__file__)}:\d+ in send_email: warned\.wait\(\)", text)
    assert "run_forever" not in text


async def test_the_end_of_the_blockade_is_told(warned):
    async def block():
        warned.wait()

    async with quick_monitor():
        await in_a_task_named("job 1 block", block())
        await asyncio.to_thread(warned.wait)

    assert re.fullmatch(r"The event loop runs again after \d\.\d s", warned.texts[1])


async def test_each_blockade_has_its_warning(warned):
    async def block():
        warned.wait()

    async with quick_monitor():
        for number in range(2):
            await in_a_task_named(f"job {number} block", block())
            await asyncio.to_thread(warned.wait)

    assert ["job 0" in warned.texts[0], "job 1" in warned.texts[2]] == [True, True]


async def test_the_hook_tells_what_a_task_does(warned):
    async def block():
        warned.wait()

    jobs = {}
    async with quick_monitor(describe=jobs.get):
        task = asyncio.create_task(block(), name="slot 3")
        jobs[task] = "job 42 send_email"
        await task

    assert "by job 42 send_email;" in warned.texts[0]


async def test_a_callback_outside_any_task_is_called_so(warned):
    async with quick_monitor():
        done = asyncio.Event()
        asyncio.get_running_loop().call_soon(lambda: (warned.wait(), done.set()))
        await done.wait()

    assert "by a callback;" in warned.texts[0]


async def test_a_handler_that_holds_the_interpreter_lock_is_named_too(warned):
    async def match():
        while not warned.texts:
            re.match(r"(a+)+$", "a" * 23 + "b")  # holds the lock for a good part of a second

    async with LoopMonitor(threshold=0.05, interval=0.01):
        await in_a_task_named("job 5 match", match())

    assert "job 5 match" in warned.texts[0]
    assert "in match" in warned.texts[0]


async def test_a_loop_that_goes_on_is_not_reported(warned):
    async with LoopMonitor(threshold=5.0, interval=0.01) as monitor:
        for _ in range(100):
            await asyncio.sleep(0.005)
        assert monitor.lag < 5.0
    assert not warned.texts


async def test_a_thread_that_holds_the_interpreter_lock_is_not_blamed_on_the_loop(warned):
    began, ended = threading.Event(), threading.Event()

    def match():
        began.wait(DEADLINE)
        while not ended.is_set():
            re.match(r"(a+)+$", "a" * 23 + "b")

    thread = threading.Thread(target=match)
    thread.start()
    async with LoopMonitor(threshold=0.05, interval=0.01):
        began.set()
        try:
            async with asyncio.timeout(3 * DEADLINE):
                while not any("nothing that runs on it" in text for text in warned.texts):
                    await asyncio.sleep(0.01)
        finally:
            ended.set()
    await asyncio.to_thread(thread.join)


async def test_the_lag_can_be_read_while_the_loop_is_blocked(warned):
    lags = []

    async def block():
        warned.wait()
        reader = threading.Thread(target=lambda: lags.append(monitor.lag))
        reader.start()
        reader.join()

    async with quick_monitor() as monitor:
        await block()
        assert monitor.lag > 0.1
    assert lags[0] > 0.1


async def test_it_can_be_entered_again_and_leaves_no_thread():
    def watchers():
        return [t for t in threading.enumerate() if t.name == "graphile-worker-loop-monitor"]

    monitor = quick_monitor()
    for _ in range(2):
        async with monitor:
            running = watchers()
            assert len(running) == 1
        await asyncio.to_thread(running[0].join, DEADLINE)
        assert not watchers()


PROGRAM = """
import asyncio, logging, sys
from graphile_worker.worker.loop_monitor import LoopMonitor

async def main():
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s")
    async with LoopMonitor(threshold=0.2, interval=0.02):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await asyncio.sleep(0.3)
        print("end", flush=True)

asyncio.run(main())
"""


def test_a_process_that_was_stopped_blames_nobody():
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGSTOP)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)  # stays stopped for a second
            process.send_signal(signal.SIGCONT)
            rest, _ = process.communicate("\n", timeout=DEADLINE)
        finally:
            process.kill()
    assert rest == "end\n"
