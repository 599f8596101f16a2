"""What can be asked for, and who may ask for it: rows of one table, for API and pages alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.web.permissions import Identity
from graphile_worker.admin.web.problems import forbidden

Call: TypeAlias = Callable[[Request, Identity], Awaitable[Response]]


class Kind(Enum):
    """Whom an endpoint is for, which says how problems are told."""

    API = "api"
    """Problem documents."""
    RUST = "rust"
    """`{"error": …}`, as clients of the Rust implementation read it."""
    PAGE = "page"
    """Pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the OpenAPI document says of an endpoint of the API.

    Attributes:
        summary: in one line.
        query: the parameters, as a `msgspec.Struct`.
        body: what is sent, as one.
        answers: the type of the answer; None is none, or not JSON.
        status: of a good answer.
        media_type: of the answer.
    """

    summary: str
    query: Any = None
    body: Any = None
    answers: Any = None
    status: int = 200
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path.

    Attributes:
        method: `GET` also answers HEAD. All but `GET` are changes: they need a proof that the
            user's own page or program asks, and there are none where everything is read-only.
        path: as Starlette writes it.
        call: answers; who asks is known, and has one of the permissions.
        needs: permissions, one of which is enough here; `call` may ask for more. None is public.
        kind: whom it is for.
        is_stream: whether the answer may take any time.
        only_reads: whether a POST changes nothing (a preview), so that it is there in any case.
        described: what the OpenAPI document says.
    """

    method: str
    path: str
    call: Call
    needs: tuple[str, ...] | None
    kind: Kind = Kind.API
    is_stream: bool = False
    only_reads: bool = False
    described: Described | None = None


def require(identity: Identity, *permissions: str) -> None:
    """Make sure that somebody has all of these permissions.

    Raises:
        Refused: with 403; it says which one is missing.
    """
    for permission in permissions:
        if permission not in identity.permissions:
            raise forbidden((permission,))
