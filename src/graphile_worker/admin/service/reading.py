"""Looking at a queue: every screen and every GET of the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from graphile_worker.admin.service.cron_reading import read_crons
from graphile_worker.admin.service.crons import CronEntry
from graphile_worker.admin.service.cursor import read_cursor, write_cursor
from graphile_worker.admin.service.decoding import Decoding
from graphile_worker.admin.service.examination import examination
from graphile_worker.admin.service.failures import Failures, show_failures
from graphile_worker.admin.service.filters import SCOPES, JobFilter
from graphile_worker.admin.service.health import Health
from graphile_worker.admin.service.job_details import JobDetails, Payload, details_of, payload_of
from graphile_worker.admin.service.job_page import (
    Count,
    JobPage,
    Preview,
    checked_limit,
    next_place,
    shown_rows,
    without_big_payload,
)
from graphile_worker.admin.service.past import Past
from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.admin.service.samples import Budget, Sampled
from graphile_worker.admin.service.sampling import read_figures, read_pulse
from graphile_worker.admin.service.sessions import LONG_SECONDS, PAGE_SECONDS, Sessions
from graphile_worker.admin.service.suggestions import suggestions
from graphile_worker.admin.service.tried_jobs import TriedJobs, search
from graphile_worker.client.operations import pausing
from graphile_worker.client.operations.pausing import Paused
from graphile_worker.client.setup import Setup
from graphile_worker.cron.crontab import Crontab
from graphile_worker.database.executor import Database
from graphile_worker.database.operation import perform
from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.fine_state import FineState
from graphile_worker.migrations.state import read_state
from graphile_worker.queries import admin_jobs, admin_samples, cron
from graphile_worker.queries.admin_health import server_state, table_sizes
from graphile_worker.queries.admin_jobs import JobRow, Place, find_jobs, job_rows
from graphile_worker.queries.admin_samples import Holder

FAILURES = 10_000
"""Jobs with an error that are looked at for kinds of failures, by default."""
_DETAIL_CHARS = 65_536
_PREVIEW_CHARS = 200
_SAMPLES = 3
"""Jobs that a preview shows."""
_EXPORT_CHUNK = 1_000
_WHOLE_CHARS = 64_000_000
"""Of a payload that is read whole."""
_DECODED_CHARS = 4_000_000
"""Of the longest payload that is decoded for the page of a job."""


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
        self.tried = TriedJobs(sessions, self.figures, budget)
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
        every = (self.figures, self.pulse, self.kinds, self.tried.sample, self.findings)
        await asyncio.gather(*(sampled.aclose() for sampled in every))

    def changed(self) -> None:
        """Jobs were changed: whoever looks next is shown that."""
        self.kinds.expire()
        self.tried.sample.expire()

    # -- jobs ------------------------------------------------------------------------------------

    async def jobs(
        self,
        wanted: JobFilter,
        *,
        limit: int = 50,
        after: str | None = None,
        payloads: bool = False,
        reveal: bool = False,
    ) -> JobPage:
        """A page of jobs.

        Args:
            wanted: which ones.
            limit: at most so many, up to 200.
            after: the `next` of the page before.
            payloads: whether to show the beginnings of payloads.
            reveal: whether to show secrets too.

        Raises:
            ConfigurationError: the limit or the place is none.
        """
        limit = checked_limit(limit)
        place = read_cursor(after)
        workers = (await self.figures.get()).value.workers
        seconds = LONG_SECONDS if wanted.scope > SCOPES[0] else PAGE_SECONDS
        began = asyncio.get_running_loop().time()
        scope = wanted.scope if wanted.is_searching else limit + 1
        candidates = await self.tried.of(wanted, scope)
        statement = partial(
            find_jobs,
            self._schema,
            wanted.order,
            wanted.wanted,
            workers,
            limit=limit,
            scope=scope,
            after=place,
        )
        async with self._sessions.reading(seconds) as connection:
            found = await search(connection, candidates, statement, scope=scope, after=place)
            rows = await connection.run(
                job_rows(
                    self._schema,
                    [place.id for place in found.places],
                    workers,
                    payload_chars=self.decoding.chars(10 * _PREVIEW_CHARS) if payloads else 0,
                )
            )
        rows = await self.decoding.rows(rows, most=_DETAIL_CHARS, keeps=reveal)
        more = next_place(found, limit, scope)
        return JobPage(
            rows=shown_rows(rows, self._shower(reveal=reveal), chars=_PREVIEW_CHARS),
            next=write_cursor(more),
            searched=found.searched if wanted.is_searching else None,
            matched=found.matched if wanted.is_searching else None,
            is_complete=more is None and place is None,
            seconds=asyncio.get_running_loop().time() - began,
            at=rows[0].as_of if rows else datetime.now(UTC),
            age=None if candidates is None else candidates.sample.age,
        )

    async def count(self, wanted: JobFilter) -> Count:
        """How many jobs match: exactly by the last sample, or of those that were searched."""
        sample = await self.figures.get()
        if wanted.is_counted:
            sums = sample.value.counts_of(task=wanted.wanted.task, queue=wanted.wanted.queue)
            return Count(sums.of(wanted.wanted.state), is_exact=True, at=sample.at)
        statement = find_jobs(
            self._schema,
            wanted.order,
            wanted.wanted,
            sample.value.workers,
            limit=0,
            scope=wanted.scope,
        )
        found = await self._sessions.read(statement, LONG_SECONDS)
        is_exact = found.searched < wanted.scope
        return Count(found.matched, is_exact=is_exact, at=datetime.now(UTC))

    async def preview(self, wanted: JobFilter) -> Preview:
        """What an action on all jobs of a filter would touch."""
        newest = await self.newest_id()
        count = await self.count(wanted)
        page = await self.jobs(wanted, limit=_SAMPLES)
        return Preview(
            jobs=max(count.jobs, len(page.rows)),
            is_exact=count.is_exact,
            newest_id=newest,
            sample=page.rows,
            at=datetime.now(UTC),
        )

    async def paused(self) -> Paused:
        """What is paused: queues, tasks, cron entries, everything."""
        async with self._sessions.reading() as connection:
            return await perform(connection, pausing.paused(Setup(schema=self._schema)))

    async def job(
        self, job_id: int, *, reveal: bool = False, stored: bool = False
    ) -> JobDetails | None:
        """One job with all that is known of it; None when it is not in the table.

        Args:
            job_id: which one.
            reveal: whether to show secrets too.
            stored: whether to leave the payload undecoded.
        """
        decoding = Decoding() if stored else self.decoding
        chars = decoding.chars(4 * _DETAIL_CHARS, decoded=_DECODED_CHARS)
        workers = (await self.figures.get()).value.workers
        async with self._sessions.reading() as connection:
            rows = await connection.run(
                job_rows(
                    self._schema,
                    [job_id],
                    workers,
                    payload_chars=chars,
                    biggest_payload=2**31 - 1,
                    error_chars=_DETAIL_CHARS,
                )
            )
            if not rows:
                return None
        row, holder = rows[0], None
        if row.state is FineState.BLOCKED and row.queue is not None:
            holder = await self.queue_holder(row.queue)
        text = row.payload or ""
        decoded = await decoding.one(row.task, text, is_cut=len(text) >= chars)
        return await asyncio.to_thread(
            details_of, row, holder, decoded, self._shower(reveal=reveal), chars=_DETAIL_CHARS
        )

    async def rows(self, ids: Sequence[int], *, payloads: bool = False) -> list[JobRow]:
        """Jobs by their ids, in that order; those that are gone are left out."""
        workers = (await self.figures.get()).value.workers
        chars = _DETAIL_CHARS if payloads else 0
        rows = await self._sessions.read(job_rows(self._schema, ids, workers, payload_chars=chars))
        whole = [without_big_payload(row, _DETAIL_CHARS) for row in rows]
        whole = await self.decoding.rows(whole)
        return shown_rows(whole, self._options.redactor, chars=None)

    async def payload(
        self, job_id: int, *, reveal: bool = False, stored: bool = False
    ) -> Payload | None:
        """The whole payload of a job, up to 64 million characters; its spaces stay as they are.

        Args:
            job_id: whose.
            reveal: whether to show secrets too.
            stored: whether to leave it undecoded.
        """
        statement = admin_jobs.payload_text(self._schema, job_id, _WHOLE_CHARS)
        found = await self._sessions.read(statement, LONG_SECONDS)
        if found is None:
            return None
        decoding, is_cut = Decoding() if stored else self.decoding, len(found.text) < found.length
        decoded = await decoding.one(found.task, found.text, is_cut=is_cut)
        return await asyncio.to_thread(
            payload_of, decoded, self._shower(reveal=reveal), is_cut=is_cut
        )

    async def export(
        self, wanted: JobFilter, *, most: int = 1_000_000, reveal: bool = False
    ) -> AsyncGenerator[list[JobRow]]:
        """All jobs that match, the newest first, in chunks; payloads up to 64 KB are whole.

        Each chunk is a transaction of its own, so that it holds nothing up however slowly it is
        read. Jobs that are added meanwhile are not in it.

        Args:
            wanted: which ones.
            most: end after so many.
            reveal: whether to show secrets too.
        """
        workers = (await self.figures.get()).value.workers
        shower = self._shower(reveal=reveal)
        async with aclosing(self.walk(wanted, chunk=_EXPORT_CHUNK)) as chunks:
            async for ids in chunks:
                statement = job_rows(
                    self._schema,
                    ids[:most],
                    workers,
                    payload_chars=65_536,
                    error_chars=_DETAIL_CHARS,
                )
                rows = await self._sessions.read(statement, LONG_SECONDS)
                whole = [without_big_payload(row, _DETAIL_CHARS) for row in rows]
                whole = await self.decoding.rows(whole, keeps=reveal)
                yield await asyncio.to_thread(shown_rows, whole, shower, chars=None)
                most -= len(ids)
                if most <= 0:
                    return

    async def walk(self, wanted: JobFilter, *, chunk: int) -> AsyncGenerator[list[int]]:
        """The ids of all jobs that match, the newest first, however many have to be searched.

        Args:
            wanted: which ones.
            chunk: at most so many at once; empty lists come too, while nothing is found.
        """
        workers = (await self.figures.get()).value.workers
        scope = SCOPES[0] if wanted.is_searching else chunk + 1
        place: Place | None = None
        while True:
            statement = find_jobs(
                self._schema,
                admin_jobs.Order.NEWEST,
                wanted.wanted,
                workers,
                limit=chunk,
                scope=scope,
                after=place,
            )
            found = await self._sessions.read(statement, LONG_SECONDS)
            yield [place.id for place in found.places]
            place = next_place(found, chunk, scope)
            if place is None:
                return

    async def newest_id(self) -> int | None:
        """The id of the newest job; None when there are none."""
        return await self._sessions.read(admin_jobs.newest_id(self._schema))

    # -- everything else -------------------------------------------------------------------------

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
        return show_failures(found, self._shower(reveal=reveal), scope=scope, are_all=are_all)

    async def forward_load(self, *, seconds: float = 1_800, spans: int = 48) -> list[int]:
        """How many jobs are due in each of the next spans of time."""
        statement = admin_samples.forward_load(self._schema, seconds=seconds, spans=spans)
        return await self._sessions.read(statement)

    async def queue_holder(self, queue: str) -> Holder | None:
        """The job of a queue that runs."""
        locked = await self.tried.locked()
        for among in (None,) if locked is None else (locked, None):
            statement = admin_samples.queue_holder(self._schema, queue, among=among)
            if (found := await self._sessions.read(statement)) is not None:
                return found
        return None

    async def crons(self) -> list[CronEntry]:
        """Recurring jobs, by identifier."""
        fleet = (await self.figures.get()).value.fleet
        return await read_crons(self._sessions, self._options.crontabs, fleet)

    def crontab(self, identifier: str) -> Crontab | None:
        """An entry that was given here, by its identifier."""
        return next((own for own in self._options.crontabs if own.identifier == identifier), None)

    async def health(self) -> Health:
        """How the server, the schema and its tables are."""
        figures, pulse = await asyncio.gather(self.figures.get(), self.pulse.get())
        async with self._sessions.reading() as connection:
            return Health(
                server=await connection.run(server_state(self._schema)),
                tables=await connection.run(table_sizes(self._schema)),
                schema=await read_state(connection, self._schema),
                pulse=pulse.value,
                figures_seconds=figures.seconds,
                figures_period=self.figures.period,
                checked_at=datetime.now(UTC),
                local_clock=datetime.now(UTC),
            )

    async def suggest(self, field: str, beginning: str, *, limit: int = 20) -> list[str]:
        """Values of a field of a filter that begin so, or hold it.

        Raises:
            ConfigurationError: the field has none.
        """
        return suggestions((await self.figures.get()).value, field, beginning, limit=limit)

    async def ready(self) -> None:
        """Make sure that the database answers and has the schema."""
        await self._sessions.read(cron.now())

    def _shower(self, *, reveal: bool) -> Redactor:
        return Redactor(enabled=False) if reveal else self._options.redactor
