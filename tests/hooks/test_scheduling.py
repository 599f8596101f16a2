"""What hooks make of jobs that are to be added."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from graphile_worker import (
    BeforeJobRun,
    BeforeJobSchedule,
    HookRegistry,
    JobScheduleFailed,
    JobScheduleResult,
    JobScheduleSkipped,
    JobSpec,
    NewJob,
    RawJobSpec,
    SyncWorkerUtils,
    WorkerContext,
    WorkerOptions,
    WorkerUtils,
    batch_task,
    task,
)

seen: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


@task
async def take(payload: dict[str, int]) -> None:
    seen.append(payload)


@batch_task
async def batch(items: list[int]) -> None: ...


def hooked(*handlers: Any) -> HookRegistry:
    hooks = HookRegistry()
    for handler in handlers:
        hooks.on(BeforeJobSchedule, handler)
    return hooks


def plus(key: str) -> Any:
    def add(event: BeforeJobSchedule) -> JobScheduleResult:
        return JobScheduleResult.proceed({**event.payload, key: len(event.payload)})

    return add


def skip_empty(event: BeforeJobSchedule) -> JobScheduleResult | None:
    return None if event.payload else JobScheduleResult.skip()


def refuse(event: BeforeJobSchedule) -> JobScheduleResult:
    return JobScheduleResult.fail("over the quota")


async def test_the_event_carries_identifier_payload_and_spec(gw_database: str) -> None:
    hooks = hooked(seen.append)
    async with WorkerUtils.connect(gw_database, hooks=hooks) as utils:
        await utils.add_job(take, {"a": 1}, JobSpec(queue_name="q", priority=3))
        await utils.add_raw_job("raw", [1])
        await utils.add_batch_job(batch, [1, 2])
        await utils.add_jobs(take, [{"b": 2}])
        await utils.add_raw_jobs([RawJobSpec("raw", "text")])
    assert [(event.identifier, event.payload) for event in seen] == [
        ("take", {"a": 1}),
        ("raw", [1]),
        ("batch", [1, 2]),
        ("take", {"b": 2}),
        ("raw", "text"),
    ]
    assert (seen[0].spec.queue_name, seen[0].spec.priority) == ("q", 3)


async def test_changes_add_up_and_are_stored(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database, hooks=hooked(plus("x"), plus("y"))) as utils:
        job = await utils.add_job(take, {})
        assert job.payload == {"x": 0, "y": 1}
        stored = await utils.get_job(job.id)
        assert stored is not None
        assert stored.payload == job.payload


async def test_without_an_opinion_the_payload_stays_as_it_is(gw_database: str) -> None:
    def change_in_place(event: BeforeJobSchedule) -> None:
        event.payload["big"] = 0

    async with WorkerUtils.connect(gw_database, hooks=hooked(change_in_place)) as utils:
        job = await utils.add_job(take, {"big": 10**30})
    assert job.payload == {"big": 10**30}


async def test_a_skipped_add_stores_nothing_and_says_so(gw_database: str) -> None:
    hooks = hooked(skip_empty, seen.append)
    async with WorkerUtils.connect(gw_database, hooks=hooks) as utils:
        with pytest.raises(JobScheduleSkipped, match="skipped adding the job 'take'"):
            await utils.add_job(take, {})
        assert seen == [], "nobody else is asked"
        assert (await utils.stats()).total == 0


async def test_a_refused_add_stores_nothing_and_gives_the_reason(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database, hooks=hooked(refuse)) as utils:
        with pytest.raises(JobScheduleFailed, match="'take' was not added: over the quota"):
            await utils.add_job(take, {})
        assert (await utils.stats()).total == 0


async def test_in_bulk_skipped_jobs_are_left_out(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database, hooks=hooked(skip_empty)) as utils:
        jobs = await utils.add_jobs(take, [{"a": 1}, {}, {"b": 2}])
        assert [job.payload for job in jobs] == [{"a": 1}, {"b": 2}]
        assert await utils.add_jobs(take, [{}]) == []
        assert (await utils.stats()).total == 2


async def test_in_bulk_one_refusal_keeps_all_out(gw_database: str) -> None:
    def only_small(event: BeforeJobSchedule) -> JobScheduleResult | None:
        return JobScheduleResult.fail("too large") if len(event.payload) > 1 else None

    async with WorkerUtils.connect(gw_database, hooks=hooked(only_small)) as utils:
        with pytest.raises(JobScheduleFailed, match="too large"):
            await utils.add_jobs(take, [{"a": 1}, {"a": 1, "b": 2}])
        assert (await utils.stats()).total == 0


async def test_a_hook_that_raises_refuses(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: BeforeJobSchedule) -> None:
        raise LookupError("no such tenant")

    async with WorkerUtils.connect(gw_database, hooks=hooked(broken)) as utils:
        with pytest.raises(JobScheduleFailed, match="no such tenant"):
            await utils.add_job(take, {})
    assert "broken failed at BeforeJobSchedule" in caplog.text


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (JobScheduleResult.proceed(float("nan")), "not JSON: .*nan"),
        (JobScheduleResult.proceed(object()), "not JSON"),
        (True, "answered True; expected JobScheduleResult or None"),
    ],
)
async def test_what_cannot_be_stored_is_refused(gw_database: str, answer: Any, says: str) -> None:
    async with WorkerUtils.connect(gw_database, hooks=hooked(lambda _: answer)) as utils:
        with pytest.raises(JobScheduleFailed, match=says):
            await utils.add_job(take, {})


async def test_a_coroutine_in_disguise_is_refused(gw_database: str) -> None:
    async def hidden(event: BeforeJobSchedule) -> None: ...

    def disguise(event: BeforeJobSchedule) -> Any:
        return hidden(event)

    hooks = hooked(disguise)
    async with WorkerUtils.connect(gw_database, hooks=hooks) as utils:
        with pytest.raises(JobScheduleFailed, match="expected JobScheduleResult or None"):
            await utils.add_job(take, {})


@pytest.mark.parametrize("payload", [{}, [], "text"])
async def test_a_batch_stays_a_batch(gw_database: str, payload: Any) -> None:
    hooks = hooked(lambda _: JobScheduleResult.proceed(payload))
    async with WorkerUtils.connect(gw_database, hooks=hooks) as utils:
        with pytest.raises(JobScheduleFailed, match="left no list of items"):
            await utils.add_batch_job(batch, [1])
        assert (await utils.stats()).total == 0


async def test_the_workers_utils_and_contexts_have_its_hooks(gw_database: str) -> None:
    class Tenant:
        def register(self, hooks: HookRegistry) -> None:
            hooks.on(BeforeJobSchedule, plus("tenant"))
            hooks.on(BeforeJobRun, lambda event: seen.append(event.payload))

    @task(payload=None)
    async def parent(ctx: WorkerContext) -> None:
        await ctx.add_job(take, {})

    options = WorkerOptions(database_url=gw_database, tasks=[parent, take], plugins=[Tenant()])
    async with options.init() as worker:
        await worker.create_utils().add_job(parent)
        await worker.run_once(raise_on_failure=True)
    assert seen == [{"tenant": 0}, {"tenant": 0}, {"tenant": 0}]


async def test_utils_read_the_registry_with_every_job(gw_database: str) -> None:
    hooks = HookRegistry()
    async with WorkerUtils.connect(gw_database, hooks=hooks) as utils:
        await utils.add_job(take, {})
        hooks.on(BeforeJobSchedule, refuse)
        with pytest.raises(JobScheduleFailed):
            await utils.add_job(take, {})


def test_a_client_without_a_loop_asks_as_well(gw_database: str) -> None:
    hooks = hooked(skip_empty, plus("x"))
    with SyncWorkerUtils.connect(gw_database, hooks=hooks) as utils:
        assert utils.add_job(take, {"a": 1}).payload == {"a": 1, "x": 1}
        assert utils.add_raw_job("raw", {"b": 1}).payload == {"b": 1, "x": 1}
        with pytest.raises(JobScheduleSkipped):
            utils.add_job(take, {})
        assert [job.payload for job in utils.add_jobs(take, [{"c": 1}, {}])] == [{"c": 1, "x": 1}]
        [raw] = utils.add_raw_jobs([RawJobSpec("raw", {"d": 1}), RawJobSpec("raw", {})])
        assert raw.payload == {"d": 1, "x": 1}
        hooks.on(BeforeJobSchedule, refuse)
        with pytest.raises(JobScheduleFailed, match="over the quota"):
            utils.add_job(take, {"a": 1})
        with pytest.raises(JobScheduleFailed, match="'batch' was not added"):
            utils.add_batch_job(batch, [1])
        assert utils.stats().total == 4


def six_jobs() -> Iterator[NewJob]:
    for number in range(6):
        yield take.job({"n": number} if number % 2 else {})


async def six_jobs_later() -> AsyncIterator[NewJob]:
    for job in six_jobs():
        yield job


@pytest.mark.parametrize("source", [six_jobs, six_jobs_later])
async def test_a_stream_asks_about_every_job(gw_database: str, source: Any) -> None:
    async with WorkerUtils.connect(gw_database, hooks=hooked(skip_empty, plus("x"))) as utils:
        assert await utils.add_jobs_stream(source(), chunk_size=2) == 3, "skipped ones do not count"
        stored = [job.payload for job in await utils.list_jobs()]
    assert stored == [{"n": number, "x": 1} for number in (1, 3, 5)]


async def test_a_refusal_ends_a_stream_and_keeps_the_chunks_before(gw_database: str) -> None:
    def only_small(event: BeforeJobSchedule) -> JobScheduleResult | None:
        big = event.payload.get("n", 0) > 3
        return JobScheduleResult.fail("too large") if big else None

    async with WorkerUtils.connect(gw_database, hooks=hooked(only_small)) as utils:
        with pytest.raises(JobScheduleFailed, match="too large"):
            await utils.add_jobs_stream(six_jobs(), chunk_size=2)
        assert (await utils.stats()).total == 4


def test_a_stream_without_a_loop_asks_as_well(gw_database: str) -> None:
    with SyncWorkerUtils.connect(gw_database, hooks=hooked(skip_empty)) as utils:
        assert utils.add_jobs_stream(six_jobs(), chunk_size=2) == 3
