"""What `run` writes to stderr, as text and as JSON."""

from __future__ import annotations

import json

import pytest

from graphile_worker import WorkerUtils

MODULE = """
import logging
from graphile_worker import task

@task
async def talk(payload: str) -> None:
    logging.getLogger("app").info("hello from the handler")

logging.basicConfig(format="own: %(message)s", level="INFO") if SETUP else None
"""


@pytest.fixture
async def one_job(migrated_database):
    async with WorkerUtils.connect(migrated_database) as utils:
        return await utils.add_raw_job("talk", "s3cret")


@pytest.fixture
def run(cli, tmp_path, one_job, migrated_database):
    def run(*arguments: str, own_setup: bool = False) -> list[str]:
        (tmp_path / "talking.py").write_text(MODULE.replace("SETUP", str(own_setup)))
        command = ("run", "talking:talk", "--once", "--database-url", migrated_database)
        ended = cli(*command, *arguments)
        assert ended.code == 0, ended.err
        assert "s3cret" not in ended.err
        return ended.err.splitlines()

    return run


def test_text_names_the_job_of_a_handlers_line(run, one_job):
    [line] = [line for line in run() if "hello" in line]
    assert line.endswith(f"INFO    hello from the handler [job {one_job.id} talk, attempt 1]")


def test_json_is_json_line_by_line(run, one_job):
    lines = [json.loads(line) for line in run("--log-format", "json", "--log-events")]
    [hello] = [line for line in lines if line["logger"] == "app"]
    assert (hello["job_id"], hello["task_identifier"]) == (one_job.id, "talk")
    events = [line["event"] for line in lines if "event" in line]
    assert events == ["WorkerInit", "JobComplete"]


def test_every_event_at_debug(run):
    lines = run("--log-events", "--log-level", "debug")
    assert [line for line in lines if " started [job " in line]


def test_a_set_up_of_the_users_own_is_left_alone(run):
    assert "own: hello from the handler" in run(own_setup=True)


def test_unless_a_format_is_asked_for(run):
    lines = run("--log-format", "json", own_setup=True)
    assert all(json.loads(line)["level"] for line in lines)
