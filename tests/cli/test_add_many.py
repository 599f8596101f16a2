"""`add --from-ndjson`."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path

import pytest
from support.eventually import eventually

from graphile_worker import SyncWorkerUtils


@pytest.fixture
def gw(here, migrated_database, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", migrated_database)
    monkeypatch.chdir(tmp_path)
    return here


def listed(gw, *arguments: str) -> list[dict]:
    return json.loads(gw("list", "--json", *arguments).out)


def test_jobs_of_a_file(gw, tmp_path):
    (tmp_path / "jobs").write_bytes(
        b'\xef\xbb\xbf{"identifier": "a", "payload": 1}\n\n'
        b'{"identifier": "b", "priority": 2, "run_at": "+1h"}\r\n{"identifier": "c"}'
    )
    ended = gw("add", "--from-ndjson", "jobs", "--queue", "q", "--priority", "7")
    assert (ended.code, ended.out, ended.err) == (0, "Added 3 job(s)\n", "")
    jobs = sorted(listed(gw), key=lambda job: job["task_identifier"])
    assert [job["task_identifier"] for job in jobs] == ["a", "b", "c"]
    assert [job["priority"] for job in jobs] == [7, 2, 7]
    assert [job["payload"] for job in jobs] == [1, {}, {}]
    assert {job["queue_name"] for job in jobs} == {"q"}


def test_payloads_of_standard_input(cli, gw, migrated_database):
    named = {"DATABASE_URL": migrated_database}
    ended = cli("add", "t", "--from-ndjson", "-", "--json", given="1\n2\n3\n", env=named)
    assert (ended.code, json.loads(ended.out), ended.err) == (0, {"added": 3}, "")
    assert [job["payload"] for job in listed(gw)] == [1, 2, 3]
    nothing = cli("add", "t", "--from-ndjson", "-", env=named)
    assert (nothing.code, nothing.out) == (0, "Added 0 job(s)\n")


def test_the_line_that_is_wrong_is_named_and_those_of_earlier_chunks_are_in(gw, tmp_path):
    (tmp_path / "jobs").write_text('{"identifier": "a"}\n' * 5 + "\n{nonsense\n")
    ended = gw("add", "--from-ndjson", "jobs", "--chunk-size", "2")
    assert (ended.code, ended.out) == (1, "")
    warning, error = ended.err.splitlines()
    assert warning == "Warning: 4 job(s) were added before it ended"
    assert error.startswith("Error: jobs, line 7: ")
    assert len(listed(gw)) == 4
    as_json = gw("add", "--from-ndjson", "jobs", "--json")
    assert json.loads(as_json.err)["error"].startswith("jobs, line 7: ")
    assert len(listed(gw)) == 4


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--from-ndjson", "nowhere"], 1, "failed to read nowhere: No such file"),
        (["--from-ndjson", "."], 1, "failed to read .: Is a directory"),
        (["--from-ndjson", "x", "--key", "k"], 2, "--key is for one job; --from-ndjson adds many"),
        (["t", "--from-ndjson", "x", "--payload", "1"], 2, "--payload is for one job"),
        (["--from-ndjson", "x", "--queue", "q" * 200], 2, "queue_name must be at most 128"),
        (["", "--from-ndjson", "x"], 2, "task identifier must not be empty"),
        (["--from-ndjson", "x", "--chunk-size", "0"], 2, "0 is not in the range"),
        (["t", "--chunk-size", "9"], 2, "--chunk-size needs --from-ndjson"),
    ],
)
def test_wrong_use(here, arguments, code, message):
    ended = here("add", *arguments)
    assert ended.code == code
    assert message in ended.err
    assert len([line for line in ended.err.splitlines() if "Error" in line]) == 1


def test_standard_input_that_cannot_be_read(start, tmp_path):
    with (tmp_path / "for_writing").open("w") as file:
        process = start("add", "t", "--from-ndjson", "-", stdin=file)
    assert process.communicate(timeout=20) == (
        "",
        "Error: failed to read standard input: Bad file descriptor\n",
    )


def test_a_terminal_shows_how_far_it_is(at_terminal, tmp_path, migrated_database):
    (tmp_path / "jobs").write_text('{"identifier": "a"}\n' * 2000)
    ended = at_terminal(
        *("add", "--from-ndjson", "jobs", "--chunk-size", "500"),
        env={"DATABASE_URL": migrated_database},
    )
    assert ended.code == 0
    assert "2,000 jobs" in ended.out
    assert "100%" in ended.out
    assert ended.out.endswith("Added 2000 job(s)\n")


def test_lines_are_added_while_the_source_goes_on_and_ctrl_c_ends_it(start, migrated_database):
    process = start(
        *("add", "t", "--from-ndjson", "-", "--chunk-size", "1"),
        env={"DATABASE_URL": migrated_database},
    )
    process.stdin.write("1\n2\n3\n")
    process.stdin.flush()
    with SyncWorkerUtils.connect(migrated_database) as utils:
        eventually(lambda: utils.stats().total >= 2)
        added = utils.stats().total
    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)
    assert process.returncode == 130
    assert "job(s) were added before it ended" in process.stderr.read()
    assert added >= 2


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_memory_does_not_grow_with_the_number_of_lines(start, migrated_database):
    line = json.dumps({"identifier": "a", "payload": "x" * 1000}) + "\n"
    named = {"DATABASE_URL": migrated_database}
    process = start("add", "--from-ndjson", "-", "--chunk-size", "500", env=named)
    peaks = []
    with SyncWorkerUtils.connect(migrated_database) as utils:
        for count in (2_000, 22_000):
            process.stdin.write(line * (count - utils.stats().total))
            process.stdin.flush()
            eventually(lambda count=count: utils.stats().total >= count)
            peaks.append(peak_of(process.pid))
    assert peaks[1] - peaks[0] < len(line) * 20_000 / 4
    assert process.communicate(timeout=20)[0] == "Added 22000 job(s)\n"


def peak_of(pid: int) -> int:
    """The most memory a process ever had, in bytes."""
    [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(kilobytes) * 1024
