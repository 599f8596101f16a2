"""The annotation of the first parameter says what a payload is, and what is refused."""

import asyncio
import math
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

import msgspec

from graphile_worker import PayloadError, WorkerContext, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


@dataclass
class Invoice:
    number: int
    due: datetime


class Address(TypedDict):
    street: str
    city: str


class Point(NamedTuple):
    x: float
    y: float


class Resize(msgspec.Struct):
    path: str
    width: int = 800


@task
async def print_invoice(payload: Invoice) -> None:
    print("dataclass:", payload.number, payload.due.year)


@task
async def print_label(payload: Address) -> None:
    print("TypedDict:", payload["street"])


@task
async def mark(payload: Point) -> None:
    print("NamedTuple:", payload.x, payload.y)


@task
async def resize(payload: Resize) -> None:
    print("Struct:", payload.path, payload.width)


@task
async def count_words(payload: str | list[str]) -> None:
    words = payload.split() if isinstance(payload, str) else payload
    print("union:", len(words))


@task
async def audit(payload: dict[str, Any]) -> None:
    print("dict:", sorted(payload))


@task
async def refresh(ctx: WorkerContext) -> None:
    print("no payload:", ctx.payload)


async def main() -> None:
    tasks = [print_invoice, print_label, mark, resize, count_words, audit, refresh]
    async with WorkerOptions(database_url=DATABASE_URL, tasks=tasks).init() as worker:
        utils = worker.create_utils()
        due = datetime.fromisoformat("2030-01-31T00:00:00+00:00")
        await utils.add_job(print_invoice, Invoice(7, due))
        await utils.add_job(print_label, Address(street="Main Street 1", city="Paris"))
        await utils.add_job(mark, Point(1.5, 2.5))
        await utils.add_job(resize, Resize("cat.png"))
        await utils.add_job(count_words, "one two three")
        await utils.add_job(audit, {"who": "ada", "what": "login"})
        await utils.add_job(refresh)
        try:
            # What type checkers cannot see is refused when the job is added.
            await utils.add_job(mark, Point(math.nan, 0.0))
        except PayloadError as error:
            print("refused:", error)
        await worker.run_once()


if __name__ == "__main__":
    asyncio.run(main())
