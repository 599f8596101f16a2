"""Getting the other workers, each in its own folder of the user's cache, once.

What cannot be had is told loudly and left out; its rows in the tables stay empty.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NODE_VERSION = "0.17.3"
RUST_VERSION = "0.14.1"
PYTHON_PEERS = ("procrastinate==3.10.0", "pgqueuer[asyncpg]==1.6.0", "uvloop>=0.21")


class NotHereError(Exception):
    """A program cannot be had on this machine; the text says why."""


@dataclass(frozen=True)
class Program:
    """How to start one kind of program.

    Attributes:
        command: what comes before role, URL and options.
        folder: where it is started.
    """

    command: tuple[str, ...]
    folder: Path = ROOT


def cache() -> Path:
    """The folder that downloads stay in."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "graphile-worker-bench"


def find_programs(wanted: set[str]) -> tuple[dict[str, Program], dict[str, str]]:
    """The programs that can be had, and for the others why not."""
    found, missing = {}, {}
    for name in sorted(wanted):
        try:
            found[name] = _FINDERS[name]()
        except NotHereError as error:
            missing[name] = str(error)
            print(f"NOT MEASURED: {name}: {error}", file=sys.stderr, flush=True)
    return found, missing


def _in_our_environment(module: str) -> Callable[[], Program]:
    return lambda: Program((sys.executable, "-m", f"bench.programs.{module}"))


def _node() -> Program:
    node, npm = _on_path("node"), _on_path("npm")
    folder = cache() / f"node-{NODE_VERSION}"
    if not (folder / "node_modules" / "graphile-worker").exists():
        folder.mkdir(parents=True, exist_ok=True)
        flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent")
        _run([npm, "install", *flags, f"graphile-worker@{NODE_VERSION}"], folder)
    return Program((node, str(ROOT / "bench" / "programs" / "node_worker.cjs")), folder)


def _rust() -> Program:
    cargo = _on_path("cargo")
    folder = cache() / f"rust-{RUST_VERSION}"
    shutil.copytree(ROOT / "bench" / "rust", folder, dirs_exist_ok=True)
    _run([cargo, "build", "--release", "--quiet"], folder)
    return Program((str(folder / "target" / "release" / "graphile-worker-bench"),))


def _python_peer(*start: str) -> Callable[[], Program]:
    def find() -> Program:
        folder = cache() / f"python-{sys.version_info.major}.{sys.version_info.minor}"
        python = folder / "bin" / "python"
        done = folder / "installed"
        wanted = "\n".join(PYTHON_PEERS)
        if not done.exists() or done.read_text() != wanted:
            venv.create(folder, with_pip=True, clear=True)
            pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            _run([str(python), *pip, *PYTHON_PEERS], ROOT)
            done.write_text(wanted)
        return Program((str(python), *start))

    return find


def _pgbench() -> Program:
    return Program((_on_path("pgbench"),))


def _on_path(name: str) -> str:
    if found := shutil.which(name):
        return found
    raise NotHereError(f"there is no {name} on the PATH")


def _run(command: list[str], folder: Path) -> None:
    print("→", Path(command[0]).name, *command[1:], file=sys.stderr, flush=True)
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode:
        last = (ended.stderr or ended.stdout).strip().splitlines()[-3:]
        raise NotHereError(f"{Path(command[0]).name} failed: {' / '.join(last)}")


_FINDERS: dict[str, Callable[[], Program]] = {
    "ours": _in_our_environment("ours"),
    "raw": _in_our_environment("raw"),
    "node": _node,
    "rust": _rust,
    "pgqueuer": _python_peer("-m", "bench.programs.run_pgqueuer"),
    "procrastinate": _python_peer(
        "-c", "from bench.programs import run_procrastinate; run_procrastinate.start()"
    ),
    "pgbench": _pgbench,
}
