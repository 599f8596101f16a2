"""Options from a file, and `config show`."""

from __future__ import annotations

import json

import pytest

from graphile_worker import ConfigurationError
from graphile_worker.cli.config_file import read_config


def write(path, text):
    path.write_text(text)
    return path


def test_the_table_of_a_pyproject_or_a_file_of_its_own(tmp_path):
    text = (
        'concurrency = 9\npoll-interval = "250ms"\nforbidden_flags = ["a", "b"]\nrecovery = false'
    )
    own = write(tmp_path / "worker.toml", text)
    table = write(tmp_path / "pyproject.toml", f"[project]\n[tool.graphile_worker]\n{text}")
    read = read_config(own)
    assert read == read_config(table)
    assert (read["concurrency"], read["forbidden_flags"]) == (9, ("a", "b"))
    assert (read["poll_interval"].total_seconds(), read["recovery"]) == (0.25, False)


def test_paths_are_those_of_the_file(tmp_path):
    path = write(tmp_path / "worker.toml", 'crontab = "crontab"\ntasks_dir = "tasks"')
    assert read_config(path) == {
        "crontab": (str(tmp_path / "crontab"),),
        "tasks_dir": str(tmp_path / "tasks"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("concurency = 1", "there is no option 'concurency'; did you mean 'concurrency'?"),
        ("x = 1", "there is no option 'x'; `graphile-worker config show` lists all"),
        ("concurrency = 0", "concurrency: 0 is not in the range x>=1"),
        ("concurrency = true", "concurrency cannot be True"),
        ('poll_interval = "soon"', "poll_interval: invalid duration `soon`"),
        ("recovery = 1", "recovery must be true or false, got 1"),
        ("schema = 1", "schema must be a text, got 1"),
        ('schema = ""', "schema must not be empty"),
        ('tasks_dir = ""', "tasks_dir: must not be empty"),
        ("forbidden_flags = [[]]", "forbidden_flags cannot be []"),
        ('max_memory_per_process = "5 apples"', "unsupported unit `apples`"),
        ("poll-interval = 1\npoll_interval = 2", "poll_interval is said twice"),
        ("x = ", "cannot read"),
        ("[tool]\ngraphile_worker = 5", "tool.graphile_worker must be a table"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_name_of_the_file(tmp_path, text, message):
    path = write(tmp_path / "worker.toml", text)
    with pytest.raises(ConfigurationError) as caught:
        read_config(path)
    assert message in str(caught.value)
    assert "worker.toml" in str(caught.value)


FILE = """
[tool.graphile_worker]
database_url = "postgres://me:secret-1@127.0.0.1/x?sslpassword=secret-2"
concurrency = 9
poll_interval = "2s"
use_notification_delivery = false
"""


def test_show_says_what_holds_and_who_says_so(cli, tasks, tmp_path):
    write(tmp_path / "pyproject.toml", FILE)
    ended = cli(
        *("--json", "config", "show", "jobs:options", "--no-recovery"),
        env={"GRAPHILE_WORKER_POLL_INTERVAL": "3s", "GRAPHILE_WORKER_CONCURRENCY": "8"},
    )
    assert ended.code == 0, ended.err
    shown = {row["option"]: (row["value"], row["from"]) for row in json.loads(ended.out)}
    assert "secret" not in ended.out
    assert shown["database_url"][1] == "file: pyproject.toml"
    assert shown["concurrency"] == (3, "code: jobs:options")
    assert shown["poll_interval"] == (3, "environment: GRAPHILE_WORKER_POLL_INTERVAL")
    assert shown["use_notification_delivery"] == (False, "file: pyproject.toml")
    assert shown["recovery"] == (False, "flag")
    assert shown["sweep_threshold"] == (300, "default")
    assert shown["loop"] == ("auto", "default")


def test_all_commands_read_the_file(here, tmp_path, monkeypatch, migrated_database):
    path = write(tmp_path / "other.toml", f'database_url = "{migrated_database}"\n')
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert here("--config", str(path), "stats").code == 0
    assert here("stats", "--config", str(path)).code == 0
    ended = here("stats", "--config", str(tmp_path / "gone.toml"))
    assert (ended.code, ended.out) == (1, "")
    assert "gone.toml" in ended.err
