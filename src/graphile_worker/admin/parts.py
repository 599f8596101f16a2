"""What API and pages are made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphile_worker.admin.extensions.extensions import Extensions
from graphile_worker.admin.service.audit import Audit
from graphile_worker.admin.service.changing import Changing
from graphile_worker.admin.service.reading import Reading
from graphile_worker.admin.web.problems import Problem, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One schema of one database.

    Attributes:
        reading: looks.
        changing: acts; None where everything is read-only.
        audit: what was done.
        schema: its name.
        schemas: the names of all that are served, itself included; the first is at the root.
        environment: what people call it; empty says nothing.
        auth_mode: `Basic`, `Bearer`, `Header`, `Proxy-Header`, `None`, or `Custom`.
        username: of HTTP Basic.
        header_name: of the header that says who asks.
        secret_was_generated: whether whoever started this has made no secret of their own.
        extensions: what the host adds.
    """

    reading: Reading
    changing: Changing | None
    audit: Audit
    schema: str
    schemas: tuple[str, ...]
    environment: str = ""
    auth_mode: str = "Custom"
    username: str | None = None
    header_name: str | None = None
    secret_was_generated: bool = False
    extensions: Extensions = field(default_factory=Extensions)

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed."""
        return self.changing is None

    def acting(self) -> Changing:
        """What acts.

        Raises:
            Refused: everything is read-only; the gate says so before.
        """
        if self.changing is None:
            raise Refused(
                Problem(403, "read-only", "Read-only mode", "nothing can be changed here")
            )
        return self.changing
