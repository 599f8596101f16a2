"""Tasks that run in a process of their own, for `test_process_pool`; a module that imports little."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from graphile_worker.errors import PayloadError, PermanentFailure, Snooze


@dataclass(frozen=True, eq=False)
class StubTask:
    """As much of a `Task` as a process needs."""

    identifier: str
    fn: Callable[..., Any]
    takes_payload: bool = True

    def decode(self, text: str) -> Any:
        payload = json.loads(text)
        if payload == "misfit":
            raise PayloadError("expected an object, got a string - at `$.frame`")
        return payload


def process_task(fn: Callable[..., Any]) -> StubTask:
    return StubTask(fn.__name__, fn)


def report(path: str, /, **values: Any) -> None:
    """Tell the test something: a file that is whole when it appears."""
    draft = Path(f"{path}.{os.getpid()}")
    draft.write_text(json.dumps(values | {"pid": os.getpid()}))
    draft.rename(path)


def hang(path: str, /, **values: Any) -> None:
    report(path, **values)
    threading.Event().wait()


@process_task
def tell(payload):
    report(
        payload["report"],
        payload=payload,
        cwd=str(Path.cwd()),
        path=sys.path,
        argv=sys.argv,
        modules=sorted(sys.modules),
        signals=[repr(signal.getsignal(number)) for number in (signal.SIGUSR1, signal.SIGPIPE)],
        looping=asyncio._get_running_loop() is not None,
    )


def no_payload() -> None:
    sys.stdout.write("no payload was asked for\n")


without_payload = StubTask("no_payload", no_payload, takes_payload=False)


@process_task
def take_long(payload):
    hang(payload["report"])


@process_task
def take_long_in_a_program(payload):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as program:
        hang(payload["report"], program=program.pid)


@process_task
def hold_the_lock(payload):
    report(payload["report"])
    re.match(r"(a+)+$", "a" * 64 + "b")


@process_task
def wait_for_file(payload):
    report(payload["report"])
    while not Path(payload["file"]).exists():
        time.sleep(0.01)


@process_task
def fork_and_die(payload):
    if os.fork() == 0:
        threading.Event().wait()
    report(payload["report"], group=os.getpgrp())
    os._exit(5)


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class OddSnooze(Snooze):
    def __init__(self) -> None:
        pass


class OddPermanentFailure(PermanentFailure):
    def __init__(self, account) -> None:
        pass


@process_task
def fail(payload):  # noqa: C901, PLR0912 (one ending a case)
    match payload:
        case "value":
            raise ValueError("the frame \udcff is \0 broken")
        case "empty":
            raise KeyError
        case "snooze":
            raise Snooze(timedelta(minutes=2, microseconds=5))
        case "permanent":
            raise PermanentFailure("no such account")
        case "odd snooze":
            raise OddSnooze
        case "odd permanent":
            raise OddPermanentFailure("no such account")
        case "exit":
            sys.exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "stop":
            raise StopIteration
        case "long":
            raise ValueError("x" * 5_000_000)
        case "unreadable":
            raise UnreadableError
        case "_exit":
            os._exit(3)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "close":
            os.closerange(3, 256)
            threading.Event().wait()


@process_task
def print_much(payload):
    sys.stdout.write("{" * 10_000 + "\n")
    sys.stderr.write("to the error output\n")


@process_task
def meddle(payload):
    """Write into the connection to the worker, as a library that gets descriptors wrong does."""
    for fd in range(3, 256):
        try:
            connection = socket.socket(fileno=os.dup(fd))
        except OSError:
            continue
        with connection:
            connection.sendall(payload.encode("latin-1"))
    threading.Event().wait()


class Frames:
    @process_task
    def render(payload):  # noqa: N805 (a function kept in a class)
        report(payload["report"])


def undecorated(payload):
    pass


a_lambda = StubTask("a_lambda", lambda _: None)


def defined_inside() -> StubTask:
    @process_task
    def inner(payload):
        pass

    return inner
