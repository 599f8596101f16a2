"""One schema of the database: its pages, its API, and what is behind them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from graphile_worker.admin.api.acting import Acting
from graphile_worker.admin.api.looking import Looking
from graphile_worker.admin.api.openapi import openapi_endpoint
from graphile_worker.admin.api.probes import Probes
from graphile_worker.admin.api.rust import RustRoutes
from graphile_worker.admin.extensions.extensions import Extensions
from graphile_worker.admin.opening import SharedDatabase
from graphile_worker.admin.pages.endpoints import page_set
from graphile_worker.admin.parts import Parts
from graphile_worker.admin.service.audit import Audit, OnAction
from graphile_worker.admin.service.audit_table import AuditTable
from graphile_worker.admin.service.changing import Changing
from graphile_worker.admin.service.decoding import Decoding
from graphile_worker.admin.service.plain import PlainReading
from graphile_worker.admin.service.reading import Reading, ReadingOptions
from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.admin.service.sessions import Sessions
from graphile_worker.admin.web.authentication import AuthCallable
from graphile_worker.admin.web.endpoint import Endpoint
from graphile_worker.admin.web.gate import Gate, GateOptions
from graphile_worker.database.schema import Schema
from graphile_worker.hooks.registry import HookRegistry


@dataclass(frozen=True, kw_only=True)
class AppOptions:
    """How the application is set up; see `create_admin_app`."""

    auth: AuthCallable
    read_only: bool
    environment: str = ""
    crontabs: tuple[Any, ...] = ()
    redactor: Redactor = field(default_factory=Redactor)
    decoding: Decoding = field(default_factory=Decoding)
    extensions: Extensions = field(default_factory=Extensions)
    on_action: OnAction | None = None
    keep_audit: bool = False
    hooks: HookRegistry | None = None
    origin: str | None = None
    hosts: frozenset[str] | None = None
    more_endpoints: tuple[Endpoint, ...] = ()
    secret_was_generated: bool = False

    def for_another(self) -> AppOptions:
        """The same for a schema that is not the first: crontabs and sign-in are the first one's."""
        return dataclasses.replace(self, crontabs=(), more_endpoints=())


class SchemaSite:
    """Everything that is served of one schema.

    Args:
        database: where it is.
        schema: which one.
        schemas: the names of all that are served, the first one first.
        options: how.
    """

    def __init__(
        self,
        database: SharedDatabase,
        schema: Schema,
        schemas: tuple[str, ...],
        options: AppOptions,
    ) -> None:
        sessions = Sessions(database.get, schema, owned=False)
        table = AuditTable(sessions, makes_table=options.keep_audit and not options.read_only)
        audit = Audit(options.on_action, table, schema=schema.name, writes=not options.read_only)
        reading = Reading(
            sessions,
            ReadingOptions(
                redactor=options.redactor,
                crontabs=options.crontabs,
                decoding=options.decoding,
                only_reads=options.read_only,
            ),
        )
        self._sessions = sessions
        self.parts = Parts(
            reading=reading,
            changing=None
            if options.read_only
            else Changing(sessions, reading, audit, options.hooks),
            audit=audit,
            schema=schema.name,
            schemas=schemas,
            environment=options.environment,
            auth_mode=getattr(options.auth, "mode", "Custom"),
            username=getattr(options.auth, "username", None),
            header_name=getattr(options.auth, "header_name", None),
            secret_was_generated=options.secret_was_generated,
            extensions=options.extensions,
        )
        self.pages = page_set(self.parts, options.auth)
        self.gate = Gate(
            [*self._api(), *options.more_endpoints, *self.pages.endpoints],
            GateOptions(
                auth=options.auth,
                read_only=options.read_only,
                origin=options.origin,
                hosts=options.hosts,
                error_page=self.pages.error_page,
            ),
        )

    async def aclose(self) -> None:
        """End what is under way; the database is not ours to close."""
        self.pages.stop()
        await self.pages.aclose()
        if self.parts.changing is not None:
            await self.parts.changing.aclose()
        await self.parts.reading.aclose()
        await self._sessions.aclose()

    def _api(self) -> list[Endpoint]:
        acting, looking = Acting(self.parts).endpoints(), Looking(self.parts).endpoints()
        described = [*_those_with_more_in_them_first([*acting, *looking])]
        rust = RustRoutes(self.parts, PlainReading(self._sessions))
        return [
            openapi_endpoint(described),
            *described,
            *rust.endpoints(),
            *Probes(self.parts).endpoints(),
        ]


def _those_with_more_in_them_first(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """`a/{name:text}/b` before `a/{name:text}`, which is also true of it; and `a/b` before both."""
    return sorted(endpoints, key=lambda one: (one.path.count("{"), -len(one.path.split("/"))))
