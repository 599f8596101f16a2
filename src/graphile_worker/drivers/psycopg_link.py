"""The socket below a psycopg connection."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any

import psycopg


def shut_down(raw: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> None:
    """End a connection at once, from any thread: who waits for an answer gets an error.

    The socket is shut down, not closed: nobody would wake who waits for a closed one.
    """
    with suppress(OSError, psycopg.Error):
        link = socket.socket(fileno=os.dup(raw.fileno()))
        with link:
            link.shutdown(socket.SHUT_RDWR)


def check_link(raw: psycopg.Connection[Any]) -> None:
    """Look whether the server has ended an idle connection; costs no round trip.

    Raises:
        psycopg.OperationalError: it has.
    """
    for _ in range(2):  # the server's last words, and then the end of the stream
        raw.pgconn.consume_input()
    if raw.closed:
        raise psycopg.OperationalError("the connection is closed")
