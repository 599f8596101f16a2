"""What a process and its supervisor say to each other, one datagram each."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec

LARGEST: Final = 64 * 1024
"""Bytes of a datagram."""

VARIABLE: Final = "GRAPHILE_WORKER_SUPERVISED"
"""Tells a process its place, its socket and the pipe that ends with its supervisor."""


class Order(Enum):
    """What a supervisor wants."""

    DRAIN = b"drain"
    """Take no more jobs, and end when those running have."""
    ABORT = b"abort"
    """Hand the running jobs back, and end."""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The first message: the options are known, nothing is connected yet."""

    listen: str | None
    """Where the supervisor is to answer probes."""
    listen_beyond_loopback: bool
    grace_seconds: float
    """How long running jobs may take to end."""


class Report(msgspec.Struct, frozen=True, tag="report"):
    """How the process is doing, told often."""

    is_ready: bool
    jobs: int
    """How many it has begun with, as far as somebody asked to have them counted."""
    memory: int
    """Bytes that it holds."""
    health: dict[str, Any]
    """`Worker.health()` as JSON."""


Message = Hello | Report

_decoder: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Hello | Report)


def encode(message: Message) -> bytes:
    """A message as a datagram."""
    return msgspec.json.encode(message)


def decode(data: bytes) -> Message:
    """A datagram as a message.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _decoder.decode(data)
