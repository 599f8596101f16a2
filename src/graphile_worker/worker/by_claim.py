"""Jobs that are released together, by the claim that took them."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Final

from graphile_worker.jobs.claimed_job import ClaimedJob

_WORTH_A_STATEMENT: Final = 64
"""Jobs for which a statement of their own is cheaper than to be told from those of other claims."""

_locked_at = itemgetter(ClaimedJob._fields.index("locked_at"))


def by_claim(jobs: list[ClaimedJob]) -> list[list[ClaimedJob]] | None:
    """The jobs of each claim; None where they are too few for statements of their own."""
    claims = len(set(map(_locked_at, jobs)))
    if claims == 1:
        return [jobs]
    if (claims - 1) * _WORTH_A_STATEMENT > len(jobs):
        return None
    return [list(claim) for _, claim in groupby(sorted(jobs, key=_locked_at), _locked_at)]
