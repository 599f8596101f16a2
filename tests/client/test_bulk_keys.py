"""`add_jobs` does what adding one by one would do: keys, modes, arrays, in any mixture."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.running import sql

from graphile_worker import Job, JobKeyMode, JobSpec, WorkerUtils, task_ref
from graphile_worker.jobs.new_job import NewJob

anything = task_ref("anything", object)
another = task_ref("another", object)

KEYS = ["a", "b", "c"]
MOMENTS = [datetime(year, 1, 1, tzinfo=UTC) for year in (2031, 2032)]
STATES = {
    "waiting": "attempts = 0",
    "tried": "attempts = 1, last_error = 'no'",
    "running": "attempts = 1, locked_by = 'somebody', locked_at = now()",
    "failed": "attempts = max_attempts, last_error = 'no'",
}

specs = st.builds(
    JobSpec,
    job_key=st.sampled_from([None, *KEYS]),
    job_key_mode=st.sampled_from([None, JobKeyMode.REPLACE, JobKeyMode.PRESERVE_RUN_AT]),
    run_at=st.sampled_from(MOMENTS),
    queue_name=st.sampled_from([None, "q", "r"]),
    priority=st.sampled_from([None, 0, 1]),
    max_attempts=st.sampled_from([None, 3]),
    flags=st.sampled_from([None, [], ["x"], ["y", "x"]]),
)
payloads = st.sampled_from([{}, {"x": 1}, [1], [2, 3], 5, "text", None])
tasks = st.sampled_from([anything, another])
calls = st.lists(st.builds(lambda task, *job: task.job(*job), tasks, payloads, specs), max_size=12)
befores = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(list(STATES)))


def content(job: Job) -> tuple[object, ...]:
    """What two jobs of two runs can have in common."""
    return (
        job.task_identifier,
        job.key,
        job.payload,
        job.queue_name,
        job.priority,
        job.max_attempts,
        job.flags,
        job.run_at,
        job.attempts,
        job.last_error,
        job.revision,
        job.state,
    )


async def outcome(
    url: str, before: dict[str, str], jobs: Sequence[NewJob], how: str
) -> tuple[list[object], list[object]]:
    """What the calls answered, and what is in the table after them."""
    async with WorkerUtils.connect(url) as utils, sql(url) as connection:
        await connection.execute("delete from graphile_worker._private_jobs")
        for key, state in before.items():
            old = await utils.add_job(anything, [0], JobSpec(job_key=key, run_at=MOMENTS[0]))
            await connection.execute(
                f"update graphile_worker._private_jobs set {STATES[state]} where id = {old.id}"
            )
        answers: list[object] = []
        if how == "many":
            answers += map(content, await utils.add_jobs(jobs))
        elif how == "stream":
            assert await utils.add_jobs_stream(jobs, chunk_size=5) == len(jobs)
        else:
            for job in jobs:
                task = task_ref(job.identifier, object)
                answers.append(
                    content(await utils.add_job(task, json.loads(job.payload), job.spec))
                )
        stored = await utils.list_jobs(limit=None)
        return answers, sorted(map(content, stored), key=repr)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=befores, jobs=calls)
def test_bulk_equals_one_by_one(
    gw_database: str, before: dict[str, str], jobs: list[NewJob]
) -> None:
    def run(how: str) -> tuple[list[object], list[object]]:
        return asyncio.run(outcome(gw_database, before, jobs, how))

    answers, stored = run("one by one")
    assert run("many") == (answers, stored)
    assert run("stream") == ([], stored)
