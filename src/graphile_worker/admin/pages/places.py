"""Where a page is below the root of its application, and the same place in another schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlencode

from starlette.requests import Request

from graphile_worker.admin.web.schemas import address

_SCREENS: Final = frozenset(
    {"", "jobs", "failures", "tasks", "queues", "workers", "cron", "health", "audit", "settings"}
)
_NAMED: Final = frozenset({"tasks", "queues"})
"""Screens below which there are pages by name: the same task may be in the other schema too."""
_HERE: Final = frozenset({"after", "before", "save"})
"""Parameters that mean something in this schema only: the place of a page in a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaLink:
    """The way to a schema."""

    name: str
    address: str
    is_current: bool


def base_of(request: Request) -> str:
    """The way from the page that is asked for up to the root of the application.

    Addresses are relative, so that they hold under any prefix, known or not. A `/` within a name
    is encoded and no step, which only the raw path tells.
    """
    return "../" * (len(_steps(request)) - 1) or "./"


def schema_links(
    request: Request, home: str, schemas: Sequence[str], current: str
) -> list[SchemaLink]:
    """The page that is asked for in each schema, as far as it can be the same.

    Args:
        request: for the page.
        home: the way from it up to the root of the first schema.
        schemas: all of them, the first one first.
        current: the one that is looked at.
    """
    if len(schemas) == 1:
        return []
    place = place_of(request)
    return [
        SchemaLink(
            name=name,
            address=home + ("" if name == schemas[0] else address(name)) + place,
            is_current=name == current,
        )
        for name in schemas
    ]


def place_of(request: Request) -> str:
    """The address of the page below the root of its schema, as it makes sense in any schema.

    Filters stay; the number of a job and the place in a list mean something else elsewhere.
    """
    screen, *rest = _steps(request)
    if screen not in _SCREENS:
        return ""
    if any(rest) and screen not in _NAMED:
        return screen
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] not in _HERE]
    return "/".join([screen, *rest]) + (f"?{urlencode(pairs)}" if pairs else "")


def _steps(request: Request) -> list[str]:
    """The path below the root of the application, step by step, as it was sent."""
    root: str = request.scope.get("root_path", "")
    raw = (request.scope.get("raw_path") or request.scope["path"].encode()).decode("latin-1")
    above = root.count("/") if unquote(raw).startswith(root) else 0
    return raw.split("/")[1 + above :] or [""]
