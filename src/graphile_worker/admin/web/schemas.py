"""Several schemas below one application: the first at its root, each other one below its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from starlette.types import Scope

from graphile_worker.database.schema import Schema
from graphile_worker.errors import ConfigurationError

FOLDER: Final = "schemas"
STEPS: Final = 2
"""Of the way from the root of the application down to that of another schema."""


def checked_schemas(first: str, more: Iterable[str]) -> tuple[Schema, ...]:
    """The schemas to serve, each once.

    Raises:
        ConfigurationError: one has no name, or one that cannot be a step of an address.
    """
    if isinstance(more, str):
        raise ConfigurationError(f"more_schemas must be a list of names, got {more!r}")
    names = tuple(dict.fromkeys([first, *more]))
    for name in names[1:]:
        if "/" in name or name in {".", ".."}:
            raise ConfigurationError(
                f"the name of a schema in more_schemas becomes a step of addresses, and so it must "
                f"not be . or .. or hold a slash, got {name!r}"
            )
    return tuple(Schema(name) for name in names)


def below(name: str) -> str:
    """The path of a schema that is not the first, below the root of the application."""
    return f"/{FOLDER}/{name}"


def address(name: str) -> str:
    """The same as links have it, relative to the root of the application."""
    return f"{FOLDER}/{quote(name, safe='')}/"


def moved_below(scope: Scope, path: str) -> Scope | None:
    """The request as an application below a path sees it; None where it is for another one."""
    root: str = scope.get("root_path", "")
    rest: str = scope["path"]
    if root and rest.startswith(root + "/"):
        rest = rest[len(root) :]
    if rest != path and not rest.startswith(path + "/"):
        return None
    return {**scope, "path": root + rest, "root_path": root + path}
