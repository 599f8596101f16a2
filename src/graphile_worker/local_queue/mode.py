"""What a local queue is doing."""

from __future__ import annotations

from enum import Enum


class LocalQueueMode(Enum):
    """What a local queue is doing; the package tells which follows which."""

    STARTING = "starting"
    POLLING = "polling"
    WAITING = "waiting"
    TTL_EXPIRED = "ttl_expired"
    RELEASED = "released"
