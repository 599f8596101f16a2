"""For machines that watch: whether this lives, whether it works, and figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from graphile_worker.admin.parts import Parts
from graphile_worker.admin.service.figures import Figures
from graphile_worker.admin.service.samples import Sample
from graphile_worker.admin.web.endpoint import Endpoint
from graphile_worker.admin.web.permissions import Identity
from graphile_worker.errors import GraphileWorkerError
from graphile_worker.jobs.fine_state import FineState
from graphile_worker.queries.admin_samples import Pulse

_PREFIX = "graphile_worker_"


class Probes:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def endpoints(self) -> list[Endpoint]:
        """All of them; the first two are public and say nothing but yes or no."""
        return [
            Endpoint(method="GET", path="/healthz", call=self._alive, needs=None),
            Endpoint(method="GET", path="/readyz", call=self._ready, needs=None),
            Endpoint(method="GET", path="/metrics", call=self._metrics, needs=("view",)),
        ]

    async def _alive(self, _request: Request, _identity: Identity) -> Response:
        return PlainTextResponse("ok\n")

    async def _ready(self, _request: Request, _identity: Identity) -> Response:
        try:
            await self._parts.reading.ready()
        except GraphileWorkerError:
            return PlainTextResponse("the database cannot be used\n", 503)
        return PlainTextResponse("ok\n")

    async def _metrics(self, _request: Request, _identity: Identity) -> Response:
        figures = await self._parts.reading.figures.get()
        pulse = await self._parts.reading.pulse.get()
        spent = self._parts.reading.budget.seconds
        text = "".join(lines(self._parts.schema, figures, pulse.value, spent))
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


def lines(schema: str, figures: Sample[Figures], pulse: Pulse, spent: float = 0.0) -> Iterator[str]:
    """The figures as Prometheus reads them; none that grows with the number of jobs."""
    yield from _metric(
        "admin_samples_seconds_total",
        "counter",
        "How long the readings that all viewers share kept a connection busy.",
        {(): spent},
        schema,
    )
    counts = figures.value.counts
    yield from _metric(
        "jobs",
        "gauge",
        "Jobs by state.",
        {(state.value,): getattr(counts, state.value) for state in FineState},
        schema,
        "state",
    )
    oldest = counts.oldest_ready_at
    waited = 0.0 if oldest is None else max(0.0, (figures.at - oldest).total_seconds())
    yield from _metric(
        "oldest_ready_seconds", "gauge", "How long a due job has waited.", {(): waited}, schema
    )
    states = [member.state for member in figures.value.fleet]
    yield from _metric(
        "workers",
        "gauge",
        "Workers by state.",
        {(state,): states.count(state) for state in ("alive", "stale", "unregistered")},
        schema,
        "state",
    )
    if pulse.inserted is None or pulse.deleted is None or pulse.updated is None:
        return
    running = counts.of("locked")
    failed = max(0, pulse.updated - pulse.deleted - running) // 2
    totals = {
        "enqueued_total": ("Rows added to the table of jobs.", pulse.inserted),
        "completed_total": ("Rows deleted from the table of jobs.", pulse.deleted),
        "attempts_failed_total": ("Failed attempts, worked out from updated rows.", failed),
    }
    for name, (text, value) in totals.items():
        yield from _metric(name, "counter", text, {(): value}, schema)


def _metric(
    name: str, kind: str, text: str, values: dict[Any, float], schema: str, *labels: str
) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {text}\n# TYPE {_PREFIX}{name} {kind}\n"
    for key, value in values.items():
        pairs = [("schema", schema), *zip(labels, key, strict=True)]
        said = ",".join(f'{label}="{_escaped(of)}"' for label, of in pairs)
        yield (
            f"{_PREFIX}{name}{{{said}}} {value:g}\n"
            if isinstance(value, float)
            else (f"{_PREFIX}{name}{{{said}}} {value}\n")
        )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
