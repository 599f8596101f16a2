"""history install, status, prune and uninstall."""

from __future__ import annotations

import json
import re

import pytest

DAY = 86400.0


@pytest.fixture
def history(here, gw_database):
    return lambda *arguments: here("history", *arguments, "--database-url", gw_database)


def test_from_installing_to_uninstalling(history):
    nothing = history("status")
    assert nothing.out == "History is not installed: graphile-worker history install\n"
    assert history("status", "--json").out == "null\n"
    assert history("prune").out == "Nothing to do: not installed, or a worker is at it\n"

    installed = history("install", "--run-log", "all", "--keep-runs", "2w")
    first, *rows = installed.out.splitlines()
    assert first == "History is kept from now on, by workers that start from now on"
    assert rows[0] == "what\tkept\tbytes\tof"
    assert rows[1].startswith("samples\t30d\t")
    assert rows[-1].startswith("runs\t14d\t")
    assert rows[-1].endswith("attempts of jobs (all)")

    again = json.loads(history("install", "--keep-hours", "60d", "--json").out)
    assert again.pop("bytes").keys() == {"samples", "counts", "runs"}
    assert again == {
        "run_log": "all",
        "keep_samples": 30 * DAY,
        "keep_minutes": 2 * DAY,
        "keep_hours": 60 * DAY,
        "keep_days": 400 * DAY,
        "keep_runs": 14 * DAY,
    }
    assert history("prune").out == "Done\n"
    gone = history("uninstall", "--yes", "--json")
    assert json.loads(gone.out) == {"uninstalled": True, "left": []}
    assert history("status", "--json").out == "null\n"


@pytest.mark.parametrize("what", ["samples", "minutes", "runs"])
def test_what_is_to_be_kept_for_ever_is_kept_for_a_thousand_years(history, what):
    installed = history("install", f"--keep-{what}", "99999999d")
    assert f"\n{what}\t365250d\t" in installed.out
    pruned = history("prune")
    assert (pruned.out, pruned.err) == ("Done\n", "")


def test_uninstalling_asks_first(at_terminal, history, gw_database):
    here = {"DATABASE_URL": gw_database}
    assert history("install").code == 0
    refused = at_terminal("history", "uninstall", answer="n\n", env=here)
    assert refused.code == 1
    assert re.search(r"^  runs: \d+ bytes\nDelete all of the history\?", refused.out, re.MULTILINE)
    assert refused.out.endswith("Nothing was changed\n")
    assert history("status", "--json").out != "null\n"
    gone = at_terminal("history", "uninstall", answer="y\n", env=here)
    assert (gone.code, gone.out.endswith("\nHistory is gone\n")) == (0, True)
    again = at_terminal("history", "uninstall", env=here)
    assert (again.code, again.out) == (0, "History is gone\n")


def test_a_script_that_uninstalls_is_not_asked(cli, history, gw_database):
    assert history("install").code == 0
    gone = cli("history", "uninstall", "--json", env={"DATABASE_URL": gw_database})
    assert (gone.code, gone.err) == (0, "")
    assert json.loads(gone.out) == {"uninstalled": True, "left": []}


def test_uninstalling_tells_what_stays(here, history, gw_database):
    assert history("install").code == 0
    assert here("task", "pause", "t", "--database-url", gw_database).code == 0
    gone = history("uninstall", "--yes")
    assert gone.out == "History is gone; tables of other features stay: pause\n"
