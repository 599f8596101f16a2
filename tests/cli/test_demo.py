from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
from collections import Counter

import pytest
from support.command_line import PROGRAM, environment
from support.help_examples import examples_of

from graphile_worker.cli import demo_tasks as tasks
from graphile_worker.cli.demo_checks import checks
from graphile_worker.cli.demo_jobs import ITEMS, Plan
from graphile_worker.cli.demo_ledger import Ledger


def test_it_runs_its_jobs_and_checks_them(cli, tmp_path):
    elsewhere = {"DATABASE_URL": "postgres://127.0.0.1:1/never_used"}
    [example] = examples_of("demo")
    ended = cli(*example, env=elsewhere)
    assert ended.code == 0, ended.err
    assert ended.err == ""
    assert ended.out.count("✓") == 5
    assert "Added 500 jobs" in ended.out
    assert "nothing is left" in ended.out
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_it_draws(on_terminal, migrated_database):
    ended = on_terminal("demo", "--jobs", "200", "--database-url", migrated_database)
    assert ended.code == 0, ended.err
    assert "jobs/s" in ended.out
    assert "━" in ended.out
    assert "200 of 200" in re.sub(r"\x1b\[[0-9;]*m", "", ended.out)


def test_a_plain_log_needs_no_unicode(cli, migrated_database):
    plain = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    ended = cli("demo", "--jobs", "20", "--database-url", migrated_database, env=plain)
    assert ended.code == 0, ended.err
    assert ended.out.isascii()
    assert "\\" not in ended.out
    assert ended.out.count("  ok ") == 5


def test_with_keep_it_stays_and_runs_what_others_add(start, migrated_database):
    process = start("demo", "--keep", "--jobs", "20", "--database-url", migrated_database)
    lines = list(iter(process.stdout.readline, "Jobs run since:\n"))
    said = "".join(lines)
    assert "until Ctrl-C" in said
    [url] = re.findall(r"export DATABASE_URL=(.*)", said)
    assert shlex.split(url) == [migrated_database]
    [command] = re.findall(r"\S+ (add send_email .*)", said)
    subprocess.run(
        [*PROGRAM, *shlex.split(command)],
        env=environment({"DATABASE_URL": migrated_database}),
        check=True,
        capture_output=True,
    )
    assert process.stdout.readline() == "  send_email to you@example.com\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("\n", "")
    assert process.returncode == 0


def test_what_is_kept_is_in_a_place_of_its_own(cli, start, tmp_path):
    """The database that `embedded:` names is the user's, and may have jobs for `send_email`."""
    ours = {"DATABASE_URL": "embedded:"}
    assert cli("migrate", env=ours).code == 0
    assert cli("add", "send_email", env=ours).code == 0
    process = start("demo", "--keep", "--jobs", "20", env=ours)
    said = "".join(iter(process.stdout.readline, "Jobs run since:\n"))
    [url] = re.findall(r"export DATABASE_URL=(.*)", said)
    theirs = {"DATABASE_URL": shlex.split(url)[0]}
    assert json.loads(cli("stats", "--json", env=theirs).out)["total"] == 0
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("\n", "")
    assert json.loads(cli("stats", "--json", env=ours).out)["ready"] == 1
    kept = {"DATABASE_URL": f"embedded://{tmp_path}/.graphile-worker/demo"}
    assert json.loads(cli("stats", "--json", env=kept).out)["total"] == 0


def test_ctrl_c_ends_it_before_it_is_done(start, migrated_database):
    process = start("demo", "--jobs", "3000", "--database-url", migrated_database)
    while not process.stdout.readline().startswith("Added"):
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in out + err


def test_without_the_extra_it_says_how_to_get_it(cli, tmp_path):
    """No PostgreSQL anywhere: neither the extra's package nor programs of the system."""
    (tmp_path / "sitecustomize.py").write_text(
        "from graphile_worker.embedded import binaries\n"
        "binaries._candidates = lambda environ: iter(())\n"
    )
    bare = {"PYTHONPATH": str(tmp_path), "PATH": str(tmp_path)}
    ended = cli("demo", env=bare)
    assert ended.code == 1
    [line] = ended.err.splitlines()
    assert line.startswith("Error: ")
    assert "pip install 'graphile-worker[embedded]'" in line


# -- the checks find what they look for ---------------------------------------------------------


PLAN = Plan.of(300)


@pytest.fixture
def ledger() -> Ledger:
    """What a good run of the plan leaves behind."""
    ledger = Ledger("run", lambda *_: None)
    for task, count in PLAN.finished.items():
        ledger.finished[task] = Counter(range(count))
    ledger.failed["charge_card"] = Counter(range(PLAN.charges))
    ledger.failed["send_newsletters"] = Counter(range(0, PLAN.newsletters * ITEMS, 10))
    ledger.order = list(range(PLAN.bookings))
    ledger.at_once = 1
    return ledger


def broken(ledger: Ledger, *, left: int = 0) -> list[int]:
    return [i for i, check in enumerate(checks(PLAN, ledger, left=left)) if not check.holds]


def test_a_good_run_passes(ledger):
    assert PLAN.total == 300
    assert len(PLAN.jobs("run")) == 300
    assert broken(ledger) == []


def test_jobs_that_stay_are_found(ledger):
    assert broken(ledger, left=1) == [0]


def test_a_job_that_ran_twice_is_found(ledger):
    ledger.count_finished("send_email", "run", 3, "")
    assert broken(ledger) == [1]


def test_a_missing_retry_is_found(ledger):
    del ledger.failed["charge_card"][0]
    assert broken(ledger) == [2]


def test_items_that_came_again_without_need_are_found(ledger):
    ledger.finished["send_newsletters"][1] += 1
    assert broken(ledger) == [1, 3]


def test_a_queue_out_of_order_is_found(ledger):
    ledger.order.reverse()
    assert broken(ledger) == [4]


def test_two_at_once_are_found(ledger):
    with ledger.one_at_a_time("other", 0), ledger.one_at_a_time("other", 1):
        pass
    assert broken(ledger) == [4]


def test_jobs_of_others_are_told_and_not_counted(ledger):
    told = []
    stranger = Ledger("run", lambda *what: told.append(what))
    stranger.count_finished("send_email", "", 0, "to you")
    stranger.count_failed("send_email", "", 0)
    assert told == [("send_email", "to you")]
    assert not stranger.finished
    assert not stranger.failed


def test_the_tasks_are_what_the_plan_counts():
    assert {task.identifier for task in tasks.TASKS} == set(PLAN.finished)
