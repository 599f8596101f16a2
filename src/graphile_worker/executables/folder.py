"""Which programs a folder has, and the tasks that they are."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from graphile_worker.errors import ConfigurationError
from graphile_worker.executables.program import run_program
from graphile_worker.executables.warden import Warden
from graphile_worker.tasks.context import WorkerContext
from graphile_worker.tasks.task import Task

logger = logging.getLogger(__name__)

LONGEST_RUN: Final = timedelta(hours=4)
"""Then the program is killed, and its job has failed; the same as with the Node.js worker."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


def tasks_in(folder: str | Path) -> list[Task[Any]]:
    """A task for each program, in the order of their identifiers.

    The identifier is the name of the file up to its first dot, with the folders it is in:
    `mail/send.sh` is `mail/send`. Files whose owner may not execute them, and names with other
    characters than letters, digits, `_` and `-`, are left out.

    Raises:
        ConfigurationError: there is no such folder, there is no program in it, or two have one
            identifier.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {str(folder)!r} with tasks")
    found: dict[str, Path] = {}
    for identifier, path in sorted(_programs(folder.resolve(), ())):
        if identifier in found:
            raise ConfigurationError(
                f"{found[identifier]} and {path} both are the task {identifier!r}; rename one"
            )
        found[identifier] = path
    if not found:
        raise ConfigurationError(
            f"there is no program in {str(folder)!r}; are its files executable (chmod +x)?"
        )
    warden = Warden()
    return [_task(identifier, path, warden) for identifier, path in found.items()]


def _programs(folder: Path, parents: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for entry in os.scandir(folder):
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            if _NAME.fullmatch(entry.name):
                yield from _programs(path, (*parents, entry.name))
            continue
        name, *extensions = entry.name.split(".")
        if not all(_NAME.fullmatch(part) for part in (name, *extensions)):
            continue
        if _is_program(path):
            yield "/".join((*parents, name)), path
        else:
            logger.info("%s is no task: it is not an executable file", path)


def _is_program(path: Path) -> bool:
    """Whether it is a regular file, or leads to one, and its owner may execute it."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IXUSR)


def _task(identifier: str, path: Path, warden: Warden) -> Task[Any]:
    async def run(_payload: Any, ctx: WorkerContext) -> None:
        await run_program(path, ctx, warden)

    return Task(run, identifier, payload=Any, executor="async", timeout=LONGEST_RUN)
