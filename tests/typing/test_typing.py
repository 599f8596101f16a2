"""What users' type checkers say about tasks: right payloads pass, wrong ones are errors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("checked_*.py"))


@pytest.mark.timeout(300)
def test_mypy_agrees_with_the_expected_errors(tmp_path):
    """An expected error is a `type: ignore` with its code: one that is not needed is an error."""
    pytest.importorskip("mypy")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(tmp_path),
        *map(str, FILES),
    ]
    run = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.timeout(300)
def test_pyright_agrees_about_adding(tmp_path):
    """The same comments: pyright, too, calls one that is not needed an error."""
    pytest.importorskip("pyright")
    # Copied, because pyright looks for files below its configuration only.
    shutil.copy(HERE / "checked_adding.py", tmp_path)
    (tmp_path / "pyrightconfig.json").write_text(
        '{"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": "error"}'
    )
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    report = json.loads(run.stdout)
    assert report["generalDiagnostics"] == []
    assert report["summary"]["filesAnalyzed"] == 1
