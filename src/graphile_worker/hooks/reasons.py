"""The closed sets that events name."""

from __future__ import annotations

from enum import Enum


class ShutdownReason(Enum):
    """Why a worker stops."""

    SIGNAL = "signal"
    """SIGINT, SIGTERM, or the end of the terminal."""
    GRACEFUL = "graceful"
    """The program asked for it."""
    ERROR = "error"
    """`run` ends with an exception."""


class FailureReason(Enum):
    """Why a job was cut off; the value is what `last_error` says of a job that fails by it."""

    TASK_ERROR = "TaskError"
    """Its handler raised; kept for the vocabulary of the Rust worker, not emitted."""
    TASK_PANIC = "TaskPanic"
    """As before."""
    SHUTDOWN_ABORTED = "ShutdownAborted"
    """Its worker stopped before the handler had ended."""
    WORKER_CRASHED = "WorkerCrashed"
    """Its worker fell silent, and another one found the job."""


class LocalQueueMode(Enum):
    """What a local queue is doing; see there."""

    STARTING = "starting"
    POLLING = "polling"
    WAITING = "waiting"
    TTL_EXPIRED = "ttl_expired"
    RELEASED = "released"
