"""`run` in several processes, or in one that is started again when files change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from graphile_worker.cli.logs import log_to_stderr
from graphile_worker.cli.settings import Settings
from graphile_worker.supervisor.policy import Limits
from graphile_worker.supervisor.sources import Sources
from graphile_worker.supervisor.supervisor import Plan, supervise
from graphile_worker.worker.process_handle import interpreter

SUPERVISOR = "supervisor"
"""The prefix of its lines in the log."""


def wants_supervisor(settings: Settings) -> bool:
    """Whether what is said takes more than this process."""
    return (settings.option("processes") or 1) > 1 or _limits(settings) != Limits()


def run_supervised(
    arguments: Sequence[str], settings: Settings, target: str | None, *, reloads: bool
) -> int:
    """Run the same command line in processes, and look after them.

    Args:
        arguments: of the command line, all of them.
        settings: what they and others say.
        target: `MODULE:ATTRIBUTE`.
        reloads: whether to start again when files change.

    Returns:
        The exit code.
    """
    log_to_stderr(settings.option("log_level"), settings.option("log_format"), process=SUPERVISOR)
    plan = Plan(
        # -P: as from the installed command, the current folder is no place to import ours from.
        command=[*interpreter(), "-P", "-m", "graphile_worker", *arguments],
        processes=settings.option("processes") or 1,
        limits=_limits(settings),
        sources=_sources(settings, target) if reloads else None,
    )
    return asyncio.run(supervise(plan))


def _limits(settings: Settings) -> Limits:
    return Limits(
        jobs=settings.option("max_jobs_per_process"),
        memory=settings.option("max_memory_per_process"),
    )


def _sources(settings: Settings, target: str | None) -> Sources:
    named = [settings.path, settings.option("tasks_dir"), *(settings.option("crontab") or ())]
    if target is not None and (path := target.rpartition(":")[0]).endswith(".py"):
        named.append(path)
    return Sources(Path.cwd(), [Path.cwd() / name for name in named if name is not None])
