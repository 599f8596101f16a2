"""Refusals and failures as values, and as RFC 9457 problem documents."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from starlette.responses import Response

from graphile_worker.errors import (
    ConfigurationError,
    ConnectionLostError,
    DatabaseError,
    JobNotAddedError,
    JobScheduleFailed,
    JobScheduleSkipped,
    MigrationError,
    PayloadError,
    SchemaMissingError,
)

logger = logging.getLogger(__name__)

_TIMED_OUT: Final = "57014"
_LOCKED: Final = "55P03"
_READ_ONLY: Final = "25006"
_URN: Final = "urn:graphile-worker:problem:"


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for people and for programs.

    Attributes:
        status: of the answer.
        kind: what a program may react to; the end of the problem's `type`.
        title: what happens in every such case.
        detail: what happened in this one, and what to do.
        headers: for the answer.
        more: further members of the document.
    """

    status: int
    kind: str
    title: str
    detail: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def document(self) -> dict[str, Any]:
        """The problem document."""
        return {
            "type": _URN + self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }


class Refused(Exception):  # noqa: N818 (control flow: ends a request with an answer)
    """Ends a request with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem


def invalid(detail: str, **more: Any) -> Refused:
    """400: something that was sent makes no sense."""
    return Refused(Problem(400, "invalid", "The request makes no sense", detail, more=more))


def missing(detail: str) -> Refused:
    """404: there is no such thing."""
    return Refused(Problem(404, "not-found", "There is no such thing", detail))


def forbidden(permissions: tuple[str, ...]) -> Refused:
    """403: the permission for it is missing."""
    return Refused(
        Problem(
            403,
            "forbidden",
            "You may not do this",
            f"it needs the permission {' or '.join(permissions)}",
            more={"permissions": list(permissions)},
        )
    )


def problem_of(error: Exception) -> Problem:  # noqa: PLR0911 (one a kind of error)
    """What an exception means to whoever asked; what they cannot know of is logged."""
    match error:
        case Refused():
            return error.problem
        case PayloadError() | ConfigurationError():
            return Problem(400, "invalid", "The request makes no sense", str(error))
        case JobScheduleSkipped() | JobScheduleFailed():
            return Problem(422, "not-added", "The job was not added", str(error))
        case JobNotAddedError():
            return Problem(409, "not-added", "The job was not added", str(error))
        case ConnectionLostError():
            return _unavailable("database-away", "The database cannot be reached", error)
        case SchemaMissingError() | MigrationError():
            return _unavailable("schema", "The schema is not one to work with", error)
        case DatabaseError(sqlstate=state) if state is not None:
            return _refused_by_database(state, error)
        case _:
            logger.error("a request failed", exc_info=error)
            return Problem(500, "internal", "Something is wrong here", "it was written to the log")


def answer(problem: Problem, *, for_rust: bool = False) -> Response:
    """The problem as an answer."""
    if for_rust:
        body: dict[str, Any] = {"error": problem.detail or problem.title}
        media = "application/json"
    else:
        body, media = problem.document(), "application/problem+json"
    return Response(
        msgspec.json.encode(body), problem.status, dict(problem.headers), media_type=media
    )


def _refused_by_database(state: str, error: DatabaseError) -> Problem:
    if state == _TIMED_OUT:
        return Problem(
            503,
            "too-slow",
            "It took too long and was stopped",
            "narrow the filter, or search fewer jobs (scope=)",
        )
    if state == _LOCKED:
        return _unavailable("locked", "Somebody else holds what this needs", error)
    if state == _READ_ONLY:
        return Problem(403, "read-only", "Nothing can be changed here", str(error))
    if state[:2] in {"22", "23"}:
        return Problem(400, "invalid", "The database does not take this value", str(error))
    logger.error("a statement failed", exc_info=error)
    return Problem(
        500, "internal", "Something is wrong here", f"SQLSTATE {state}; it was written to the log"
    )


def _unavailable(kind: str, title: str, error: Exception) -> Problem:
    return Problem(503, kind, title, str(error), headers={"Retry-After": "2"})
