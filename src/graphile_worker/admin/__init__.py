"""The admin page and its JSON API; needs the extra `admin`.

The names below are public; see docs/admin.md. `service` is what page, API and command line share.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from graphile_worker.errors import MissingDependencyError

if TYPE_CHECKING:
    from graphile_worker.admin.app import create_admin_app
    from graphile_worker.admin.extensions.panels import Panel, ShownJob
    from graphile_worker.admin.service.audit import AuditEntry
    from graphile_worker.admin.web.authentication import (
        allow_all,
        basic_auth,
        bearer_auth,
        header_auth,
    )
    from graphile_worker.admin.web.permissions import PERMISSIONS, ROLES, Identity
    from graphile_worker.admin.web.proxy_header import proxy_header_auth
    from graphile_worker.admin.wsgi import as_wsgi

_HOME: Final = {
    "PERMISSIONS": "web.permissions",
    "ROLES": "web.permissions",
    "AuditEntry": "service.audit",
    "Identity": "web.permissions",
    "Panel": "extensions.panels",
    "ShownJob": "extensions.panels",
    "as_wsgi": "wsgi",
    "allow_all": "web.authentication",
    "basic_auth": "web.authentication",
    "bearer_auth": "web.authentication",
    "create_admin_app": "app",
    "header_auth": "web.authentication",
    "proxy_header_auth": "web.proxy_header",
}

__all__ = [
    "PERMISSIONS",
    "ROLES",
    "AuditEntry",
    "Identity",
    "Panel",
    "ShownJob",
    "allow_all",
    "as_wsgi",
    "basic_auth",
    "bearer_auth",
    "create_admin_app",
    "header_auth",
    "proxy_header_auth",
]


def __getattr__(name: str) -> object:
    """Import a name when it is first used: the service needs nothing of the web."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_HOME[name]}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"starlette", "jinja2"}:
            raise
        raise MissingDependencyError("the admin page", "admin") from error
    return getattr(module, name)
