"""Below which path we are mounted, where the host does not say it as ASGI wants it said."""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.types import Scope


def located(scope: Scope) -> Scope:
    """The scope of a request with the whole path in `path`, and our part of it after `root_path`.

    Litestar takes the prefix away, adds a slash to what is left, and names neither in `root_path`;
    the path as it was sent is in `raw_path`.
    """
    raw = scope.get("raw_path")
    if raw is None or scope.get("root_path"):
        return scope
    whole = unquote(raw.partition(b"?")[0].decode("latin-1"))
    path: str = scope["path"]
    if whole == path:
        return scope
    for rest in (path, path.removesuffix("/")):
        if whole.endswith(rest):
            return {**scope, "path": whole, "root_path": whole[: len(whole) - len(rest)]}
    return scope


def is_wsgi(scope: Scope) -> bool:
    """Whether a request came through WSGI, where each answer under way keeps a thread."""
    return "wsgi_environ" in scope


def slash_is_missing(scope: Scope) -> str | None:
    """Where to go instead, relative to the request, from our root without its slash; else None."""
    root: str = scope.get("root_path", "")
    if root and scope["path"] == root:
        return quote(root.rpartition("/")[2], safe="") + "/"
    return None
