"""Jobs that no index finds: read for all viewers together where the table is big.

To list what runs, what is tried again, what has failed, the whole table has to be read, which takes
a tenth of a second for a million jobs, on all cores; a page that is open asks every two seconds. So
the ids of such jobs are a sample like others: taken when somebody asks, shared, and kept for long
enough that it costs little. The jobs themselves are read when they are shown, so that everything
that is said of them is so; what a list may lack is who came into it since it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from graphile_worker.admin.service.figures import Figures
from graphile_worker.admin.service.filters import SCOPES, JobFilter
from graphile_worker.admin.service.samples import Budget, Sample, Sampled
from graphile_worker.admin.service.sessions import LONG_SECONDS, Sessions
from graphile_worker.database.executor import Connection
from graphile_worker.database.statement import Statement
from graphile_worker.errors import DatabaseError
from graphile_worker.queries import admin_samples
from graphile_worker.queries.admin_jobs import Found, Place
from graphile_worker.queries.admin_samples import Some, Tried

SMALL: Final = 20_000
"""Up to so many jobs the table is read each time: it takes some milliseconds."""
KEPT: Final = SCOPES[0] + 1_000
"""So many of each kind are known: what a search looks at unless it is told to look at more, and
some that may be gone by then."""

_KINDS: Final[dict[str, Callable[[Tried], Some]]] = {
    **dict.fromkeys(("running", "stuck", "locked"), lambda tried: tried.locked),
    "retrying": lambda tried: tried.retrying,
    "failed": lambda tried: tried.failed,
}
"""By state."""


class Among(Protocol):
    """Makes a search."""

    def __call__(self, *, among: Sequence[int] | None) -> Statement[Found]:
        """That looks at the jobs with these ids only; None: at all."""
        ...


@dataclass(frozen=True, slots=True)
class Candidates:
    """The jobs that may be in a state.

    Attributes:
        some: their ids, in the order of the state.
        sample: whence they are.
    """

    some: Some
    sample: Sample[Tried]

    def from_place(self, after: Place | None, count: int) -> Iterator[tuple[list[int], bool]]:
        """First the next few of them after a place, then all; with whether there are no others."""
        ids = self.some.ids
        start = 0
        if after is not None:
            start = ids.index(after.id) + 1 if after.id in ids else len(ids)
        few = ids[start : start + count]
        if few and len(few) < len(ids):
            yield few, False
        yield ids, self.some.are_all


class TriedJobs:
    """Knows which jobs are locked, tried again, failed.

    Args:
        sessions: the database.
        figures: how many jobs there are.
        budget: what reading them may take, together with other samples.
    """

    def __init__(self, sessions: Sessions, figures: Sampled[Figures], budget: Budget) -> None:
        self._figures = figures
        self.sample: Sampled[Tried] = Sampled(
            partial(_read, sessions), every=2.0, too_old=15.0, budget=budget
        )

    async def are_shared(self) -> bool:
        """Whether the table is so big that it is not read for each who asks."""
        try:
            return (await self._figures.get()).value.counts.total > SMALL
        except DatabaseError:
            return True  # a table whose jobs cannot be counted in time is big

    async def of(self, wanted: JobFilter, scope: int) -> Candidates | None:
        """The jobs that may match; None where an index finds them, or more are to be looked at."""
        kind = _KINDS.get(wanted.wanted.state)
        if kind is None or wanted.wanted.key is not None or scope > SCOPES[0]:
            return None
        return await self._candidates(kind)

    async def locked(self) -> Sequence[int] | None:
        """The jobs that may be locked; None where they are to be looked for in the table."""
        found = await self._candidates(lambda tried: tried.locked)
        return None if found is None else found.some.ids

    async def with_error(self, scope: int) -> tuple[Sequence[int] | None, bool]:
        """The jobs that have failed, and whether there are no others.

        None: they are to be looked for in the table.
        """
        if scope > SCOPES[0]:
            return None, True
        found = await self._candidates(lambda tried: tried.with_error)
        return (None, True) if found is None else (found.some.ids, found.some.are_all)

    async def _candidates(self, kind: Callable[[Tried], Some]) -> Candidates | None:
        if not await self.are_shared():
            return None
        sample = await self.sample.get()
        return Candidates(kind(sample.value), sample)


async def search(
    connection: Connection,
    candidates: Candidates | None,
    statement: Among,
    *,
    scope: int,
    after: Place | None,
) -> Found:
    """Look among candidates, and in the whole table where they do not answer it.

    Args:
        connection: to look with.
        candidates: None: in the whole table.
        statement: makes the statement.
        scope: how many jobs of the state it looks at.
        after: the place after which it does.
    """
    if candidates is not None:
        for ids, are_all in candidates.from_place(after, 4 * scope):
            found = await connection.run(statement(among=ids))
            if are_all or found.searched >= scope:
                return found
    return await connection.run(statement(among=None))


async def _read(sessions: Sessions) -> Tried:
    return await sessions.read(admin_samples.tried(sessions.schema, limit=KEPT), LONG_SECONDS)
