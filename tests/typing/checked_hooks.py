"""What a type checker says about hooks; never run. See `test_typing`."""

from __future__ import annotations

from graphile_worker import (
    AfterJobRun,
    BeforeJobRun,
    BeforeJobSchedule,
    HookRegistry,
    HookResult,
    JobComplete,
    JobFail,
    JobRecovery,
    JobRecoveryResult,
    JobScheduleResult,
    Plugin,
    WorkerOptions,
    WorkerStart,
)


def show(*values: object) -> None: ...


hooks = HookRegistry()
options = WorkerOptions()


def plain(event: JobComplete) -> None:
    show(event.duration.total_seconds(), event.job.task_identifier)


async def coroutine(event: JobComplete) -> None: ...


def answers(event: JobComplete) -> HookResult:
    return HookResult.CONTINUE


async def either(event: BeforeJobRun | AfterJobRun) -> HookResult | None:
    return HookResult.fail("why")


def recovery(event: JobRecovery) -> JobRecoveryResult:
    return JobRecoveryResult.SKIP


def schedule(event: BeforeJobSchedule) -> JobScheduleResult | None:
    return JobScheduleResult.proceed(event.payload)


async def async_schedule(event: BeforeJobSchedule) -> None: ...


# Observers: plain or async, and their event.

hooks.on(JobComplete, plain)
hooks.on(JobComplete, coroutine)
hooks.on(JobComplete, lambda event: show(event.duration))
hooks.on(JobFail, lambda event: show(event.error, event.will_retry))
hooks.on(JobFail, plain)  # type: ignore[arg-type]
hooks.on(JobComplete, answers)  # type: ignore[arg-type]
hooks.on(JobComplete, lambda event: show(event.error))  # type: ignore[attr-defined]
hooks.on(int, plain)  # type: ignore[arg-type, type-var]

# Interceptors, and what they answer.

hooks.on(BeforeJobRun, either)
hooks.on(AfterJobRun, either)
hooks.on(AfterJobRun, lambda event: HookResult.skip() if event.result else None)
hooks.on(JobRecovery, recovery)
hooks.on(BeforeJobSchedule, schedule)
hooks.on(JobRecovery, either)  # type: ignore[arg-type, type-var]
hooks.on(BeforeJobRun, recovery)  # type: ignore[arg-type, type-var]
hooks.on(BeforeJobSchedule, async_schedule)  # type: ignore[type-var]

# As decorators.


@hooks.on(JobFail)
def decorated(event: JobFail) -> None: ...


@hooks.on(BeforeJobRun)
async def decorated_interceptor(event: BeforeJobRun) -> HookResult | None:
    return None


@hooks.on(JobFail)  # type: ignore[arg-type]
def of_another_event(event: JobComplete) -> None: ...


@hooks.on(BeforeJobRun)  # type: ignore[arg-type]
def of_another_answer(event: BeforeJobRun) -> bool:
    return True


# Chained, and in plugins.

options.on(JobComplete, plain).on(BeforeJobRun, either).on(BeforeJobSchedule, schedule)
options.on(JobFail, plain)  # type: ignore[arg-type]


class Metrics(Plugin):
    def register(self, hooks: HookRegistry) -> None:
        hooks.on(JobComplete, self.completed)
        hooks.on(WorkerStart, self.completed)  # type: ignore[arg-type]

    def completed(self, event: JobComplete) -> None: ...


class Duck:
    def register(self, hooks: HookRegistry) -> None: ...


class NoPlugin:
    def register(self) -> None: ...


options.add_plugin(Metrics()).add_plugin(Duck())
options.add_plugin(NoPlugin())  # type: ignore[arg-type]
WorkerOptions(plugins=[Metrics(), Duck()], hooks=hooks)
