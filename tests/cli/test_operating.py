"""doctor, watch and bench: their help, and every wrong way to call them."""

from __future__ import annotations

import pytest
from support.help_examples import examples_of

from graphile_worker.cli.main import run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["doctor", "--stop-timeout", "0"], "must be more than 0"),
        (["doctor", "--stop-timeout", "a while"], "invalid duration"),
        (["doctor", "--shutdown-grace-period", "x"], "invalid duration"),
        (["doctor", "now"], "unexpected extra argument"),
        (["watch", "--interval", "0"], "must be more than 0"),
        (["watch", "--interval", "2 weeks ago"], "invalid duration"),
        (["watch", "--twice"], "No such option"),
        (["bench", "--jobs", "99"], "99 is not in the range x>=100"),
        (["bench", "--concurrency", "0"], "0 is not in the range x>=1"),
        (["bench", "--job-duration", "-1"], "invalid duration"),
    ],
)
def test_wrong_use(arguments, message, capsys):
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err


@pytest.mark.parametrize("name", ["doctor", "watch", "bench"])
def test_without_a_database_they_say_how_to_name_one(name, capsys, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert run([name]) == 1
    assert "--database-url" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["doctor", "watch", "bench"])
def test_help_ends_with_examples(name, capsys):
    assert run([name, "--help"]) == 0
    assert f"\n  Examples:\n    graphile-worker {name}" in capsys.readouterr().out
    assert all(arguments[0] == name for arguments in examples_of(name))


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_of_doctor_work(number, migrated_database, capsys, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", migrated_database)
    assert run(examples_of("doctor")[number]) == 0, capsys.readouterr()


def test_the_example_of_one_frame_works(migrated_database, capsys, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", migrated_database)
    [once] = [arguments for arguments in examples_of("watch") if "--once" in arguments]
    assert run(once) == 0, capsys.readouterr()


def test_the_grace_period_of_a_file_counts(tmp_path, migrated_database, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.graphile_worker]\nshutdown_grace_period = "1m"\n'
    )
    assert run(["doctor", "--json", "--database-url", migrated_database]) == 1
    assert "grace period 1 min, killed by Kubernetes after 30 s" in capsys.readouterr().out
