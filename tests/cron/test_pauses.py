"""Paused entries: no job meanwhile, and none for the time of the pause afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta

from support.running import running, until

from graphile_worker import Worker, WorkerUtils, task

MINUTE = timedelta(minutes=1)


class Known:
    """What a worker knows of pauses."""

    def __init__(self) -> None:
        self.paused: set[str] = set()
        self.resumed: dict[str, datetime] = {}

    def is_paused(self, identifier: str, /) -> bool:
        return identifier in self.paused

    def resumed_at(self, identifier: str, /) -> datetime | None:
        return self.resumed.get(identifier)


async def test_the_runs_of_a_pause_are_left_out_and_others_go_on(stage):
    pauses, start = Known(), stage.clock.time
    async with stage.scheduling("* * * * * report\n* * * * * other", pauses=pauses):
        await stage.clock.go_on_until(start + MINUTE)
        pauses.paused.add("report")
        await stage.clock.go_on_until(start + 3 * MINUTE)
        pauses.paused.clear()
        await stage.clock.go_on_until(start + 4 * MINUTE)
    assert [run for run in await stage.runs() if run.startswith("report")] == [
        "report 08:00",
        "report 08:01",
        "report 08:04",
    ]
    assert len([run for run in await stage.runs() if run.startswith("other")]) == 5


async def test_a_worker_that_starts_after_a_pause_does_not_make_up_for_it(stage):
    pauses, start = Known(), stage.clock.time
    await stage.remember("report", start - 60 * MINUTE, start - 30 * MINUTE)
    pauses.resumed["report"] = start - 2 * MINUTE
    async with stage.scheduling("* * * * * report ?fill=1h", pauses=pauses):
        assert await stage.runs() == ["report 07:58*", "report 07:59*", "report 08:00"]


async def test_a_minute_in_which_all_is_paused_is_no_statement(stage):
    pauses = Known()
    pauses.paused.add("report")
    async with stage.scheduling("* * * * * report", pauses=pauses):
        await stage.clock.go_on_until(stage.clock.time + 2 * MINUTE)
    assert await stage.runs() == []
    assert (await stage.known())["report"][1] is None


@task(payload=None)
async def report() -> None: ...


async def test_workers_hear_of_a_paused_entry(gw_database: str) -> None:
    async with running(gw_database, tasks=[report], crons="0 0 1 1 * report ?id=yearly") as worker:
        utils = worker.create_utils()
        await utils.pause_cron("yearly", by="ada")
        await until(lambda: knows(worker, utils, paused=True))
        assert [pause.name for pause in (await utils.paused()).crons] == ["yearly"]
        assert await utils.resume_cron("yearly")
        await until(lambda: knows(worker, utils, paused=False))
        assert worker._services.pauses.resumed_at("yearly") is not None
        assert (await utils.paused()).crons == []


async def knows(worker: Worker, utils: WorkerUtils, *, paused: bool) -> bool:
    return worker._services.pauses.is_paused("yearly") is paused
