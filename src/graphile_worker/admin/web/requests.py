"""What requests say, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.web.problems import invalid

S = TypeVar("S")


class Query(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Parameters of an address: what is not among them is a mistake, and told."""


class Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """JSON that is sent; what is not among its fields is a mistake, and told."""


def query_of(request: Request, kind: type[S]) -> S:
    """The parameters.

    Raises:
        Refused: one is unknown, given twice, or not what is wanted.
    """
    return converted(parameters(request), kind)


def parameters(request: Request) -> dict[str, str]:
    """The parameters as text.

    Raises:
        Refused: one is given twice.
    """
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in found:
            raise invalid(f"the parameter {name[:80]} is given twice")
        found[name] = value
    return found


def converted(given: Mapping[str, str], kind: type[S]) -> S:
    """Texts as the values that a struct wants.

    Raises:
        Refused: they are not.
    """
    try:
        return msgspec.convert(dict(given), kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(f"parameters: {error}") from None


async def body_of(request: Request, kind: type[S]) -> S:
    """The JSON that was sent.

    Raises:
        Refused: it is none, or not what is wanted.
    """
    data = await request.body()
    try:
        return msgspec.json.decode(data or b"{}", type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise invalid(f"body: {error}") from None


def json_answer(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A value as JSON; times are RFC 3339."""
    data = msgspec.json.encode(value)
    return Response(data, status, dict(headers or {}), media_type="application/json")
