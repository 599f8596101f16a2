from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.embedded_servers import PROGRAM, Program, processes_of
from support.eventually import eventually

from graphile_worker.embedded.server import EmbeddedPostgres


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that every account can enter, with all temporary files below it.

    Pytest's own are closed to all but us.
    """
    folder = Path(tempfile.mkdtemp(prefix="gw-test-"))
    folder.chmod(0o755)
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", str(folder / "tmp"))
    yield folder
    eventually(lambda: not processes_of(folder))
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def initialised() -> Iterator[Path]:
    """Data as initdb makes it, which takes longer than all the rest of a start."""
    folder = Path(tempfile.mkdtemp(prefix="gw-test-"))
    folder.chmod(0o755)
    with EmbeddedPostgres.start(f"embedded://{folder}/pg"):
        pass
    eventually(lambda: not processes_of(folder))
    yield folder / "pg"
    shutil.rmtree(folder)


@pytest.fixture
def folder(place: Path, initialised: Path) -> Path:
    """A folder whose server starts quickly."""
    subprocess.run(["cp", "-a", initialised, place / "pg"], check=True)
    return place / "pg"


@pytest.fixture
def program(place: Path) -> Iterator[Callable[..., Program]]:
    """Starts programs that use the server of a URL; they do not outlive the test."""
    programs: list[Program] = []

    def start(url: str, *, python: str = sys.executable, **how: object) -> Program:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen([python, "-c", PROGRAM, url], text=True, **pipes, **how)
        programs.append(Program(process))
        return programs[-1]

    yield start
    for each in programs:
        each.process.kill()
        each.process.communicate()
