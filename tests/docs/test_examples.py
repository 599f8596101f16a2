"""Every example runs to its end and prints what its comments promise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest
from support.command_line import environment
from support.doc_blocks import ROOT

EXAMPLES = ROOT / "examples"

PRINTED = {
    "adding_in_a_web_handler": """\
        statuses: [202, 202]
        one job: True
        welcome, ada@example.com""",
    "batches": """\
        attempt 1: ['ada', 'bob', 'cy']
        attempt 2: ['bob']
        stored error of the attempt before: 1 batch item(s) failed: 1: ConnectionError: busy
        1 completed, 1 retried""",
    "cron": """\
        0 8 * * * send_digest ?id=morning&fill=1h&tz=Europe/Paris {"account_id":42}
        28 07:00, 29 06:00, 30 06:00
        * * * * * send_digest ?id=often {"account_id":7}
        28 00:00, 28 00:01, 28 00:02""",
    "exactly_once": """\
        attempt 1: written
        attempt 2: written
        charges: 1""",
    "job_keys": """\
        the same job: True | moved: True
        payload: three letters | moved: False
        payload: three letters | revision: 3
        saved: the whole text
        removed: not needed
        removed again: None""",
    "logging_plugin": """\
        INFO poll: done
        INFO poll: again in 0:01:30
        WARNING poll: failed (attempt 1 of 25): ConnectionError: nobody answers""",
    "metrics_plugin": """\
        started: 4
        completed: 2
        failed: 2""",
    "local_queue": """\
        jobs run: 1000
        left in the table: 0""",
    "payload_types": """\
        refused: $[0]: nan is not a JSON number
        dataclass: 7 2030
        TypedDict: Main Street 1
        NamedTuple: 1.5 2.5
        Struct: cat.png 800
        union: 3
        dict: ['what', 'who']
        no payload: {}""",
    "quickstart": """\
        attempt 1: to ada@example.com: Hello
        1 completed""",
    "retries": """\
        slow: attempt 1, error before: None
        down: attempt 1, error before: None
        slow: attempt 2, error before: ConnectionError: slow does not answer
        down: attempt 2, error before: ConnectionError: down does not answer
        slow: attempt 3, error before: ConnectionError: slow does not answer
        failed after 2 attempts: ConnectionError: down does not answer""",
    "serial_queue": """\
        account 1: charge 0
        account 1: charge 1
        account 1: charge 2
        at once in account 1: 1
        at once without a queue: 3""",
    "shared_objects": """\
        sent to ['ada', 'bob']""",
    "shutdown_of_the_host": """\
        SIGTERM
        the handler tidies up
        stopped""",
    "streaming": """\
        added: 12000
        again: 12000
        waiting: 12000""",
    "task_classes": """\
        resize: cat.png to 640 pixels""",
    "threads_and_processes": """\
        async def: the main thread True
        def: another thread True
        process: another process True 332833500
        3 completed""",
    "timeouts_and_snooze": """\
        attempt 1
        hang: scheduled, attempts 1, error: TimeoutError: 0.1 s
        poll: scheduled, attempts 0, error: None
        import_file: failed, attempts 25, error: cat.png is not a CSV file""",
    "transactional_enqueue": """\
        no order, no job: True
        shipping order 1""",
    "validation_plugin": """\
        JobScheduleFailed: the job 'bill' was not added: every job belongs to an account
        JobScheduleSkipped: a hook skipped adding the job 'bill'
        billed: {'source': 'web', 'account': 1}
        refused: dry runs are not supported""",
}

UNORDERED = {"logging_plugin", "payload_types", "threads_and_processes", "retries"}
"""Several jobs run at once, or may overtake one another on a crowded machine."""


def test_no_example_is_left_out() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_on_a_database(name: str, gw_database: str) -> None:
    assert lines(name, run(name, {"DATABASE_URL": gw_database})) == lines(name, PRINTED[name])


def test_an_example_without_any_database() -> None:
    """The one with two pools; they share a server because the URL names its folder."""
    name = "adding_in_a_web_handler"
    assert lines(name, run(name, {})) == lines(name, PRINTED[name])


def run(name: str, variables: Mapping[str, str]) -> str:
    ended = subprocess.run(
        [sys.executable, f"{name}.py"],
        cwd=EXAMPLES,
        env=environment({"PYTHONWARNINGS": "error", "PYTHONDONTWRITEBYTECODE": "1", **variables}),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def lines(name: str, text: str) -> list[str]:
    found = [line.strip() for line in text.strip().splitlines()]
    return sorted(found) if name in UNORDERED else found
