"""Looking at jobs: their lists, one with all that is known of it, payloads, exports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from functools import partial

from graphile_worker.admin.service.cursor import read_cursor, write_cursor
from graphile_worker.admin.service.decoding import Decoding
from graphile_worker.admin.service.figures import Figures
from graphile_worker.admin.service.filters import SCOPES, JobFilter
from graphile_worker.admin.service.fleet_reading import FleetReading
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
from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.admin.service.samples import Sampled
from graphile_worker.admin.service.sessions import LONG_SECONDS, PAGE_SECONDS, Sessions
from graphile_worker.admin.service.tried_jobs import TriedJobs, search
from graphile_worker.errors import DatabaseError
from graphile_worker.jobs.fine_state import FineState
from graphile_worker.queries import admin_jobs, admin_samples
from graphile_worker.queries.admin_jobs import JobRow, Place, find_jobs, job_rows
from graphile_worker.queries.admin_samples import Holder

_DETAIL_CHARS = 65_536
_PREVIEW_CHARS = 200
_SAMPLES = 3
"""Jobs that a preview shows."""
_EXPORT_CHUNK = 1_000
_WHOLE_CHARS = 64_000_000
"""Of a payload that is read whole."""
_DECODED_CHARS = 4_000_000
"""Of the longest payload that is decoded for the page of a job."""


class JobReading:
    """Looks at jobs, and changes nothing; see `Reading`, which has it as `jobs`.

    Args:
        sessions: the database; this closes nothing of it.
        figures: how many jobs there are.
        fleet: what is known of workers.
        tried: the jobs that no index finds.
        redactor: takes secrets out of payloads and errors.
        decoding: makes payloads readable, before secrets are taken out.
    """

    def __init__(
        self,
        sessions: Sessions,
        figures: Sampled[Figures],
        fleet: FleetReading,
        tried: TriedJobs,
        *,
        redactor: Redactor,
        decoding: Decoding,
    ) -> None:
        self._sessions = sessions
        self._schema = sessions.schema
        self._figures = figures
        self._fleet = fleet
        self._tried = tried
        self._redactor = redactor
        self._decoding = decoding

    async def find(
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
        workers = await self._fleet.workers()
        seconds = LONG_SECONDS if wanted.scope > SCOPES[0] else PAGE_SECONDS
        began = asyncio.get_running_loop().time()
        scope = wanted.scope if wanted.is_searching else limit + 1
        candidates = await self._tried.of(wanted, scope)
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
                    payload_chars=self._decoding.chars(10 * _PREVIEW_CHARS) if payloads else 0,
                )
            )
        rows = await self._decoding.rows(rows, most=_DETAIL_CHARS, keeps=reveal)
        more = next_place(found, limit, scope)
        return JobPage(
            rows=shown_rows(rows, self._redactor.unless(reveal=reveal), chars=_PREVIEW_CHARS),
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
        if wanted.is_counted and (counted := await self._counted(wanted)) is not None:
            return counted
        statement = find_jobs(
            self._schema,
            wanted.order,
            wanted.wanted,
            await self._fleet.workers(),
            limit=0,
            scope=wanted.scope,
        )
        found = await self._sessions.read(statement, LONG_SECONDS)
        is_exact = found.searched < wanted.scope
        return Count(found.matched, is_exact=is_exact, at=datetime.now(UTC))

    async def _counted(self, wanted: JobFilter) -> Count | None:
        """By the last sample; None where jobs cannot be counted."""
        try:
            sample = await self._figures.get()
        except DatabaseError:
            return None
        sums = sample.value.counts_of(task=wanted.wanted.task, queue=wanted.wanted.queue)
        return Count(sums.of(wanted.wanted.state), is_exact=True, at=sample.at)

    async def preview(self, wanted: JobFilter) -> Preview:
        """What an action on all jobs of a filter would touch."""
        newest = await self.newest_id()
        count = await self.count(wanted)
        page = await self.find(wanted, limit=_SAMPLES)
        return Preview(
            jobs=max(count.jobs, len(page.rows)),
            is_exact=count.is_exact,
            newest_id=newest,
            sample=page.rows,
            at=datetime.now(UTC),
        )

    async def one(
        self, job_id: int, *, reveal: bool = False, stored: bool = False
    ) -> JobDetails | None:
        """One job with all that is known of it; None when it is not in the table.

        Args:
            job_id: which one.
            reveal: whether to show secrets too.
            stored: whether to leave the payload undecoded.
        """
        decoding = Decoding() if stored else self._decoding
        chars = decoding.chars(4 * _DETAIL_CHARS, decoded=_DECODED_CHARS)
        workers = await self._fleet.workers()
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
            with suppress(DatabaseError):  # to find it may take too long; the job is shown anyway
                holder = await self.queue_holder(row.queue)
        text = row.payload or ""
        decoded = await decoding.one(row.task, text, is_cut=len(text) >= chars)
        return await asyncio.to_thread(
            details_of,
            row,
            holder,
            decoded,
            self._redactor.unless(reveal=reveal),
            chars=_DETAIL_CHARS,
        )

    async def rows(self, ids: Sequence[int], *, payloads: bool = False) -> list[JobRow]:
        """Jobs by their ids, in that order; those that are gone are left out."""
        workers = await self._fleet.workers()
        chars = _DETAIL_CHARS if payloads else 0
        rows = await self._sessions.read(job_rows(self._schema, ids, workers, payload_chars=chars))
        whole = [without_big_payload(row, _DETAIL_CHARS) for row in rows]
        whole = await self._decoding.rows(whole)
        return shown_rows(whole, self._redactor, chars=None)

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
        decoding, is_cut = Decoding() if stored else self._decoding, len(found.text) < found.length
        decoded = await decoding.one(found.task, found.text, is_cut=is_cut)
        return await asyncio.to_thread(
            payload_of, decoded, self._redactor.unless(reveal=reveal), is_cut=is_cut
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
        workers = await self._fleet.workers()
        shower = self._redactor.unless(reveal=reveal)
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
                whole = await self._decoding.rows(whole, keeps=reveal)
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
        workers = await self._fleet.workers()
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

    async def queue_holder(self, queue: str) -> Holder | None:
        """The job of a queue that runs."""
        locked = await self._tried.locked()
        for among in (None,) if locked is None else (locked, None):
            statement = admin_samples.queue_holder(self._schema, queue, among=among)
            if (found := await self._sessions.read(statement)) is not None:
                return found
        return None

    async def newest_id(self) -> int | None:
        """The id of the newest job; None when there are none."""
        return await self._sessions.read(admin_jobs.newest_id(self._schema))
