"""Which jobs are released together."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.worker.by_claim import by_claim

NOTHING: Any = None


def claimed(job_id: int, locked_at: float) -> ClaimedJob:
    values = dict.fromkeys(ClaimedJob._fields, NOTHING)
    return ClaimedJob(**{**values, "id": job_id, "locked_at": locked_at})


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=300))
def test_jobs_are_told_apart_by_their_claim_where_that_is_worth_it(times: list[float]) -> None:
    jobs = [claimed(number, at) for number, at in enumerate(times)]
    claims = by_claim(jobs)
    kinds = len(set(times))
    assert (claims is None) == (kinds > 1 and len(jobs) < 64 * (kinds - 1))
    if claims is None:
        return
    assert sorted(job.id for claim in claims for job in claim) == list(range(len(jobs)))
    assert [len({job.locked_at for job in claim}) for claim in claims] == [1] * kinds


def test_two_claims_of_one_job_are_two() -> None:
    """A job that was lost and claimed again: the end of its first run is not that of its second."""
    others = [claimed(number, 2.0) for number in range(1, 70)]
    first, second = claimed(0, 1.0), claimed(0, 2.0)
    assert by_claim([first, *others, second]) == [[first], [*others, second]]
