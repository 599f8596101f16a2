"""What could be meant by the beginning of a value."""

from __future__ import annotations

from graphile_worker.admin.service.figures import Figures
from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.fine_state import FineState


def suggestions(figures: Figures, field: str, beginning: str, *, limit: int) -> list[str]:
    """Values of a field of a filter that begin so, and then those that hold it.

    Raises:
        ConfigurationError: the field has none.
    """
    wanted = beginning.lower()
    found = [name for name in _values(figures, field) if wanted in name.lower()]
    return sorted(found, key=lambda name: (not name.lower().startswith(wanted), name))[:limit]


def _values(figures: Figures, field: str) -> list[str]:
    match field:
        case "task":
            return [row.task for row in figures.tasks]
        case "queue":
            return [row.queue for row in figures.queues if row.queue is not None]
        case "worker":
            return [member.worker_id for member in figures.fleet]
        case "state":
            return [state.value for state in FineState]
        case _:
            raise ConfigurationError(
                f"field must be one of task, queue, worker, state, got {field[:80]!r}"
            )
