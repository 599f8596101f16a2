"""Whether what starts and stops the worker leaves it the time it needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from graphile_worker.doctor.finding import Finding, ok, problem, warning
from graphile_worker.doctor.span import span

_MARGIN: Final = 3.0
"""Seconds a worker may need after its grace period: jobs are handed back, connections closed."""


class Orchestrator(Enum):
    """What stops the worker."""

    SYSTEMD = "systemd"
    KUBERNETES = "Kubernetes"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReading:
    """How long the worker needs to stop, and how long it is given."""

    orchestrator: Orchestrator | None
    """None: nothing says that one is there."""
    grace: float
    """Seconds that the worker gives running jobs."""
    timeout: float | None
    """Seconds until it is killed; None where that is not known."""


def shutdown(reading: StopReading) -> Finding:
    """Whether the kill comes after the worker's own end."""
    grace = span(reading.grace)
    if reading.orchestrator is None and reading.timeout is None:
        return ok("shutdown", f"grace period {grace}; neither systemd nor Kubernetes around")
    who = reading.orchestrator.value if reading.orchestrator else "whoever stops the worker"
    if reading.timeout is None:
        return warning(
            "shutdown",
            f"{who} stops this worker, and does not say after which time it kills it",
            "say so with --stop-timeout or GRAPHILE_WORKER_STOP_TIMEOUT: "
            "terminationGracePeriodSeconds of the pod, TimeoutStopSec of the unit",
        )
    what = f"grace period {grace}, killed by {who} after {span(reading.timeout)}"
    if reading.timeout < reading.grace + _MARGIN:
        return problem(
            "shutdown",
            f"{what}: running jobs are cut off before the worker hands them back",
            "raise terminationGracePeriodSeconds or TimeoutStopSec to at least "
            f"{reading.grace + _MARGIN:.0f} s, or lower --shutdown-grace-period",
        )
    return ok("shutdown", what)
