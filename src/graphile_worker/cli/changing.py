"""Commands that change jobs by their ids: what they share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypedDict, TypeVar

import click

from graphile_worker.cli.asking import ask, dry_run_option, yes_option
from graphile_worker.cli.database import with_utils
from graphile_worker.cli.job_json import job_brief, job_json
from graphile_worker.cli.output import print_json, warn
from graphile_worker.cli.settings import Settings
from graphile_worker.client.operations.changing import ChangedJobs
from graphile_worker.client.worker_utils import WorkerUtils
from graphile_worker.errors import GraphileWorkerError
from graphile_worker.jobs.job import Job

F = TypeVar("F", bound=Callable[..., Any])

_HELD_FOR_SURE: Final = timedelta(hours=4)
"""How long the schema's functions leave a locked job alone; an older lock is one left behind."""


class How(TypedDict):
    """The options that these commands share."""

    dry_run: bool
    strict: bool


@dataclass(frozen=True, slots=True)
class Act:
    """What a command does to jobs.

    Attributes:
        verb: as in "Would complete".
        participle: as in "Completed".
        carry_out: does it.
    """

    verb: str
    participle: str
    carry_out: Callable[[WorkerUtils, Sequence[int]], Awaitable[ChangedJobs]]


def on_jobs(*, asks: bool) -> Callable[[F], F]:
    """Give a command its ids and what it takes besides; with `asks` also `--yes`."""

    def decorate(function: F) -> F:
        options = [
            click.argument(
                "ids", metavar="ID…", nargs=-1, required=True, type=click.IntRange(1, 2**63 - 1)
            ),
            dry_run_option,
            click.option(
                "--strict", is_flag=True, help="Fail if one of the jobs could not be changed."
            ),
        ]
        for option in reversed([*options, *([yes_option] if asks else [])]):
            function = option(function)
        return function

    return decorate


def change(settings: Settings, act: Act, ids: Sequence[int], how: How, *, asks: bool) -> None:
    """Do it, or with `dry_run` only look, and tell what became of each job.

    Args:
        settings: where.
        act: what to do.
        ids: of the jobs.
        how: the options.
        asks: whether to ask first.

    Raises:
        GraphileWorkerError: with `strict`, when a job was left alone; the others were changed.
    """
    if how["dry_run"]:
        changed = with_utils(settings, lambda utils: _look(utils, ids))
        _tell(settings, f"Would {act.verb}", changed)
    else:
        if asks:
            _ask(settings, act, ids)
        changed = with_utils(settings, lambda utils: act.carry_out(utils, ids))
        _tell(settings, act.participle.capitalize(), changed)
    _tell_left_alone(settings, act, changed, strict=how["strict"])


async def _look(utils: WorkerUtils, ids: Sequence[int]) -> ChangedJobs:
    """What would become of the jobs. Our clock is good enough to tell four hours."""
    found = {job_id: await utils.get_job(job_id) for job_id in dict.fromkeys(ids)}
    now = datetime.now(UTC)
    jobs = [job for job in found.values() if job is not None]
    held = [job for job in jobs if job.locked_at and now - job.locked_at < _HELD_FOR_SURE]
    return ChangedJobs(
        changed=[job for job in jobs if job not in held],
        skipped=[job.id for job in held],
        missing=[job_id for job_id, job in found.items() if job is None],
    )


def _ask(settings: Settings, act: Act, ids: Sequence[int]) -> None:
    """Ask, unless there is nothing to be changed anyway."""
    seen = with_utils(settings, lambda utils: _look(utils, ids)).changed
    if seen:
        ask(f"{act.verb.capitalize()} {_count(seen)}", [job_brief(job) for job in seen])


def _tell(settings: Settings, beginning: str, changed: ChangedJobs) -> None:
    if settings.json:
        print_json([job_json(job) for job in changed.changed])
        return
    ids = ", ".join(str(job.id) for job in changed.changed)
    click.echo(f"{beginning} {_count(changed.changed)}" + (f": {ids}" if ids else ""))


def _tell_left_alone(settings: Settings, act: Act, changed: ChangedJobs, *, strict: bool) -> None:
    reasons = [
        f"{', '.join(map(str, ids))} ({reason})"
        for ids, reason in (
            (changed.skipped, "held by a worker"),
            (changed.missing, "there is no such job"),
        )
        if ids
    ]
    if not reasons:
        return
    text = f"not {act.participle}: {'; '.join(reasons)}"
    if strict:
        raise GraphileWorkerError(text)
    warn(text, as_json=settings.json, skipped=changed.skipped, missing=changed.missing)


def _count(jobs: Sequence[Job]) -> str:
    return f"{len(jobs)} job(s)"
