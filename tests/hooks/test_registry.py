"""Registering handlers, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.recorder import ALL, Recorder

from graphile_worker import (
    BeforeJobRun,
    BeforeJobSchedule,
    ConfigurationError,
    CronTick,
    HookRegistry,
    HookResult,
    JobComplete,
    JobRecoveryResult,
    Plugin,
    WorkerOptions,
    WorkerStart,
    task,
)
from graphile_worker.hooks.dispatch import frozen
from graphile_worker.hooks.events import ObserverEvent


def test_handlers_are_kept_in_the_order_of_their_registration() -> None:
    hooks = HookRegistry()

    def first(event: JobComplete) -> None: ...

    @hooks.on(JobComplete)
    async def second(event: JobComplete) -> None: ...

    assert hooks.on(JobComplete, first) is first
    assert hooks.handlers(JobComplete) == (second, first)
    assert hooks.handlers(WorkerStart) == ()


def test_a_copy_goes_its_own_way() -> None:
    hooks = HookRegistry()
    copy = hooks.copy()
    copy.on(CronTick, lambda _: None)
    assert len(copy.handlers(CronTick)) == 1
    assert hooks.handlers(CronTick) == ()


@pytest.mark.parametrize("event", [ObserverEvent, int, "JobComplete", None])
def test_what_is_no_event_is_refused(event) -> None:
    with pytest.raises(ConfigurationError, match="takes the class of an event"):
        HookRegistry().on(event, print)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="handler of JobComplete must be a function"):
        HookRegistry().on(JobComplete, "print")  # type: ignore[call-overload]


def test_before_job_schedule_takes_no_coroutines() -> None:
    async def handler(event: BeforeJobSchedule) -> None: ...

    class Callable:
        async def __call__(self, event: BeforeJobSchedule) -> None: ...

    for refused in (handler, Callable()):
        with pytest.raises(ConfigurationError, match="must be a plain function"):
            HookRegistry().on(BeforeJobSchedule, refused)  # type: ignore[call-overload]


def test_options_chain_and_leave_the_first_as_they_were() -> None:
    recorder, other = Recorder([CronTick]), Recorder([CronTick])
    first = WorkerOptions(hooks=HookRegistry())
    second = first.add_plugin(recorder).on(CronTick, print).add_plugin(other)
    assert first.hooks is not None
    assert first.hooks.handlers(CronTick) == ()
    assert second.hooks is not None
    assert second.hooks.handlers(CronTick) == (
        recorder.events.append,
        print,
        other.events.append,
    )


def test_a_plugin_is_an_object_with_register() -> None:
    class Idle(Plugin):
        def register(self, hooks: HookRegistry) -> None: ...

    with pytest.raises(ConfigurationError, match=r"got the class .*Idle: write"):
        WorkerOptions(plugins=[Idle])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match=r"method register\(hooks\), which 3 has not"):
        WorkerOptions(plugins=[3])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match="hooks must be a HookRegistry, got 3"):
        WorkerOptions(hooks=3)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="hook_timeout must be more than 0"):
        WorkerOptions(hook_timeout=0)


def test_a_table_has_none_where_nobody_listens() -> None:
    table = frozen(HookRegistry(), 1.0)
    assert all(getattr(table, field) is None for field in table.__slots__)
    assert len(table.__slots__) == len(ALL) - 1, "BeforeJobSchedule is the utils' own"
    assert not table.watch_jobs
    hooks = HookRegistry()
    Recorder().register(hooks)
    full = frozen(hooks, 1.0)
    assert all(getattr(full, field) is not None for field in full.__slots__)
    assert full.watch_jobs


async def test_what_is_registered_after_init_is_not_seen(gw_database: str) -> None:
    hooks = HookRegistry()
    seen: list[object] = []

    @task(payload=None)
    async def work() -> None: ...

    options = WorkerOptions(database_url=gw_database, tasks=[work], hooks=hooks)
    async with options.init() as worker:
        hooks.on(JobComplete, seen.append)
        await worker.create_utils().add_job(work)
        assert (await worker.run_once()).completed == 1
    assert seen == []


def test_answers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="run_at must have a time zone"):
        JobRecoveryResult.reschedule(datetime(2030, 1, 1))  # noqa: DTZ001
    with pytest.raises(ConfigurationError, match="attempts must be between 0 and 32767, got -1"):
        JobRecoveryResult.reschedule(datetime.now(UTC), -1)
    assert HookResult.skip() == HookResult.skip() != HookResult.CONTINUE
    assert HookResult.fail("a") != HookResult.fail("b")
    assert BeforeJobRun is not None
