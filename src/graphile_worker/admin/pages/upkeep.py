"""Acts on other things than selected jobs: keys, workers, cron entries, what nobody needs."""

from __future__ import annotations

from typing import Final

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.acting import Doing, Given
from graphile_worker.admin.pages.health import UPKEEP
from graphile_worker.admin.pages.questions import Field, Question, Told
from graphile_worker.admin.pages.site import Site
from graphile_worker.admin.pages.view import View
from graphile_worker.client.operations.cleaning import CleanupTask
from graphile_worker.errors import ConfigurationError

_TITLES: Final = dict(UPKEEP)


async def ask_remove(v: View, _site: Site, given: Given) -> Question:
    """Remove a job by its key."""
    key = given.get("key", "")
    return Question(
        title="Remove by key?",
        text=f"The job with the key {key} is deleted. If a worker is running it, it loses its key "
        "instead, and is not tried again should it fail.",
        action=v.url("jobs", "remove"),
        button="Remove",
        kind="danger",
        hidden=[("key", key)],
    )


async def remove(doing: Doing, given: Given) -> Told:
    """Do it."""
    if not given.get("key"):
        raise ConfigurationError("key is required")
    job = await doing.changing.remove_by_key(doing.actor, given["key"])
    return Told(text="There was no such job." if job is None else f"Job {job.id} was removed.")


async def ask_unlock(v: View, site: Site, given: Given) -> Question:
    """Unlock what a dead worker holds."""
    worker = given.get("worker", "")
    figures = (await site.samples.figures.get()).value
    member = next((one for one in figures.fleet if one.worker_id == worker), None)
    if member is None:
        raise ConfigurationError(f"nobody called {worker[:80]!r} holds anything")
    held = [words.plural(member.jobs, "job"), *(f"queue {name}" for name in member.queues[:10])]
    return Question(
        title=f"Force unlock what {worker} holds?",
        text=f"It holds {', '.join(held)}. They go back to the table and can be taken by others.",
        action=v.url("workers", "unlock"),
        button="Force unlock",
        kind="danger",
        hidden=[("worker", worker)],
        warning="Only for a worker that is dead. One that lives goes on with its jobs, which then "
        "run twice, at the same time.",
    )


async def unlock(doing: Doing, given: Given) -> Told:
    """Do it."""
    await doing.changing.unlock(doing.actor, [name for name in [given.get("worker", "")] if name])
    return Told(text=f"What {given['worker']} held is free.")


async def ask_sweep(v: View, site: Site, _given: Given) -> Question:
    """Free the jobs of workers that fell silent."""
    found: list[str] = []
    if site.changing is not None:
        found = (await site.changing.sweep("", dry_run=True)).worker_ids
    dead = f"{words.plural(len(found), 'worker')} would be found dead: {', '.join(found[:20])}."
    return Question(
        title="Sweep dead workers?",
        text=f"{dead} Their jobs go back to the table."
        if found
        else "No worker is found dead; there is nothing to do.",
        action=v.url("workers", "sweep"),
        button="Sweep" if found else "",
    )


async def sweep(doing: Doing, _given: Given) -> Told:
    """Do it."""
    done = await doing.changing.sweep(doing.actor, dry_run=False)
    workers = words.plural(len(done.worker_ids), "dead worker")
    return Told(
        text=f"{words.plural(done.recovered_count, 'job')} of {workers} went back to the table."
    )


async def ask_cron(v: View, site: Site, given: Given) -> Question:
    """Add the job of a cron entry now."""
    name = given.get("name", "")
    crontab = site.reading.crontab(name)
    if crontab is None:
        raise ConfigurationError(f"the cron entry {name[:80]!r} is not known here")
    return Question(
        title=f"Run {name} now?",
        text=f"A job of {crontab.task} is added as its schedule would, for this minute.",
        action=v.url("cron", "run"),
        button="Run now",
        hidden=[("name", name)],
        back=v.url("cron"),
    )


async def run_cron(doing: Doing, given: Given) -> Told:
    """Do it."""
    crontab = doing.site.reading.crontab(given.get("name", ""))
    if crontab is None:
        raise ConfigurationError("this cron entry is not known here")
    job = await doing.changing.run_cron(doing.actor, crontab)
    link = {"url": doing.v.url("jobs", job.id), "text": f"Job {job.id}"}
    return Told(text=f"Job {job.id} was added.", links=[link])


async def ask_clean(v: View, site: Site, given: Given) -> Question:
    """Delete what nobody needs."""
    task = _cleanup(given)
    figures = (await site.samples.figures.get()).value
    failed = figures.counts.failed
    text = {
        CleanupTask.DELETE_PERMANENTLY_FAILED_JOBS: f"{words.plural(failed, 'job')} without "
        "attempts left are deleted, with their errors and payloads. This cannot be undone.",
        CleanupTask.GC_TASK_IDENTIFIERS: "Identifiers of tasks are deleted that have no jobs, and "
        "that no worker that is known can run.",
        CleanupTask.GC_JOB_QUEUES: "Queues are deleted that have no jobs and are not locked.",
    }[task]
    is_many = task is CleanupTask.DELETE_PERMANENTLY_FAILED_JOBS and failed
    return Question(
        title=f"{_TITLES[task.value]}?",
        text=text,
        action=v.url("health", "clean"),
        button=_TITLES[task.value],
        kind="danger",
        hidden=[("task", task.value), ("count", str(failed if is_many else 0))],
        fields=[
            Field(name="typed", title=f"Type {failed} to confirm", kind="number", required=True)
        ]
        if is_many
        else [],
        export_url=v.url("jobs", "export", state="failed")
        if is_many and "export" in v.may
        else None,
        back=v.url("health"),
    )


async def clean(doing: Doing, given: Given) -> Told:
    """Do it."""
    task = _cleanup(given)
    count = given.get("count", "0")
    if count != "0" and given.get("typed", "").replace(",", "").strip() != count:
        raise ConfigurationError(f"type {count} to confirm, got {given.get('typed', '')[:40]!r}")
    deleted = await doing.changing.clean_up(doing.actor, [task])
    rows = sum(deleted.values())
    return Told(text=f"{words.plural(rows, 'row')} {'was' if rows == 1 else 'were'} deleted.")


def _cleanup(given: Given) -> CleanupTask:
    name = given.get("task", "")
    if name not in _TITLES:
        raise ConfigurationError(f"task must be one of {', '.join(_TITLES)}, got {name[:40]!r}")
    return CleanupTask(name)
