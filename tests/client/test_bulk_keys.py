"""`add_jobs` does what adding one by one would do: keys, modes, arrays, in any mixture."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.running import sql

from graphile_worker import JobKeyMode, JobSpec, WorkerUtils, task_ref
from graphile_worker.jobs.new_job import NewJob

anything = task_ref("anything", object)

specs = st.builds(
    JobSpec,
    job_key=st.sampled_from([None, "a", "b", "c"]),
    job_key_mode=st.sampled_from([None, JobKeyMode.REPLACE, JobKeyMode.PRESERVE_RUN_AT]),
    queue_name=st.sampled_from([None, "q", "r"]),
    priority=st.sampled_from([None, 0, 1]),
)
payloads = st.sampled_from([{}, {"x": 1}, [1], [2, 3], 5, "text", None])
calls = st.lists(st.builds(anything.job, payloads, specs), max_size=12)


async def rows(url: str, jobs: list[NewJob], *, bulk: bool) -> list[tuple[object, ...]]:
    async with WorkerUtils.connect(url) as utils, sql(url) as connection:
        await connection.execute("delete from graphile_worker._private_jobs")
        if bulk:
            added = await utils.add_jobs(jobs)
            assert len(added) == len(jobs)
        else:
            for job in jobs:
                await utils.add_job(task_ref(job.identifier, object), *_decoded(job))
        stored = await utils.list_jobs(limit=None)
        return sorted(
            ((j.key, j.payload, j.queue_name, j.priority, j.revision) for j in stored), key=repr
        )


def _decoded(job: NewJob) -> tuple[object, JobSpec]:
    return json.loads(job.payload), job.spec


@pytest.fixture
def url(gw_database: str) -> str:
    return gw_database


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(jobs=calls)
def test_bulk_equals_one_by_one(url: str, jobs: list[NewJob]) -> None:
    def run(*, bulk: bool) -> list[tuple[object, ...]]:
        return asyncio.run(rows(url, jobs, bulk=bulk))

    assert run(bulk=True) == run(bulk=False)
