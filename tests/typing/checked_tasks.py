"""What a type checker says about tasks; never run. See `test_typing`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from graphile_worker import (
    JobDefinition,
    JobSpec,
    NewJob,
    SyncWorkerContext,
    WorkerContext,
    batch_task,
    task,
    task_ref,
)


@dataclass
class SendEmail:
    to: str


@dataclass
class Report:
    day: str


# A task's payload is its function's first parameter.


@task
async def send_email(payload: SendEmail, ctx: WorkerContext) -> None: ...


@task("reports:daily", spec=JobSpec(max_attempts=5), timeout=timedelta(minutes=2))
def build_report(payload: Report, ctx: SyncWorkerContext) -> int:
    return 1


@task(executor="process")
def without_ctx(payload: Report) -> None: ...


@task
def takes_builtin(payload: dict[str, int]) -> None: ...


@task
def takes_union(payload: int | str) -> None: ...


assert_type(send_email.job(SendEmail("a")), NewJob)
build_report.job(Report("2026-01-01"), JobSpec(priority=1))
without_ctx.job(Report("2026-01-01"))
takes_builtin.job({"a": 1})
takes_union.job("a")
takes_union.job(1)

send_email.job(Report("2026-01-01"))  # type: ignore[arg-type]
send_email.job({"to": "a"})  # type: ignore[arg-type]
send_email.job()  # type: ignore[call-arg]
build_report.job(SendEmail("a"))  # type: ignore[arg-type]
without_ctx.job(None)  # type: ignore[arg-type]
takes_builtin.job({"a": "b"})  # type: ignore[dict-item]
takes_union.job(1.5)  # type: ignore[arg-type]

# Calling a task is calling its function.


async def call(ctx: WorkerContext, sync_ctx: SyncWorkerContext) -> None:
    await send_email(SendEmail("a"), ctx)
    await send_email(SendEmail("a"), ctx=ctx)
    assert_type(build_report(Report("2026-01-01"), sync_ctx), int)
    without_ctx(Report("2026-01-01"))
    without_ctx(SendEmail("a"))  # type: ignore[arg-type]
    build_report(Report("2026-01-01"))  # type: ignore[call-arg]


# No payload.


@task(payload=None)
async def refresh(ctx: WorkerContext) -> None: ...


@task
async def refresh_by_annotation(ctx: WorkerContext) -> None: ...


@task
def refresh_in_thread(ctx: SyncWorkerContext) -> None: ...


@task("refresh")
async def refresh_with_name(ctx: WorkerContext) -> None: ...


@task
async def refresh_bare() -> None: ...


refresh.job()
refresh.job(None)
refresh.job(spec=JobSpec(priority=1))
refresh_by_annotation.job()
refresh_in_thread.job()
refresh_with_name.job()
refresh_bare.job()
refresh.job(1)  # type: ignore[call-overload]
refresh_by_annotation.job(SendEmail("a"))  # type: ignore[call-overload]
refresh_bare.job({})  # type: ignore[call-overload]

# Payloads of any type.


@task
async def takes_any(payload: Any, ctx: WorkerContext) -> None: ...


@task
async def takes_any_alone(payload: Any) -> None: ...


@task
async def takes_object(payload: object) -> None: ...


@task(payload=SendEmail)
def typed_by_decorator(payload, ctx):  # type: ignore[no-untyped-def]
    ...


takes_any.job({"a": [1]})
takes_any_alone.job({"a": [1]})
takes_object.job({"a": [1]})
typed_by_decorator.job(SendEmail("a"))
typed_by_decorator.job({"to": "a"})  # type: ignore[arg-type]

# Batch tasks.


@batch_task
async def notify(items: list[SendEmail], ctx: WorkerContext) -> Sequence[Exception | None] | None:
    return None


@batch_task("notify:threads", spec=JobSpec(max_attempts=3))
def notify_in_threads(items: Sequence[SendEmail]) -> list[ValueError | None]:
    return [None for _ in items]


@batch_task
def notify_all(items: list[SendEmail]) -> None: ...


notify.job([SendEmail("a")])
notify_in_threads.job([SendEmail("a")])
notify_all.job([SendEmail("a")])
assert_type(notify.item, type[SendEmail])
notify.job([Report("2026-01-01")])  # type: ignore[list-item]
notify.job(SendEmail("a"))  # type: ignore[arg-type]


@batch_task  # type: ignore[arg-type]
def takes_no_list(item: SendEmail) -> None: ...


@batch_task  # type: ignore[type-var]
def returns_nonsense(items: list[SendEmail]) -> int:
    return len(items)


# References.

reference = task_ref("send_email", SendEmail, spec=JobSpec(priority=1))
assert_type(reference, JobDefinition[SendEmail])
reference.job(SendEmail("a"))
reference.job({"to": "a"})  # type: ignore[arg-type]
assert_type(task_ref("refresh", None), JobDefinition[None])
assert_type(task_ref("notify", list[SendEmail]), JobDefinition[list[SendEmail]])
task_ref("notify", list[SendEmail]).job([Report("2026-01-01")])  # type: ignore[list-item]
task_ref("anything").job({"a": 1})

# Options.

task("x", executor="elsewhere")  # type: ignore[call-overload]
task("x", timeout="2 minutes")  # type: ignore[call-overload]


def accepts(definition: JobDefinition[SendEmail]) -> None: ...


accepts(send_email)
accepts(build_report)  # type: ignore[arg-type]
