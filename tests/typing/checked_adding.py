"""What a type checker says about adding jobs; never run. See `test_typing`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, assert_type

from graphile_worker import (
    Job,
    JobSpec,
    RawJobSpec,
    SyncWorkerContext,
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
