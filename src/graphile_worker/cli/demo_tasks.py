"""The tasks of the demo: what a program that uses this library looks like."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from graphile_worker.cli.demo_ledger import Ledger
from graphile_worker.jobs.spec import JobSpec
from graphile_worker.tasks.context import SyncWorkerContext, WorkerContext
from graphile_worker.tasks.decorator import batch_task, task

SERIAL_QUEUE: Final = "bookkeeping"
RETRY_AFTER: Final = timedelta(milliseconds=200)

BOUNCES_EVERY: Final = 10
"""One in so many newsletters does not get through the first time."""


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """How the demo recognises its own jobs; a job that you add needs neither field."""

    run: str = ""
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Email(Numbered):
    """The payload of `send_email`."""

    to: str


@dataclass(frozen=True, kw_only=True)
class Image(Numbered):
    """The payload of `resize_image`."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Charge(Numbered):
    """The payload of `charge_card`."""

    cents: int


@dataclass(frozen=True, kw_only=True)
class Booking(Numbered):
    """The payload of `book_entry`."""

    cents: int


@dataclass(frozen=True, kw_only=True)
class Newsletter(Numbered):
    """An item of `send_newsletters`."""

    to: str


def soon(_attempt: int) -> timedelta:
    """A backoff for the impatient; Graphile's own grows from one second to hours."""
    return RETRY_AFTER


@task
async def send_email(payload: Email, ctx: WorkerContext) -> None:
    """An async handler: many of them wait at the same time."""
    await asyncio.sleep(0.01)
    ledger = ctx.get_ext(Ledger)
    ledger.count_finished("send_email", payload.run, payload.number, f"to {payload.to}")


@task
def resize_image(payload: Image, ctx: SyncWorkerContext) -> None:
    """A plain function: it runs in a thread, and the loop goes on."""
    digest = hashlib.pbkdf2_hmac("sha256", payload.name.encode(), b"pixels", 1_000)
    ledger = ctx.get_ext(Ledger)
    text = f"{payload.name}, {digest.hex()[:8]}"
    ledger.count_finished("resize_image", payload.run, payload.number, text)


@task(backoff=soon)
async def charge_card(payload: Charge, ctx: WorkerContext) -> None:
    """A handler that fails the first time: the job is retried, and succeeds."""
    ledger = ctx.get_ext(Ledger)
    if ctx.job.attempts == 1:
        ledger.count_failed("charge_card", payload.run, payload.number)
        raise ConnectionError("the bank does not answer")
    ledger.count_finished("charge_card", payload.run, payload.number, f"{payload.cents} cents")


@task(spec=JobSpec(queue_name=SERIAL_QUEUE))
async def book_entry(payload: Booking, ctx: WorkerContext) -> None:
    """A handler whose jobs share a named queue: one after the other, in order."""
    ledger = ctx.get_ext(Ledger)
    with ledger.one_at_a_time(payload.run, payload.number):
        await asyncio.sleep(0.001)
    ledger.count_finished("book_entry", payload.run, payload.number, f"{payload.cents} cents")


@batch_task(backoff=soon)
async def send_newsletters(
    items: list[Newsletter], ctx: WorkerContext
) -> Sequence[Exception | None]:
    """One job with many items: only those that failed are tried again."""
    await asyncio.sleep(0.01)
    ledger = ctx.get_ext(Ledger)
    results: list[Exception | None] = []
    for item in items:
        if ctx.job.attempts == 1 and item.number % BOUNCES_EVERY == 0:
            ledger.count_failed("send_newsletters", item.run, item.number)
            results.append(ConnectionError(f"{item.to} is busy"))
        else:
            ledger.count_finished("send_newsletters", item.run, item.number, f"to {item.to}")
            results.append(None)
    return results


TASKS: Final = (send_email, resize_image, charge_card, book_entry, send_newsletters)
