"""The application of `graphile-worker admin`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from graphile_worker.admin.app import AdminApp
from graphile_worker.admin.opening import SharedDatabase
from graphile_worker.admin.schema_site import AppOptions
from graphile_worker.admin.web.authentication import Authenticator
from graphile_worker.admin.web.origin import checked_origin
from graphile_worker.admin.web.schemas import checked_schemas
from graphile_worker.admin.web.sign_in import SignIn
from graphile_worker.cron.entries import AnyCron, built, parsed

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The names of this machine, for itself."""


def standalone_app(  # noqa: PLR0913 (the command's options)
    url: str,
    auth: Authenticator,
    sign_in: SignIn | None,
    *,
    schema: str,
    more_schemas: Iterable[str],
    read_only: bool,
    environment: str,
    crons: AnyCron | Iterable[object],
    max_pg_conn: int,
    secret_was_generated: bool,
    keep_audit: bool,
    origin: str | None,
) -> AdminApp:
    """The application of `graphile-worker admin`; see `create_admin_app`.

    Where nobody is asked who they are, it is reached by the names of this machine only, or a site
    whose name leads here could use the browsers of its visitors.

    Args:
        url: of the database.
        auth: tells who asks.
        sign_in: the link that lets a browser in, around `auth`; None is no such link.
        schema: where the tables are.
        more_schemas: others in the same database.
        read_only: nobody may change anything.
        environment: what people call this place.
        crons: entries to show.
        max_pg_conn: the most connections it opens.
        secret_was_generated: whether the secret of `auth` was made up.
        keep_audit: keep the audit in the database.
        origin: scheme and host under which browsers reach this.
    """
    database = SharedDatabase.of(url, max_pg_conn=max_pg_conn, prepared_statements=True)
    options = AppOptions(
        auth=auth if sign_in is None else sign_in,
        read_only=read_only,
        environment=environment,
        crontabs=tuple(built(parsed(crons))),
        hosts=LOOPBACK if auth.mode == "None" else None,
        more_endpoints=() if sign_in is None else (sign_in.endpoint(),),
        secret_was_generated=secret_was_generated,
        keep_audit=keep_audit,
        origin=checked_origin(origin),
    )
    return AdminApp(database, checked_schemas(schema, more_schemas), options)
