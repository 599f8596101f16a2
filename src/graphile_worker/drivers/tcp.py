"""TCP options of a connection that asyncpg gives no way to set."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any

from graphile_worker.drivers.target import Keepalive


def apply_keepalive(transport: Any, keepalive: Keepalive) -> None:
    """Let the kernel notice a link that died without a word.

    Without it, nothing does: a query waits for an answer for ever. What the platform does not
    know is left out; 0 leaves a value to the system, as in libpq.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    # Event loops hand out stand-ins that may lack setsockopt; options belong to the open socket
    # itself, so a duplicate of its descriptor will do.
    with suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as twin:
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _options(keepalive):
            option = getattr(socket, name, None)
            if option is not None and value:
                twin.setsockopt(socket.IPPROTO_TCP, option, value)


def _options(keepalive: Keepalive) -> list[tuple[str, int]]:
    idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
    return [
        (idle, keepalive.idle_seconds),
        ("TCP_KEEPINTVL", keepalive.interval_seconds),
        ("TCP_KEEPCNT", keepalive.count),
        ("TCP_USER_TIMEOUT", keepalive.user_timeout_ms),
    ]
