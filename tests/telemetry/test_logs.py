"""The job on every line, lines as JSON, a line for each event."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.doc_blocks import ROOT, table_below
from support.recorder import ALL
from support.running import running, sql, until

from graphile_worker import JobSpec, Snooze, WorkerContext, WorkerOptions, task
from graphile_worker.hooks import events as on
from graphile_worker.hooks.reasons import LocalQueueMode
from graphile_worker.jobs.current_job import current_job
from graphile_worker.telemetry.event_log import LINES, EventLog, _log
from graphile_worker.telemetry.logs import JobFilter, JsonFormatter, TextFormatter

SECRET = "s3cret-payload"

app = logging.getLogger("app.mail")


class Lines(logging.Handler):
    """A handler as a program sets it up; keeps what it would write."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.addFilter(JobFilter())
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines(request: pytest.FixtureRequest):
    handler = Lines(getattr(request, "param", JsonFormatter)())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(level)


def of(lines: list[str], logger: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, lines) if line["logger"] == logger]


@task
async def deep(payload: str, ctx: WorkerContext) -> None:
    app.info("at once")
    await asyncio.create_task(from_a_task())
    await asyncio.to_thread(app.info, "from a thread of asyncio")
    ctx.logger.info("by the context's logger")


async def from_a_task() -> None:
    app.info("from a task")


@task("in thread")
def in_thread(payload: str) -> None:
    app.info("from a thread")


async def test_a_handlers_own_lines_carry_the_job(gw_database: str, lines: list[str]) -> None:
    options = WorkerOptions(database_url=gw_database, tasks=[deep, in_thread])
    async with options.init() as worker:
        utils = worker.create_utils()
        first = await utils.add_job(deep, SECRET)
        second = await utils.add_job(in_thread, SECRET)
        await worker.run_once()
        app.info("outside")
    *jobs, outside = of(lines, "app.mail")
    carried = {
        line["message"]: (line["job_id"], line["task_identifier"], line["attempt"]) for line in jobs
    }
    assert carried == {
        "at once": (first.id, "deep", 1),
        "from a task": (first.id, "deep", 1),
        "from a thread of asyncio": (first.id, "deep", 1),
        "from a thread": (second.id, "in thread", 1),
    }
    assert "job_id" not in outside
    [by_context] = of(lines, "graphile_worker.job")
    assert (by_context["job_id"], by_context["task_identifier"]) == (first.id, "deep")
    assert current_job() is None


@pytest.mark.parametrize("lines", [TextFormatter], indirect=True)
async def test_in_text_the_job_stands_behind_the_line(gw_database: str, lines: list[str]) -> None:
    async with WorkerOptions(database_url=gw_database, tasks=[in_thread]).init() as worker:
        job = await worker.create_utils().add_job(in_thread, SECRET)
        await worker.run_once()
    [line] = [line for line in lines if "from a thread" in line]
    assert re.fullmatch(
        rf"\S+ \S+ INFO    from a thread \[job {job.id} in thread, attempt 1\]", line
    )


def test_json_holds_what_was_given_and_is_one_line() -> None:
    logger = logging.getLogger("app.orders")
    handler = Lines(JsonFormatter())
    logger.addHandler(handler)
    given = {"order": 7, "when": datetime(2030, 1, 1, tzinfo=UTC), "none": None}
    try:
        _ = {}["two\nlines"]
    except KeyError:
        logger.exception("oh\n%s", "no", extra=given)
    logger.removeHandler(handler)
    [text] = handler.lines
    assert "\n" not in text
    line = json.loads(text)
    assert line["message"] == "oh\nno"
    assert (line["level"], line["logger"], line["order"]) == ("error", "app.orders", 7)
    assert line["when"] == "2030-01-01 00:00:00+00:00"
    assert "KeyError" in line["exception"]
    assert datetime.fromisoformat(line["time"]).tzinfo is not None
    assert "none" not in line


def test_a_line_of_json_can_be_written_anywhere() -> None:
    record = logging.makeLogRecord({"msg": "\ud800 \u00e9", "name": "app"})
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert json.loads(line)["message"] == "\ud800 \u00e9"


@task
async def act(payload: dict[str, str]) -> None:
    match payload["do"]:
        case "fail":
            raise ValueError("no luck")
        case "snooze":
            raise Snooze(90)
        case "wait":
            await asyncio.Event().wait()


async def test_every_line_about_a_job_names_it_and_none_its_payload(
    gw_database: str, lines: list[str]
) -> None:
    """All lines of all ways in which a job ends, against the table of the documentation."""

    @task
    async def robbed(payload: dict[str, str]) -> None:
        async with sql(gw_database) as connection:
            await connection.execute(
                "update graphile_worker._private_jobs set locked_by = 'another' where id = $1",
                current_job().job_id,
            )

    async with running(
        gw_database, tasks=[act, robbed], plugins=[EventLog()], shutdown_grace_period=0
    ) as worker:
        utils = worker.create_utils()
        payloads = [{"do": do, "secret": SECRET} for do in ("well", "fail", "snooze", "wait")]
        jobs = await utils.add_jobs(act, payloads)
        jobs.append(await utils.add_job(robbed, payloads[0]))
        jobs.append(await utils.add_job(act, payloads[1], JobSpec(max_attempts=1)))
        ends = {"JobComplete", "JobFail", "JobSnoozed", "JobPermanentlyFail", "JobLost"}
        await until(lambda: told(lines, ends))
    assert SECRET not in "".join(lines)
    told_of = [line for line in map(json.loads, lines) if "event" in line]
    ids = {job.id for job in jobs}
    messages = documented()
    for line in told_of:
        assert re.fullmatch(messages[line["event"]][1], line["message"]), line
        assert messages[line["event"]][0] == line["level"], line
        if line["event"].startswith("Job"):
            assert line["job_id"] in ids
            assert line["attempt"] == 1
    assert {line["event"] for line in told_of} >= {
        *ends,
        *("WorkerInit", "WorkerStart", "WorkerShutdown", "JobFetch", "BeforeJobRun", "JobStart"),
        *("AfterJobRun", "JobRecovery", "JobInterrupted", "BeforeJobSchedule"),
    }


async def told(lines: list[str], events: set[str]) -> bool:
    return events <= {json.loads(line).get("event") for line in lines}


def documented() -> dict[str, tuple[str, str]]:
    """Level and message of each event's line; `…` stands for anything."""
    rows = table_below(ROOT / "docs" / "observability.md", "## A line for each event")
    return {
        event.strip("`"): (level, ".*".join(map(re.escape, message.strip("`").split("…"))))
        for event, level, message, _ in rows
    }


def test_the_documentation_tells_of_every_line() -> None:
    rows = table_below(ROOT / "docs" / "observability.md", "## A line for each event")
    told_by = {event.strip("`"): by for event, _, _, by in rows}
    assert list(told_by) == [event.__name__ for event in ALL]
    plugin = {event.__name__ for event in LINES}
    assert {event for event, by in told_by.items() if by == "`EventLog`"} == plugin
    levels = {event: level for event, (level, _) in documented().items()}
    for event, line in LINES.items():
        assert levels[event.__name__] == logging.getLevelName(line.level).lower()


OTHERS = [
    on.CronTick(timestamp=datetime.now(UTC), crontabs=[]),
    on.CronJobScheduled(crontab="0 8 * * * digest", scheduled_at=datetime.now(UTC)),
    on.LocalQueueInit(worker_id="w"),
    on.LocalQueueSetMode(
        worker_id="w", old_mode=LocalQueueMode.POLLING, new_mode=LocalQueueMode.WAITING
    ),
    on.LocalQueueGetJobsComplete(worker_id="w", jobs_count=3),
    on.LocalQueueReturnJobs(worker_id="w", jobs_count=3),
    on.LocalQueueRefetchDelayStart(
        worker_id="w", duration=timedelta(seconds=1), threshold=1, abort_threshold=5
    ),
    on.LocalQueueRefetchDelayAbort(worker_id="w", count=6, abort_threshold=5),
    on.LocalQueueRefetchDelayExpired(worker_id="w"),
]


@pytest.mark.parametrize("event", OTHERS, ids=lambda event: type(event).__name__)
def test_the_lines_of_cron_and_local_queue(event: Any, lines: list[str]) -> None:
    line = LINES[type(event)]
    _log(logging.getLogger(f"graphile_worker.{line.logger}"), line, event)
    [written] = map(json.loads, lines)
    level, message = documented()[type(event).__name__]
    assert re.fullmatch(message, written["message"]), written
    assert (written["event"], written["level"]) == (type(event).__name__, level)


def test_what_is_not_enabled_is_not_listened_to() -> None:
    from graphile_worker import HookRegistry

    logger = logging.getLogger("graphile_worker")
    level = logger.level
    try:
        logger.setLevel(logging.INFO)
        hooks = HookRegistry()
        EventLog().register(hooks)
        assert not hooks.handlers(on.JobStart)
        assert hooks.handlers(on.JobComplete)
    finally:
        logger.setLevel(level)


def test_no_module_of_ours_hands_a_payload_to_a_logger() -> None:
    """A line that would log one has to be written first; this looks for it."""
    calls = re.compile(r"_?logger\.\w+\((?:[^()]|\([^()]*\))*\)", re.DOTALL)
    for path in (ROOT / "src").rglob("*.py"):
        for call in calls.findall(path.read_text()):
            assert "payload" not in call, f"{path}: {call}"
