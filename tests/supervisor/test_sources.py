"""Which files count, and when they have changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from graphile_worker.supervisor.sources import Sources, changes, differing


@pytest.fixture
def tree(tmp_path) -> Path:
    for name in (
        *("app.py", "pack/inner.py", "notes.txt", ".hidden/a.py", "venv/pyvenv.cfg", "venv/b.py"),
        *("node_modules/c.py", "pack/__pycache__/d.py", "programs/run.sh", "crontab"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_modules_count_and_what_is_named(tree):
    sources = Sources(tree, [tree / "programs", tree / "crontab", tree / "gone"])
    found = {str(Path(path).relative_to(tree)) for path in sources.look()}
    assert found == {"app.py", "pack/inner.py", "programs/run.sh", "crontab"}


def test_what_differs_is_new_gone_or_another():
    old = {"a": (1, 1), "b": (1, 1), "c": (1, 1)}
    assert differing(old, {"a": (1, 1), "b": (2, 1), "d": (1, 1)}) == ["b", "c", "d"]


async def test_a_change_is_told_once_and_when_it_is_complete(tree):
    told = changes(Sources(tree), interval=0.02)
    change = asyncio.ensure_future(anext(told))
    path = tree / "app.py"

    async def write_until_told() -> int:
        """Each write is another size, so that no change can be missed."""
        written = 0
        while not change.done() and written < 5:
            written += 1
            path.write_text("#" * written)
            await asyncio.sleep(0.005)
        return written

    assert await write_until_told() >= 1
    assert await change == [str(path)]
    await told.aclose()
