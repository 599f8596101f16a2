"""The quick forms, as users start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench.all import conditions
from bench.contenders import contenders
from bench.installing import ROOT
from bench.options import QUICK
from bench.scale import CURVES, SERIES

# The first run on a machine builds and downloads.
pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


def bench(folder: Path, *arguments: str) -> tuple[dict, str]:
    figures = folder / "figures.json"
    places = ("--json", str(figures), "--plots", str(folder))
    ended = subprocess.run(
        [sys.executable, "-m", "bench", *arguments, "--quick", *places],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(figures.read_text()), ended.stdout


def test_everything_is_measured_and_what_cannot_be_had_is_told(tmp_path):
    found, shown = bench(tmp_path, "all")
    expected = {each.name for each in contenders() if each.program not in found["missing"]}
    assert set(found["runs"]) == expected | set(conditions(QUICK))
    ours = {name for name in expected if name.startswith("ours")} | {"raw", "sketch"}
    assert all(run["rate"] > 0 for name in ours for run in found["runs"][name])
    assert found["rounds"][0].keys() >= {"idle.claims", "memory.local_queue", "snapshot.last"}
    assert all(name in shown for name in found["missing"])
    assert "Targets" in shown
    assert (tmp_path / "throughput.svg").read_text().startswith("<svg")


def test_every_curve_has_its_points(tmp_path):
    found, shown = bench(tmp_path, "scale")
    for name, curve in CURVES.items():
        assert set(found["rates"][name]) == set(SERIES)
        for points in found["rates"][name].values():
            assert {int(x) for x in points} == set(curve.quick)
            assert any(rate > 0 for rates in points.values() for rate in rates)
        assert curve.x_name in shown  # a title may be broken into lines
        assert (tmp_path / f"scale-{name}.svg").exists()
