"""Adding jobs and looking at them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from support.running import sql

from graphile_worker import (
    ConfigurationError,
    ConnectionLostError,
    DatabaseError,
    JobKeyMode,
    JobNotAddedError,
    JobScheduleFailed,
    JobSpec,
    JobState,
    PayloadError,
    RawJobSpec,
    SchemaMissingError,
    WorkerUtils,
    batch_task,
    task,
    task_ref,
)


@dataclass
class Mail:
    to: str
    copies: int = 1


@task(spec=JobSpec(queue_name="mail", max_attempts=5))
async def send(payload: Mail) -> None: ...


@task(payload=None)
async def refresh() -> None: ...


@batch_task
async def notify(items: list[Mail]) -> None: ...


async def test_a_job_is_stored_as_given_over_the_tasks_own_spec(gw_database: str) -> None:
    at = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    async with WorkerUtils.connect(gw_database) as utils:
        job = await utils.add_job(
            send,
            Mail("a@b"),
            JobSpec(run_at=at, priority=-7, flags=["x", "y"], job_key="k", max_attempts=None),
        )
        assert await utils.get_job(job.id) == job
    assert job.task_identifier == "send"
    assert job.queue_name == "mail"
    assert job.payload == {"to": "a@b", "copies": 1}
    assert (job.run_at, job.priority, job.max_attempts) == (at, -7, 25)
    assert (job.key, job.flags, job.revision, job.attempts) == ("k", {"x", "y"}, 0, 0)
    assert job.state is JobState.SCHEDULED


async def test_a_delay_counts_from_the_databases_clock(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        job = await utils.add_job(refresh, None, JobSpec(run_at=timedelta(minutes=5)))
        now = await utils.add_job(refresh)
    assert job.run_at - job.created_at == timedelta(minutes=5)
    assert now.run_at == now.created_at
    assert (now.payload, now.state) == ({}, JobState.READY)


async def test_adding_with_a_key_changes_the_job_that_waits(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        spec = JobSpec(job_key="k", run_at=timedelta(hours=1), priority=3)
        first = await utils.add_job(refresh, None, spec)
        second = await utils.add_job(send, Mail("z"), JobSpec(job_key="k"))
        kept = await utils.add_job(
            send,
            Mail("y"),
            JobSpec(
                job_key="k",
                job_key_mode=JobKeyMode.PRESERVE_RUN_AT,
                run_at=timedelta(hours=9),
            ),
        )
    assert first.id == second.id == kept.id
    assert (second.task_identifier, second.priority, second.revision) == ("send", 0, 1)
    assert kept.run_at == second.run_at


async def test_removing_by_key(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        job = await utils.add_job(refresh, None, JobSpec(job_key="k"))
        removed = await utils.remove_job("k")
        assert removed is not None
        assert removed.id == job.id
        assert await utils.remove_job("k") is None
        assert await utils.get_job(job.id) is None


async def test_batch_jobs_collect_items_under_a_key(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        spec = JobSpec(job_key="k")
        await utils.add_batch_job(notify, [Mail("a")], spec)
        job = await utils.add_batch_job(notify, (Mail(to) for to in "bc"), spec)
        assert [item["to"] for item in job.payload] == ["a", "b", "c"]
        with pytest.raises(JobScheduleFailed, match="at least one item"):
            await utils.add_batch_job(notify, [])
        assert (await utils.stats()).total == 1


async def test_many_jobs_come_back_in_the_order_given(gw_database: str) -> None:
    other = task_ref("other", int)
    async with WorkerUtils.connect(gw_database) as utils:
        new = [send.job(Mail(f"{n}")) for n in range(300)]
        new += [other.job(n % 3, JobSpec(queue_name=f"q{n % 5}")) for n in range(300)]
        new += [other.job(1, JobSpec(run_at=timedelta(seconds=n % 4))) for n in range(100)]
        jobs = await utils.add_jobs(new)
    assert len({job.id for job in jobs}) == 700
    assert [job.payload["to"] for job in jobs[:300]] == [f"{n}" for n in range(300)]
    assert [(job.payload, job.queue_name) for job in jobs[300:600]] == [
        (n % 3, f"q{n % 5}") for n in range(300)
    ]
    assert [job.run_at - job.created_at for job in jobs[600:]] == [
        timedelta(seconds=n % 4) for n in range(100)
    ]
    assert {job.task_identifier for job in jobs[300:]} == {"other"}


async def test_bulk_by_task_and_by_name(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        assert await utils.add_jobs([]) == []
        typed = await utils.add_jobs(send, [Mail("a"), Mail("b")], JobSpec(priority=2))
        raw = await utils.add_raw_jobs(
            [RawJobSpec("x", {"a": [1]}, JobSpec(flags=['q"uo\\te', "ü"])), RawJobSpec("y")]
        )
    assert [(job.payload["to"], job.priority) for job in typed] == [("a", 2), ("b", 2)]
    assert [(job.task_identifier, job.payload) for job in raw] == [("x", {"a": [1]}), ("y", {})]
    assert raw[0].flags == {'q"uo\\te', "ü"}


async def test_what_is_no_list_of_jobs_is_refused(gw_database: str) -> None:
    job = send.job(Mail("a"))
    async with WorkerUtils.connect(gw_database) as utils:
        with pytest.raises(ConfigurationError, match="add_raw_jobs takes RawJobSpec, got NewJob"):
            await utils.add_raw_jobs([RawJobSpec("x"), job])  # type: ignore[list-item]
        with pytest.raises(ConfigurationError, match="got RawJobSpec"):
            await utils.add_jobs([RawJobSpec("x")])  # type: ignore[list-item]
        with pytest.raises(ConfigurationError, match=r"spec goes with payloads.*task\.job\("):
            await utils.add_jobs([job], spec=JobSpec(priority=1))  # type: ignore[call-overload]
        with pytest.raises(ConfigurationError, match="needs payloads beside a task"):
            await utils.add_jobs(send)  # type: ignore[arg-type]
        assert await utils.list_jobs() == []


async def test_one_bad_payload_keeps_all_others_out(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        with pytest.raises(PayloadError):
            await utils.add_jobs(send, [Mail("a"), Mail(3)])  # type: ignore[arg-type]
        with pytest.raises(JobScheduleFailed, match="UNSAFE_DEDUPE"):
            await utils.add_jobs(
                [
                    send.job(Mail("a")),
                    send.job(
                        Mail("b"),
                        JobSpec(job_key="k", job_key_mode=JobKeyMode.UNSAFE_DEDUPE),
                    ),
                ]
            )
        assert (await utils.stats()).total == 0


@pytest.mark.parametrize(
    "payload",
    [{"x": math.nan}, [math.inf], "\ud800", {"\ud800": 1}, "a\0b", {"a": ["\0"]}, object()],
)
async def test_what_json_or_postgresql_cannot_hold_is_refused(
    gw_database: str, payload: object
) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        with pytest.raises(PayloadError):
            await utils.add_raw_job("any", payload)
        assert (await utils.stats()).total == 0


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("job_key", "x" * 513, "512"),
        ("job_key", "", "empty"),
        ("queue_name", "x" * 129, "128"),
        ("max_attempts", 0, "between 1 and"),
        ("max_attempts", 40_000, "32767"),
        ("priority", 40_000, "32767"),
        ("priority", 1.5, "whole number"),
        ("run_at", datetime(2030, 1, 1), "aware"),  # noqa: DTZ001 (the fault under test)
        ("run_at", "now", "datetime"),
        ("flags", "flag", "collection"),
        ("flags", ["\0"], "NUL"),
        ("job_key_mode", "replace", "JobKeyMode"),
        ("queue_name", "\ud800", "surrogate"),
    ],
)
def test_a_spec_refuses_what_the_database_would(field: str, value: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        JobSpec(**{field: value})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_an_identifier_has_at_most_128_characters() -> None:
    RawJobSpec("x" * 128)
    with pytest.raises(ConfigurationError, match="128"):
        RawJobSpec("x" * 129)
    with pytest.raises(ConfigurationError, match="empty"):
        RawJobSpec("")


def test_a_call_lays_its_spec_over_the_tasks_field_by_field() -> None:
    default = JobSpec(
        queue_name="q", priority=1, job_key="a", job_key_mode=JobKeyMode.UNSAFE_DEDUPE
    )
    merged = JobSpec(priority=None, job_key="b").over(default)
    assert merged == JobSpec(queue_name="q", priority=None, job_key="b")
    assert JobSpec(priority=3).over(default).job_key_mode is JobKeyMode.UNSAFE_DEDUPE


async def test_listing_filters_searches_and_pages(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        ready = await utils.add_job(send, Mail("Anna@example.com"))
        later = await utils.add_job(refresh, None, JobSpec(run_at=timedelta(hours=1)))
        locked = await utils.add_job(refresh, None, JobSpec(queue_name="q", job_key="the-key"))
        failed = await utils.add_job(refresh)
        await connection.execute(
            "update graphile_worker._private_jobs set locked_at = now(), locked_by = 'w' where id = $1",
            locked.id,
        )
        await connection.execute(
            "update graphile_worker._private_jobs set attempts = 25, last_error = 'Boom' where id = $1",
            failed.id,
        )

        async def ids(**filters: object) -> list[int]:
            return [job.id for job in await utils.list_jobs(**filters)]  # type: ignore[arg-type]

        assert await ids() == [ready.id, later.id, locked.id, failed.id]
        assert await ids(state="ready") == [ready.id]
        assert await ids(state=JobState.SCHEDULED) == [later.id]
        assert await ids(state="locked") == [locked.id]
        assert await ids(state="failed") == [failed.id]
        assert await ids(identifier="refresh") == [later.id, locked.id, failed.id]
        assert await ids(queue="q") == [locked.id]
        assert await ids(search="anna@") == [ready.id]
        assert await ids(search="boom") == [failed.id]
        assert await ids(search="THE-key") == [locked.id]
        assert await ids(limit=2, offset=1) == [later.id, locked.id]
        assert len(await ids(limit=None)) == 4
        stats = await utils.stats()
        assert (stats.total, stats.ready, stats.scheduled, stats.locked, stats.failed) == (
            4,
            1,
            1,
            1,
            1,
        )
        with pytest.raises(ConfigurationError, match="all, ready"):
            await ids(state="waiting")
        with pytest.raises(ConfigurationError, match="limit"):
            await ids(limit=-1)


async def test_a_payload_python_cannot_hold_does_not_hide_the_others(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        digits = "9" * 5000
        await connection.execute(f"select graphile_worker.add_job('x', '{digits}')")
        await utils.add_job(refresh)
        assert [job.payload for job in await utils.list_jobs()] == [digits, {}]


async def test_connecting_never_migrates(empty_database: str) -> None:
    with pytest.raises(SchemaMissingError, match="graphile-worker --schema mine migrate"):
        await WorkerUtils.connect(empty_database, schema="mine")


async def test_any_schema_name_works(empty_database: str) -> None:
    for name in ("Case-Schema", 'with"quote', "éclair", "select"):
        from graphile_worker.client.open_database import open_database
        from graphile_worker.database.schema import Schema
        from graphile_worker.migrations.runner import migrate

        database = await open_database(empty_database)
        await migrate(database, Schema(name))
        await database.aclose()
        async with WorkerUtils.connect(empty_database, schema=name) as utils:
            job = await utils.add_job(refresh, None, JobSpec(queue_name="q"))
            assert await utils.get_job(job.id) == job


async def test_nobody_there(tmp_path) -> None:
    with pytest.raises(ConnectionLostError) as caught:
        await WorkerUtils.connect(f"postgresql://u:secret@/db?host={tmp_path}")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_nodes_race_is_told_from_success(gw_database: str) -> None:
    """Node's add_job answers with nulls, or fewer rows, where the key's job is being claimed."""
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        await connection.execute(
            """
            create or replace function graphile_worker.add_jobs(
              specs graphile_worker.job_spec[], job_key_preserve_run_at boolean default false
            ) returns setof graphile_worker._private_jobs language sql as
            $$ select * from graphile_worker._private_jobs where false $$
            """
        )
        with pytest.raises(JobNotAddedError, match="'k'"):
            await utils.add_job(refresh, None, JobSpec(job_key="k"))
        with pytest.raises(JobNotAddedError, match="'k'"):
            await utils.add_jobs([refresh.job(None, JobSpec(job_key="k"))])


async def test_a_refusal_by_the_database_keeps_its_sqlstate(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        await connection.execute("drop schema graphile_worker cascade")
        with pytest.raises(DatabaseError) as caught:
            await utils.stats()
        assert caught.value.sqlstate == "42P01"
