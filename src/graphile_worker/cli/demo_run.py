"""The course of the demo: open, add, run, check, and with --keep go on."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from graphile_worker.cli.at_work import at_work
from graphile_worker.cli.demo_checks import checks
from graphile_worker.cli.demo_jobs import ITEMS, Plan
from graphile_worker.cli.demo_ledger import Ledger
from graphile_worker.cli.demo_progress import progress
from graphile_worker.cli.demo_standing import Standing
from graphile_worker.cli.demo_tasks import TASKS, send_newsletters
from graphile_worker.cli.output import writes_unicode
from graphile_worker.cli.settings import DEFAULT_SCHEMA
from graphile_worker.cli.stop import Stop
from graphile_worker.client.worker_utils import WorkerUtils
from graphile_worker.embedded.server import EmbeddedPostgres, is_embedded_url
from graphile_worker.errors import GraphileWorkerError
from graphile_worker.worker.options import WorkerOptions
from graphile_worker.worker.signals import shutdown_on_signals

_CONCURRENCY: Final = 32
_LOOK_EVERY: Final = 0.1
_STUCK_AFTER: Final = 30.0
"""Seconds without a finished job after which the demo gives up."""
_STORED_WITHIN: Final = 5.0
_INTERRUPTED: Final = 130

_job_failures: Final = logging.getLogger("graphile_worker.worker.run_job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What was asked for; no URL is a PostgreSQL that comes along."""

    url: str | None
    schema: str | None
    jobs: int
    keep: bool


def run_demo(demo: Demo) -> int:
    """Run it; the exit code.

    Raises:
        GraphileWorkerError: it could not start, or a check does not hold.
    """
    _log_briefly()
    return asyncio.run(_run(demo))


def _log_briefly() -> None:
    """Warnings without tracebacks; failing jobs are part of the show, and come to it later."""
    handler = logging.StreamHandler()
    handler.addFilter(_without_traceback)
    logging.basicConfig(level=logging.WARNING, format="  %(message)s", handlers=[handler])
    _job_failures.setLevel(logging.CRITICAL)


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True


async def _run(demo: Demo) -> int:
    stop = Stop()
    with shutdown_on_signals(stop, stop):
        try:
            async with _database(_place(demo)) as url:
                await _show(demo, url, stop)
        except asyncio.CancelledError:
            if not stop.asked:
                raise
            click.echo()  # the terminal wrote ^C
            return 0 if stop.welcome else _INTERRUPTED
    return 0


def _place(demo: Demo) -> str:
    """Without a URL not `embedded:`, whose jobs for `send_email` are none of the demo's."""
    if demo.url is not None:
        return demo.url
    folder = Path.cwd() / ".graphile-worker" / "demo"
    return f"embedded://{quote(str(folder))}" if demo.keep else "embedded:?temporary"


@asynccontextmanager
async def _database(url: str) -> AsyncGenerator[str]:
    """The URL of a server that runs: started here, so that it can be told to other programs."""
    if not is_embedded_url(url):
        yield url
        return
    started = time.monotonic()
    click.echo(f"Starting PostgreSQL ({url})")
    server = await asyncio.to_thread(EmbeddedPostgres.start, url)
    try:
        click.echo(f"PostgreSQL runs, after {time.monotonic() - started:.1f} s.")
        yield server.url
    finally:
        await asyncio.to_thread(server.close)


async def _show(demo: Demo, url: str, stop: Stop) -> None:
    strangers = _Strangers()
    ledger = Ledger(secrets.token_hex(6), strangers)
    options = WorkerOptions(
        database_url=url,
        schema=DEFAULT_SCHEMA if demo.schema is None else demo.schema,
        tasks=TASKS,
        extensions=[ledger],
        concurrency=_CONCURRENCY,
        poll_interval=timedelta(milliseconds=100),
        max_pg_conn=8,
        listen_os_shutdown_signals=False,
    )
    async with options.init() as worker, at_work(worker):
        plan = Plan.of(demo.jobs)
        utils = worker.create_utils()
        await _work(plan, ledger, utils)
        await _check(plan, ledger, utils)
        if demo.keep:
            strangers.shown = True
            _job_failures.setLevel(logging.WARNING)
            _invite(url, demo.schema)
            stop.welcome = True
            await asyncio.Event().wait()


async def _work(plan: Plan, ledger: Ledger, utils: WorkerUtils) -> None:
    """Add the jobs, and watch until all are done.

    Raises:
        GraphileWorkerError: nothing moves any more.
    """
    started = time.monotonic()
    await utils.add_jobs(plan.jobs(ledger.run))
    click.echo(f"Added {plan.total:,} jobs in {time.monotonic() - started:.1f} s. Running them:")
    started = moved = time.monotonic()
    done = -1
    with progress() as display:
        while done < plan.total:
            await asyncio.sleep(_LOOK_EVERY)
            before, done = done, _done(ledger)
            now = time.monotonic()
            moved = now if done != before else moved
            if now - moved > _STUCK_AFTER:
                raise GraphileWorkerError(f"nothing moves; {plan.total - done} jobs are not done")
            display.show(
                Standing(
                    done=done,
                    total=plan.total,
                    seconds=now - started,
                    stats=await utils.stats(),
                )
            )
    click.echo(f"Done after {time.monotonic() - started:.1f} s.")


def _done(ledger: Ledger) -> int:
    """Jobs that are done; a batch is one job."""
    batch = send_newsletters.identifier
    return sum(
        numbers.total() // (ITEMS if task == batch else 1)
        for task, numbers in ledger.finished.items()
    )


async def _check(plan: Plan, ledger: Ledger, utils: WorkerUtils) -> None:
    """Print the checks.

    Raises:
        GraphileWorkerError: one of them does not hold.
    """
    deadline = time.monotonic() + _STORED_WITHIN
    while left := await utils.list_jobs(search=ledger.run):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.02)
    found = checks(plan, ledger, left=len(left))
    good, bad = ("✓", "✗") if writes_unicode() else ("ok", "NO")
    click.echo("\nWhat the handlers saw, compared with what was added:")
    for check in found:
        mark = click.style(good, fg="green") if check.holds else click.style(bad, fg="red")
        click.echo(f"  {mark} {check.text}")
    if failed := [check.text for check in found if not check.holds]:
        raise GraphileWorkerError(f"{len(failed)} of {len(found)} checks do not hold: {failed[0]}")


# -- with --keep ---------------------------------------------------------------------------------


class _Strangers:
    """Prints the jobs that somebody adds, once the demo's own are done."""

    def __init__(self) -> None:
        self.shown = False

    def __call__(self, task: str, text: str) -> None:
        """A handler did such a job."""
        if self.shown:
            click.echo(f"  {task} {text}")


def _invite(url: str, schema: str | None) -> None:
    """How to reach this database from elsewhere."""
    program = _program()
    lines = [
        f"export DATABASE_URL={shlex.quote(url)}",
        *([f"export GRAPHILE_WORKER_SCHEMA={shlex.quote(schema)}"] if schema else []),
        f"""{program} add send_email --payload '{{"to": "you@example.com"}}'""",
        f"""{program} add charge_card --payload '{{"cents": 250}}'""",
        f"{program} list",
    ]
    click.echo("\nThe worker goes on until Ctrl-C. Add a job from another terminal:\n")
    for line in lines:
        click.echo(f"  {line}")
    click.echo("\nJobs run since:")


def _program() -> str:
    """How this command is called from a shell in this folder."""
    name = "graphile-worker"
    beside = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if found and Path(found).resolve() == beside.resolve():
        return name
    if not beside.exists():
        return f"{shlex.quote(sys.executable)} -m graphile_worker"
    here = Path.cwd()
    return shlex.quote(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))
