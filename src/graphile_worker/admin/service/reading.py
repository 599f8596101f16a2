"""Looking at a queue: every screen and every GET of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from graphile_worker.admin.service.cron_reading import read_crons
from graphile_worker.admin.service.crons import CronEntry
from graphile_worker.admin.service.decoding import Decoding
from graphile_worker.admin.service.examination import examination
from graphile_worker.admin.service.failures import Failures, show_failures
from graphile_worker.admin.service.fleet_reading import FleetReading
from graphile_worker.admin.service.health import Health
from graphile_worker.admin.service.job_reading import JobReading
from graphile_worker.admin.service.past import Past
from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.admin.service.samples import Budget, Sampled
from graphile_worker.admin.service.sampling import read_figures, read_pulse
from graphile_worker.admin.service.sessions import LONG_SECONDS, PAGE_SECONDS, Sessions
from graphile_worker.admin.service.suggestions import suggestions
from graphile_worker.admin.service.tried_jobs import TriedJobs
from graphile_worker.client.operations import pausing
from graphile_worker.client.operations.pausing import Paused
from graphile_worker.client.setup import Setup
from graphile_worker.cron.crontab import Crontab
from graphile_worker.database.executor import Database
from graphile_worker.database.operation import perform
from graphile_worker.errors import DatabaseError
from graphile_worker.migrations.state import read_state
from graphile_worker.queries import admin_samples, cron
from graphile_worker.queries.admin_health import server_state, table_sizes

FAILURES = 10_000
"""Jobs with an error that are looked at for kinds of failures, by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How things are shown.

    Attributes:
        redactor: takes secrets out of payloads and errors.
        crontabs: entries to show beside those that workers have made known.
        decoding: makes payloads readable, before secrets are taken out.
        only_reads: whether nobody changes anything here.
    """

    redactor: Redactor
    crontabs: Sequence[Crontab] = ()
    decoding: Decoding = field(default_factory=Decoding)
    only_reads: bool = False


class Reading:
    """Looks, and changes nothing: PostgreSQL refuses every change in its transactions.

    Used on one event loop; any number of calls may be under way. All of them raise `DatabaseError`,
    with SQLSTATE 57014 where a statement took too long.

    Attributes:
        jobs: looks at jobs.
        past: at what history keeps.
        fleet: knows the workers.
        tried: knows the jobs that no index finds.
        budget: of all readings that viewers share.
        figures, pulse, kinds, findings: such readings: of the whole queue, of what moves, of the
            kinds of failures, of what `doctor` checks.
    """

    def __init__(self, sessions: Sessions, options: ReadingOptions) -> None:
        self._sessions = sessions
        self._schema = sessions.schema
        self._options = options
        self.past = Past(sessions, options.redactor)
        self.budget = budget = Budget()
        self.figures = Sampled(partial(read_figures, sessions), every=10.0, budget=budget)
        self.pulse = Sampled(partial(read_pulse, sessions), every=2.0, budget=budget)
        self.kinds = Sampled(self.failures, every=30.0, budget=budget)
        self.fleet = FleetReading(sessions, self.figures, budget)
        self.tried = TriedJobs(sessions, self.figures, budget)
        self.jobs = JobReading(
            sessions,
            self.figures,
            self.fleet,
            self.tried,
            redactor=options.redactor,
            decoding=options.decoding,
        )
        examine = partial(examination, sessions, only_reads=options.only_reads)
        self.findings = Sampled(examine, every=60.0, budget=budget)

    async def database(self) -> Database:
        """The database itself, for who listens on a connection of its own."""
        return await self._sessions.database()

    @property
    def redactor(self) -> Redactor:
        """What takes secrets out."""
        return self._options.redactor

    @property
    def decoding(self) -> Decoding:
        """What makes payloads readable."""
        return self._options.decoding

    async def aclose(self) -> None:
        """Stop what is under way."""
        shared = (self.figures, self.pulse, self.kinds, self.findings)
        every = (*shared, self.fleet.registered, self.tried.sample)
        await asyncio.gather(*(sampled.aclose() for sampled in every))

    def changed(self) -> None:
        """Jobs were changed: whoever looks next is shown that."""
        self.kinds.expire()
        self.tried.sample.expire()

    async def failures(
        self,
        *,
        scope: int = FAILURES,
        task: str | None = None,
        limit: int = 100,
        reveal: bool = False,
    ) -> Failures:
        """What went wrong, by task and kind of error.

        Args:
            scope: of so many jobs that have an error, the newest.
            task: only of this task; of the newest 20,000 of all tasks, unless scope is more.
            limit: at most so many kinds, the most frequent first.
            reveal: whether to show secrets in errors too.
        """
        among, are_all = await self.tried.with_error(scope)
        statement = admin_samples.failures(
            self._schema, scope=scope, task=task, limit=limit, among=among
        )
        seconds = LONG_SECONDS if scope > FAILURES else PAGE_SECONDS
        found = await self._sessions.read(statement, seconds)
        return show_failures(
            found, self.redactor.unless(reveal=reveal), scope=scope, are_all=are_all
        )

    async def forward_load(self, *, seconds: float = 1_800, spans: int = 48) -> list[int]:
        """How many jobs are due in each of the next spans of time."""
        statement = admin_samples.forward_load(self._schema, seconds=seconds, spans=spans)
        return await self._sessions.read(statement)

    async def paused(self) -> Paused:
        """What is paused: queues, tasks, cron entries, everything."""
        async with self._sessions.reading() as connection:
            return await perform(connection, pausing.paused(Setup(schema=self._schema)))

    async def crons(self) -> list[CronEntry]:
        """Recurring jobs, by identifier."""
        return await read_crons(self._sessions, self._options.crontabs, await self.fleet.members())

    def crontab(self, identifier: str) -> Crontab | None:
        """An entry that was given here, by its identifier."""
        return next((own for own in self._options.crontabs if own.identifier == identifier), None)

    async def health(self) -> Health:
        """How the server, the schema and its tables are."""
        counted, pulse = await asyncio.gather(self._seconds_to_count(), self.pulse.get())
        async with self._sessions.reading() as connection:
            return Health(
                server=await connection.run(server_state(self._schema)),
                tables=await connection.run(table_sizes(self._schema)),
                schema=await read_state(connection, self._schema),
                pulse=pulse.value,
                figures_seconds=counted,
                figures_period=self.figures.period,
                checked_at=datetime.now(UTC),
                local_clock=datetime.now(UTC),
            )

    async def _seconds_to_count(self) -> float | None:
        try:
            return (await self.figures.get()).seconds
        except DatabaseError:
            return None

    async def suggest(self, field: str, beginning: str, *, limit: int = 20) -> list[str]:
        """Values of a field of a filter that begin so, or hold it.

        Raises:
            ConfigurationError: the field has none.
        """
        return suggestions((await self.figures.get()).value, field, beginning, limit=limit)

    async def ready(self) -> None:
        """Make sure that the database answers and has the schema."""
        await self._sessions.read(cron.now())
