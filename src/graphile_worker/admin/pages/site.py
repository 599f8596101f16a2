"""What every page has at hand, and the view it writes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from starlette.requests import Request

from graphile_worker.admin.extensions.extensions import Extensions
from graphile_worker.admin.live.announcements import Announcements
from graphile_worker.admin.live.counters import Counters
from graphile_worker.admin.live.stream import Streams
from graphile_worker.admin.pages.attention import Attention, Known, attention
from graphile_worker.admin.pages.places import base_of, schema_links
from graphile_worker.admin.pages.view import Settings, View
from graphile_worker.admin.service.audit import Audit
from graphile_worker.admin.service.changing import Changing
from graphile_worker.admin.service.figures import Figures
from graphile_worker.admin.service.reading import Reading
from graphile_worker.admin.service.samples import Sample, Sampled
from graphile_worker.admin.web.mounting import is_wsgi
from graphile_worker.admin.web.schemas import STEPS
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.admin_samples import Pulse


class Viewer(Protocol):
    """Who looks."""

    @property
    def name(self) -> str:
        """As it is shown and written down."""
        ...

    @property
    def role(self) -> str:
        """What they are here; empty where there are no roles."""
        ...

    @property
    def permissions(self) -> frozenset[str]:
        """What they may."""
        ...


class Samples:
    """Readings that all viewers share; together they take a twentieth of a connection."""

    def __init__(self, reading: Reading) -> None:
        self.figures = reading.figures
        self.pulse = reading.pulse
        self.failures = reading.kinds
        self._budget = budget = reading.budget
        self.load = Sampled(reading.forward_load, every=60.0, budget=budget)
        self.crons = Sampled(reading.crons, every=60.0, budget=budget)
        self.work = Sampled(reading.past.tasks, every=60.0, budget=budget)
        self.kept = Sampled(reading.past.status, every=300.0, budget=budget)
        self.health = Sampled(reading.health, every=300.0, budget=budget)
        self.counters = Counters()

    @property
    def busy(self) -> float:
        """The share of one connection that the samples take while somebody looks."""
        return self._budget.busy

    async def pulse_now(self) -> Sample[Pulse]:
        """The newest pulse, which is remembered for the charts."""
        pulse = await self.pulse.get()
        figures = self.figures.last
        running = 0 if figures is None else figures.value.counts.of("locked")
        self.counters.add(pulse.value, running)
        return pulse

    async def lost_counts(self) -> str | None:
        """What to say where jobs cannot be counted, as in a table that is too big for that."""
        try:
            figures = await self.figures.get()
        except DatabaseError as error:
            return f"Jobs cannot be counted; their numbers are missing. ({error})"
        if figures.error is None:
            return None
        return (
            f"Jobs cannot be counted; their numbers are {int(figures.age)} s old. ({figures.error})"
        )

    async def aclose(self) -> None:
        """Stop what is under way."""
        for one in self.shared:
            await one.aclose()

    @property
    def shared(self) -> list[Sampled[Any]]:
        """What the overview is made of besides the figures and the pulse."""
        return [self.failures, self.load, self.crons, self.work, self.kept, self.health]


@dataclass(frozen=True, kw_only=True)
class Site:
    """One schema of one database, as its pages see it.

    Attributes:
        reading: looks.
        changing: acts; None where everything is read-only.
        audit: told of secrets that were looked at.
        schema: its name.
        schemas: all that are served, itself included; the first is at the root.
        environment: shown in the bar, red where it says `production`; empty shows nothing.
        extensions: what the host adds.
        streams: of events, to the pages that are open.
    """

    reading: Reading
    changing: Changing | None
    audit: Audit
    schema: str
    schemas: tuple[str, ...]
    environment: str = ""
    extensions: Extensions = field(default_factory=Extensions)
    streams: Streams = field(default_factory=Streams)
    samples: Samples = field(init=False)
    announcements: Announcements = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", Samples(self.reading))
        heard = Announcements(self.reading.database, self.reading.pulse)
        object.__setattr__(self, "announcements", heard)

    async def aclose(self) -> None:
        """Stop what is under way."""
        await self.announcements.aclose()
        await self.samples.aclose()

    async def view(self, request: Request, viewer: Viewer) -> View:
        """The view of this request; where the database is away, it says so."""
        try:
            lost = lost_since(await self.samples.pulse_now())
        except DatabaseError as error:
            lost = f"The database cannot be read: {error}"
        lost = lost or await self.samples.lost_counts()
        base = base_of(request)
        home = base if self.schema == self.schemas[0] else base + "../" * STEPS
        return View(
            base=base,
            schema=self.schema,
            environment=self.environment,
            now=self.now(),
            settings=Settings.of(request.cookies),
            viewer_name=viewer.name,
            viewer_role=viewer.role,
            may=viewer.permissions,
            read_only=self.changing is None,
            lost=lost,
            counts=rail_counts(last(self.samples.figures)),
            links=self.extensions.nav_links,
            home=home,
            polls=is_wsgi(request.scope),
            schemas=schema_links(request, home, self.schemas, self.schema),
        )

    def now(self) -> datetime:
        """The database's clock, as of its last pulse; this machine's before the first."""
        pulse = self.samples.pulse.last
        if pulse is None:
            return datetime.now(UTC)
        return pulse.value.at + timedelta(seconds=max(0.0, pulse.age))

    def attention(self) -> list[Attention] | None:
        """What needs attention by the samples that there are; None where there are none yet."""
        samples = self.samples
        if samples.figures.last is None:
            return None
        failures, crons = last(samples.failures), last(samples.crons)
        return attention(
            Known(
                now=self.now(),
                figures=last(samples.figures),
                pulse=last(samples.pulse),
                failures=() if failures is None else failures.kinds,
                crons=crons or (),
                health=last(samples.health),
                busy=samples.busy,
            )
        )


def last(sampled: Sampled[Any]) -> Any:
    """The value of the last sample; None before the first."""
    return None if sampled.last is None else sampled.last.value


def lost_since(sample: Sample[Any]) -> str | None:
    """What to say of a sample that could not be renewed."""
    if sample.error is None:
        return None
    age = f"what you see is {int(sample.age)} s old"
    return f"Lost the database; {age}. Trying again. ({sample.error})"


def rail_counts(figures: Figures | None) -> Mapping[str, tuple[int | None, bool]]:
    """The numbers of the rail."""
    if figures is None:
        return {}
    stale = sum(member.state == "stale" for member in figures.fleet)
    return {
        "jobs": (figures.counts.total, False),
        "failures": (figures.counts.failed, True),
        "tasks": (len(figures.tasks), False),
        "queues": (sum(row.queue is not None for row in figures.queues), False),
        "workers": (len(figures.fleet), bool(stale)),
    }
