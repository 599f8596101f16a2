"""How `doctor` gets at the database, and at what stops the workers of this machine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from graphile_worker.cli.durations import parse_duration
from graphile_worker.cli.settings import Settings
from graphile_worker.client.open_database import open_database
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.doctor.examine import examine, unreachable
from graphile_worker.doctor.finding import Finding
from graphile_worker.doctor.shutdown import Orchestrator, StopReading
from graphile_worker.errors import DatabaseError

_REFUSES_SETTINGS: Final = "08P01"
"""PgBouncer's answer to session settings that it does not carry over."""
_KUBERNETES_DEFAULT: Final = 30.0
"""terminationGracePeriodSeconds of a pod that does not say anything else."""
_CGROUP: Final = Path("/proc/self/cgroup")
_ASKING: Final = 5.0


async def findings_of(settings: Settings, direct_url: str | None) -> list[Finding]:
    """All findings about a database; one, if it cannot be reached.

    Raises:
        ConfigurationError: there is no URL, or one that cannot be read.
    """
    schema = Schema(settings.schema)
    try:
        async with _opened(settings.database_url, settings) as database:
            if direct_url is None:
                return await examine(database, schema)
            async with _opened(direct_url, settings) as direct:
                return await examine(database, schema, direct=direct)
    except DatabaseError as error:
        return [unreachable(error)]


@asynccontextmanager
async def _opened(url: str | None, settings: Settings) -> AsyncGenerator[Database]:
    """A database, also behind a pooler in transaction mode: that is what is to be found out."""
    try:
        database = await open_database(url, max_connections=settings.max_connections)
    except DatabaseError as error:
        if error.sqlstate != _REFUSES_SETTINGS:
            raise
        database = await open_database(
            url, max_connections=settings.max_connections, prepared_statements=False
        )
    try:
        yield database
    finally:
        await database.aclose()


def stop_reading(
    environment: Mapping[str, str], grace: timedelta, timeout: timedelta | None
) -> StopReading:
    """What stops the workers here, and how long it waits.

    systemd is asked, if this process belongs to a unit. Kubernetes does not tell a pod its
    terminationGracePeriodSeconds: without a word of ours its default counts.
    """
    orchestrator = _orchestrator(environment)
    seconds = None if timeout is None else timeout.total_seconds()
    if seconds is None and orchestrator is Orchestrator.SYSTEMD:
        seconds = _of_systemd()
    if seconds is None and orchestrator is Orchestrator.KUBERNETES:
        seconds = _KUBERNETES_DEFAULT
    return StopReading(orchestrator=orchestrator, grace=grace.total_seconds(), timeout=seconds)


def _orchestrator(environment: Mapping[str, str]) -> Orchestrator | None:
    if environment.get("KUBERNETES_SERVICE_HOST"):
        return Orchestrator.KUBERNETES
    if environment.get("INVOCATION_ID"):
        return Orchestrator.SYSTEMD
    return None


def _of_systemd() -> float | None:
    """TimeoutStopSec of the unit that this process belongs to; None: it cannot be known."""
    try:
        unit = re.search(r"([^/\n]+\.service)\s*$", _CGROUP.read_text(), re.MULTILINE)
    except OSError:
        return None
    if unit is None:
        return None
    return timeout_of_unit(unit[1])


def timeout_of_unit(unit: str) -> float | None:
    """After how many seconds systemd kills a unit; None: it does not answer, or never kills."""
    try:
        asked = subprocess.run(  # noqa: S603 (the name comes from the kernel)
            ["systemctl", "show", "--property=TimeoutStopUSec", "--value", unit],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=_ASKING,
            check=True,
        )
        return parse_duration(asked.stdout.strip()).total_seconds()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
