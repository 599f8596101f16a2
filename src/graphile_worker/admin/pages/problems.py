"""What went wrong, as a page says it: what happened, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from graphile_worker.errors import ConfigurationError, DatabaseError

_TIMED_OUT: Final = "57014"


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands in place of what was asked for."""

    status: int
    title: str
    text: str
    links: list[dict[str, str]] = field(default_factory=list[dict[str, str]])


def problem_of(error: Exception, *, links: list[dict[str, str]] | None = None) -> Problem:
    """The problem that an error of the service is.

    Args:
        error: what it raised.
        links: to what may help.
    """
    if isinstance(error, ConfigurationError):
        return Problem(400, "That cannot be done as it was asked for", str(error), links or [])
    if isinstance(error, DatabaseError) and error.sqlstate == _TIMED_OUT:
        text = "It took too long and was stopped. Narrow the filter or search fewer jobs."
        return Problem(504, "Stopped", text, links or [])
    return Problem(503, "The database cannot be read", str(error))
