"""Connections belong to the process that opened them."""

from __future__ import annotations

import os

from graphile_worker.errors import ConfigurationError


def forked(process: int) -> ConfigurationError:
    """The error for two processes at one socket: they would garble each other's conversation."""
    return ConfigurationError(
        f"this connection was opened by process {process}, and is used in process {os.getpid()}; "
        "open connections after forking"
    )
