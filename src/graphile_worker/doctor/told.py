"""What a worker tells of itself in the registry; other implementations tell less, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, cast

from graphile_worker.queries.overview import ActiveWorker

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The parts of the metadata that are what they should be; None and empty for the others."""

    worker_id: str
    host: str | None
    pid: int | None
    connections: int | None
    """How many it may open, without that of the watch."""
    watches_queue: bool
    """Whether it would open one to watch the queue, if no other worker did."""
    tasks: tuple[str, ...]
    crons: tuple[str, ...]

    @property
    def place(self) -> str:
        """Where it runs, or else its id."""
        return f"{self.host}:{self.pid}" if self.host and self.pid else self.worker_id


def told(worker: ActiveWorker) -> Told:
    """Read the metadata of a worker."""
    raw: object = worker.metadata
    metadata = cast("dict[str, object]", raw) if isinstance(raw, dict) else {}
    return Told(
        worker_id=worker.worker_id,
        host=_kind(metadata.get("host"), str),
        pid=_kind(metadata.get("pid"), int),
        # Those of older versions tell the option alone.
        connections=_kind(metadata.get("most_connections", metadata.get("max_pg_conn")), int),
        watches_queue=metadata.get("watches_queue") is True,
        tasks=_texts(metadata.get("tasks")),
        crons=_texts(metadata.get("crons")),
    )


def _kind(value: object, kind: type[T]) -> T | None:
    return value if isinstance(value, kind) else None


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(one for one in cast("list[object]", value) if isinstance(one, str))
