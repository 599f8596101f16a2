"""What crosses the pipe between a worker and a process that runs its handlers.

A call goes out as two lengths, a task path as JSON, and the payload's text as it is; one `Started`
and one result come back, each as a length and JSON. Nothing is pickled: what a handler's process
says can never run code in the worker.
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from graphile_worker.worker.task_path import TaskPath

CALL_HEADER: Final = struct.Struct(">IQ")
ANSWER_HEADER: Final = struct.Struct(">I")
LONGEST_TEXT: Final = 256 * 1024
"""Characters of one text in an answer; more than a `last_error` can hold."""
LONGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes; more is not an answer of ours."""


class Started(Struct, tag="started"):
    """The call has arrived: from here on it counts as run."""


class Done(Struct, tag="done"):
    """The handler returned."""


class Snoozed(Struct, tag="snoozed"):
    """The handler raised `Snooze`."""

    seconds: float


class FailedForGood(Struct, tag="failed_for_good"):
    """The handler raised `PermanentFailure`."""

    reason: str


class Misfit(Struct, tag="misfit"):
    """The payload is not what the task takes."""

    message: str


class Failed(Struct, tag="failed"):
    """The handler raised anything else, or could not be imported."""

    type_name: str
    message: str
    traceback: str


Result: TypeAlias = Done | Snoozed | FailedForGood | Misfit | Failed

_answers: msgspec.json.Decoder[Started | Result] = msgspec.json.Decoder(
    Started | Done | Snoozed | FailedForGood | Misfit | Failed
)
_paths = msgspec.json.Decoder(TaskPath)


def encode_call(path: TaskPath, payload: str) -> tuple[bytes, bytes]:
    """The two parts of a call; apart, so that a big payload is not copied once more."""
    head, body = msgspec.json.encode(path), payload.encode()
    return CALL_HEADER.pack(len(head), len(body)) + head, body


def decode_path(data: bytes | bytearray) -> TaskPath:
    """The task path of a call."""
    return _paths.decode(data)


def encode_answer(answer: Started | Result) -> bytes:
    """One frame."""
    data = msgspec.json.encode(answer)
    return ANSWER_HEADER.pack(len(data)) + data


def decode_answer(data: bytes | bytearray) -> Started | Result:
    """The answer in a frame.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _answers.decode(data)


def sendable(text: str) -> str:
    """A text that JSON in UTF-8 can hold: bounded, lone surrogates escaped."""
    return text[:LONGEST_TEXT].encode("utf-8", "backslashreplace").decode()
