"""What a type checker says about adding jobs; never run. See `test_typing`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, assert_type

from graphile_worker import (
    ChangedJobs,
    CleanupTask,
    Job,
    JobSpec,
    NewJob,
    RawJobSpec,
    SyncWorkerContext,
    SyncWorkerUtils,
    WorkerContext,
    WorkerUtils,
    batch_task,
    task,
    task_ref,
)


@dataclass
class Mail:
    to: str


@task
async def send(payload: Mail, ctx: WorkerContext) -> None: ...


@task
def send_in_thread(payload: Mail) -> None: ...


@task(payload=None)
async def refresh() -> None: ...


@batch_task
async def notify(items: list[Mail]) -> None: ...


@dataclass
class Resize:
    IDENTIFIER: ClassVar[str] = "resize"
    width: int

    async def run(self, ctx: WorkerContext) -> None: ...


elsewhere = task_ref("elsewhere", Mail)


async def adding(utils: WorkerUtils, ctx: WorkerContext, sync: SyncWorkerContext) -> None:
    assert_type(await utils.add_job(send, Mail("a")), Job)
    await utils.add_job(send_in_thread, Mail("a"), JobSpec(priority=1))
    await utils.add_job(refresh)
    await utils.add_job(refresh, None, JobSpec(priority=1))
    await utils.add_job(elsewhere, Mail("a"))
    await utils.add_job(Resize, Resize(width=3))
    await utils.add_batch_job(notify, [Mail("a")])
    assert_type(await utils.add_jobs(send, [Mail("a")]), list[Job])
    await utils.add_jobs([send.job(Mail("a")), refresh.job(None)])
    await utils.add_raw_jobs([RawJobSpec("x", {"any": "thing"})])
    assert_type(await ctx.add_job(send, Mail("a")), Job)
    assert_type(sync.add_job(send, Mail("a")), Job)
    assert_type(sync.add_jobs(send, [Mail("a")]), list[Job])

    await utils.add_job(send, "a")  # type: ignore[misc]
    await utils.add_job(send, {"to": "a"})  # type: ignore[misc]
    await utils.add_job(send)  # type: ignore[arg-type]
    await utils.add_job(refresh, Mail("a"))  # type: ignore[misc]
    await utils.add_job("send", Mail("a"))  # type: ignore[call-overload]
    await utils.add_jobs(send, ["a"])  # type: ignore[misc]
    await utils.add_batch_job(notify, ["a"])  # type: ignore[misc]
    await ctx.add_job(send, 3)  # type: ignore[misc]
    sync.add_job(send, 3)  # type: ignore[misc]


def jobs() -> Iterator[NewJob]:
    yield send.job(Mail("a"))


async def jobs_later() -> AsyncIterator[NewJob]:
    yield send.job(Mail("a"))


async def in_bulk(utils: WorkerUtils) -> None:
    assert_type(await utils.add_jobs_stream(jobs()), int)
    assert_type(await utils.add_jobs_stream(jobs_later(), chunk_size=100), int)
    assert_type(utils.with_executor(object()), WorkerUtils)
    assert_type(await utils.add_batch_job(notify, (Mail(to) for to in "abc")), Job)
    await utils.add_jobs(elsewhere, (Mail(to) for to in "abc"), JobSpec(priority=1))
    await utils.add_jobs(refresh, [None, None])

    await utils.add_jobs_stream([Mail("a")])  # type: ignore[list-item]
    await utils.add_jobs([Mail("a")])  # type: ignore[list-item]
    await utils.add_jobs(send, Mail("a"))  # type: ignore[call-overload]
    await utils.add_jobs(send, [None])  # type: ignore[misc]
    await utils.add_jobs(refresh, ["a"])  # type: ignore[misc]
    await utils.add_batch_job(notify, Mail("a"))  # type: ignore[arg-type]
    await utils.add_batch_job(send, [Mail("a")])  # type: ignore[arg-type]


async def managing(utils: WorkerUtils, job: Job) -> None:
    assert_type(await utils.complete_jobs([1, job]), ChangedJobs)
    await utils.reschedule_jobs([job], run_at=timedelta(0), attempts=0)
    assert_type(await utils.cleanup([CleanupTask.GC_JOB_QUEUES]), dict[CleanupTask, int])

    await utils.complete_jobs(["1"])  # type: ignore[list-item]
    await utils.reschedule_jobs([job], run_at="now")  # type: ignore[arg-type]
    await utils.cleanup(["gc-job-queues"])  # type: ignore[list-item]


def without_await(utils: SyncWorkerUtils) -> None:
    assert_type(utils.add_job(send, Mail("a")), Job)
    assert_type(utils.add_job(refresh), Job)
    assert_type(utils.add_job(Resize, Resize(width=3)), Job)
    assert_type(utils.add_jobs(send, [Mail("a")]), list[Job])
    assert_type(utils.add_jobs(jobs()), list[Job])
    assert_type(utils.add_batch_job(notify, [Mail("a")]), Job)
    assert_type(utils.add_jobs_stream(jobs()), int)
    with SyncWorkerUtils.connect("") as opened:
        assert_type(opened, SyncWorkerUtils)

    utils.add_job(send, "a")  # type: ignore[misc]
    utils.add_job(send)  # type: ignore[arg-type]
    utils.add_jobs(send, ["a"])  # type: ignore[misc]
    utils.add_jobs_stream(jobs_later())  # type: ignore[arg-type]
    utils.add_batch_job(notify, ["a"])  # type: ignore[misc]
