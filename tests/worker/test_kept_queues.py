"""Whether a slot waits for the next job of its queue."""

from __future__ import annotations

import pytest
from support.releasing import claimed, kept_queues

from graphile_worker import WorkerUtils
from graphile_worker.client.open_database import open_database
from graphile_worker.jobs.outcome import COMPLETED
from graphile_worker.worker import kept_queues as module


async def test_where_queues_have_one_job_each_it_is_tried_each_tenth_of_a_second(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    database = await open_database(gw_database)
    jobs = await claimed(database, WorkerUtils(database), 400, in_queues=True)
    await database.aclose()
    queues = kept_queues(may_take=lambda: True)

    def kept() -> int:
        """Of a hundred queues without a next job."""
        count = 0
        for _ in range(100):
            job = jobs.pop()
            if queues.keep(job, COMPLETED):
                queues.let_go(job)
                count += 1
        return count

    assert kept() == 22 + 16, "until it is not worth it, and the first tries"
    now += 0.099
    assert kept() == 0
    now += 0.001
    assert kept() == 16
