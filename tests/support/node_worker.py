"""The Node implementation, in any published version that still starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

_PG = "8.11.3"
"""Of the library `pg`: those that the first versions ask for end silently on a newer Node."""


@dataclass(frozen=True)
class NodeWorker:
    """One installed version."""

    version: str
    folder: Path

    def run_once(self, url: str, *flags: str) -> None:
        """Migrate, do all jobs that are due, and end."""
        node = _program("node")
        command = [node, "node_modules/graphile-worker/dist/cli.js", "-c", url, "--once", *flags]
        ended = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def start(self, url: str, crontab: Path) -> subprocess.Popen[str]:
        """Run until it is stopped, with a crontab."""
        command = [_program("node"), "node_modules/graphile-worker/dist/cli.js", "-c", url]
        return subprocess.Popen(
            [*command, "--crontab", str(crontab)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def node_worker(version: str) -> NodeWorker:
    """Install a version into the user's cache, once; skip where there is no Node."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "graphile-worker-tests" / f"node-{version}"
    if not folder.exists():
        _install(version, folder)
    return NodeWorker(version, folder)


def _install(version: str, folder: Path) -> None:
    npm = _program("npm")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        made = Path(name) / "made"
        (made / "tasks").mkdir(parents=True)
        (made / "tasks" / "greet.js").write_text("module.exports = async () => {};\n")
        wanted = {"private": True, "dependencies": {"graphile-worker": version}}
        if version < "0.6":
            wanted["overrides"] = {"pg": _PG}
        (made / "package.json").write_text(json.dumps(wanted))
        flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--silent")
        command = [npm, "install", *flags]
        ended = subprocess.run(
            command, cwd=made, capture_output=True, text=True, timeout=240, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        if not folder.exists():
            made.rename(folder)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}")
    return found
