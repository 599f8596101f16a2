"""Which files make up a program, and when they change."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

INTERVAL: Final = 0.3
"""Seconds between looks."""

State: TypeAlias = Mapping[str, tuple[int, int]]
"""Path → time of the last change, and size."""

_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True, slots=True)
class Sources:
    """What is watched.

    Args:
        folder: its Python modules, at any depth; hidden folders, virtual environments and
            `node_modules` are left out.
        others: files and folders that count too, whatever they are called.
    """

    folder: Path
    others: Sequence[Path] = ()

    def look(self) -> State:
        """How they are now."""
        found = dict(_files(self.folder, only_python=True))
        for path in self.others:
            found.update(_files(path, only_python=False) if path.is_dir() else _one(path))
        return found


async def changes(sources: Sources, interval: float = INTERVAL) -> AsyncGenerator[list[str]]:
    """Names of what changed, each time that it has, and nothing more did for an interval."""
    before = await asyncio.to_thread(sources.look)
    reported = before
    while True:
        await asyncio.sleep(interval)
        now = await asyncio.to_thread(sources.look)
        if now != reported and now == before:
            yield differing(reported, now)
            reported = now
        before = now


def differing(old: State, new: State) -> list[str]:
    """The paths that are not the same in both."""
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def _files(folder: Path, *, only_python: bool) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    if any(entry.name == "pyvenv.cfg" for entry in entries):
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _files(path, only_python=only_python)
        elif not only_python or entry.name.endswith(".py"):
            yield from _one(path)


def _one(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        status = path.stat()
    except OSError:
        return
    yield str(path), (status.st_mtime_ns, status.st_size)
