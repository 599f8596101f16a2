"""How the server, the schema and its tables are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from graphile_worker.doctor.finding import Finding
from graphile_worker.migrations.catalog import LATEST
from graphile_worker.migrations.state import SchemaState
from graphile_worker.queries.admin_health import ServerState, TableSize
from graphile_worker.queries.admin_samples import Pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What checks are made of."""

    server: ServerState
    tables: list[TableSize]
    schema: SchemaState
    pulse: Pulse
    figures_seconds: float | None
    """What it took to count all jobs; None where they cannot be counted."""
    figures_period: float
    """Seconds for which that count is used, or until it is tried again."""
    checked_at: datetime
    local_clock: datetime
    """This process's, read together with the server's."""
    checks: list[Finding] = field(default_factory=list[Finding])
    """What `doctor` finds; empty where nobody asked for it."""

    @property
    def migrations_pending(self) -> bool:
        """Whether this version knows a newer schema."""
        return self.schema.revision is not None and self.schema.revision < LATEST
