"""The process that runs handlers with `executor="process"`: its whole life.

It is started by `process_handle` as a fresh interpreter and imports little: this module, and the
module of the task that it is asked to run.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import sys
import threading
import traceback
from types import FrameType

from graphile_worker.errors import PayloadError, PermanentFailure, Snooze
from graphile_worker.worker.call_result import delay_of
from graphile_worker.worker.process_protocol import (
    CALL_HEADER,
    Done,
    Failed,
    FailedForGood,
    Misfit,
    Result,
    Snoozed,
    Started,
    decode_path,
    encode_answer,
    sendable,
)
from graphile_worker.worker.task_path import TaskPath, find_task


def main(connection_fd: int, lifeline_fd: int) -> None:
    """Run one call after the other until the worker closes the connection.

    Args:
        connection_fd: where calls come from and answers go.
        lifeline_fd: a pipe on which nothing is ever sent; it ends when the worker's process does.
    """
    _leave_signals_to_the_worker()
    _die_with_the_worker(lifeline_fd)
    with socket.socket(fileno=connection_fd) as connection, contextlib.suppress(ConnectionError):
        connection.set_inheritable(False)
        while (call := _receive_call(connection)) is not None:
            connection.sendall(encode_answer(Started()))
            result = run(*call)
            del call
            _flush_output()
            connection.sendall(encode_answer(result))


def run(path: TaskPath, payload: str) -> Result:
    """Run one handler; whatever it raises is a result."""
    try:
        task = find_task(path)
        if task.takes_payload:
            task.fn(task.decode(payload))
        else:
            task.fn()
    except Snooze as snooze:
        return _snoozed(snooze)
    except PermanentFailure as failure:
        return FailedForGood(sendable(_message_of(failure)))
    except PayloadError as error:
        return Misfit(sendable(_message_of(error)))
    except BaseException as error:  # noqa: BLE001 (a handler's SystemExit ends its job only)
        return _failed(error)
    return Done()


def _snoozed(snooze: Snooze) -> Result:
    try:
        return Snoozed(delay_of(snooze).total_seconds())
    except Exception as error:  # noqa: BLE001 (a class of the user's)
        return _failed(error)


def _failed(error: BaseException) -> Failed:
    name = sendable(type(error).__name__)
    return Failed(name, sendable(_message_of(error)), _traceback_of(error))


def _leave_signals_to_the_worker() -> None:
    """The worker decides what Ctrl-C and SIGTERM mean, also when both processes receive them.

    A service manager signals all processes of a service: the job that runs here still has the
    grace period. A handler that does nothing is not inherited by programs that a task starts;
    ignoring the signal would be. The end of a terminal is ignored already under `nohup`.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _do_nothing)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _do_nothing)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    pass


def _die_with_the_worker(lifeline_fd: int) -> None:
    """End at once, with everything started from here, when the worker's process is gone."""
    os.set_inheritable(lifeline_fd, False)  # noqa: FBT003 (its name says what is set)
    with contextlib.suppress(OSError):
        # The kernel sends SIGIO to the process group, which ends it: this works even where no
        # Python code runs, because the handler is inside C code that holds the interpreter lock.
        fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, -os.getpgrp())
        flags = fcntl.fcntl(lifeline_fd, fcntl.F_GETFL)
        fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, flags | os.O_ASYNC)
    # For where that is not known, and for a worker that was gone before.
    threading.Thread(target=_watch, args=(lifeline_fd,), name="lifeline", daemon=True).start()


def _watch(lifeline_fd: int) -> None:
    os.read(lifeline_fd, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _receive_call(connection: socket.socket) -> tuple[TaskPath, str] | None:
    header = _receive(connection, CALL_HEADER.size)
    if header is None:
        return None
    head_length, body_length = CALL_HEADER.unpack(header)
    head, body = _receive(connection, head_length), _receive(connection, body_length)
    if head is None or body is None:
        return None
    return decode_path(head), body.decode()


def _receive(connection: socket.socket, length: int) -> bytearray | None:
    """Exactly so many bytes; None when the connection ended before."""
    data = bytearray(length)
    rest = memoryview(data)
    while rest:
        count = connection.recv_into(rest)
        if not count:
            return None
        rest = rest[count:]
    return data


def _flush_output() -> None:
    """What the handler printed is seen when its job ends, and survives a later kill."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 (a `__str__` of the user's)
        return "(its text cannot be read: __str__ failed)"


def _traceback_of(error: BaseException) -> str:
    try:
        own = error.__traceback__
        lines = traceback.format_exception(error.with_traceback(own and own.tb_next))
    except Exception:  # noqa: BLE001 (a `__str__` of the user's)
        return ""
    return sendable("".join(lines))
