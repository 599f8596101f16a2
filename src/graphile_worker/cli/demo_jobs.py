"""The jobs that the demo adds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from graphile_worker.cli import demo_tasks as tasks
from graphile_worker.jobs.new_job import NewJob

ITEMS: Final = 10
"""In one job of `send_newsletters`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many jobs of each task."""

    emails: int
    images: int
    charges: int
    bookings: int
    newsletters: int

    @classmethod
    def of(cls, jobs: int) -> Plan:
        """Mostly e-mails, and enough of all else to see it."""
        images, charges, newsletters = jobs // 10, jobs // 20 or 1, jobs // 50 or 1
        bookings = min(100, jobs // 10)
        return cls(
            emails=jobs - images - charges - bookings - newsletters,
            images=images,
            charges=charges,
            bookings=bookings,
            newsletters=newsletters,
        )

    @property
    def total(self) -> int:
        """How many jobs in all."""
        return self.emails + self.images + self.charges + self.bookings + self.newsletters

    @property
    def finished(self) -> dict[str, int]:
        """How often each task is to finish its work; a batch counts by its items."""
        return {
            tasks.send_email.identifier: self.emails,
            tasks.resize_image.identifier: self.images,
            tasks.charge_card.identifier: self.charges,
            tasks.book_entry.identifier: self.bookings,
            tasks.send_newsletters.identifier: self.newsletters * ITEMS,
        }

    def jobs(self, run: str) -> list[NewJob]:
        """The jobs, mixed evenly; those of one task stay in order."""
        kinds = (
            list(_emails(run, self.emails)),
            list(_images(run, self.images)),
            list(_charges(run, self.charges)),
            list(_bookings(run, self.bookings)),
            list(_newsletters(run, self.newsletters)),
        )
        placed = [
            ((position + 0.5) / len(kind), job)
            for kind in kinds
            for position, job in enumerate(kind)
        ]
        return [job for _, job in sorted(placed, key=lambda pair: pair[0])]


def _emails(run: str, count: int) -> Iterator[NewJob]:
    for number in range(count):
        to = f"reader{number}@example.com"
        yield tasks.send_email.job(tasks.Email(run=run, number=number, to=to))


def _images(run: str, count: int) -> Iterator[NewJob]:
    for number in range(count):
        name = f"photo-{number}.png"
        yield tasks.resize_image.job(tasks.Image(run=run, number=number, name=name))


def _charges(run: str, count: int) -> Iterator[NewJob]:
    for number in range(count):
        yield tasks.charge_card.job(tasks.Charge(run=run, number=number, cents=100 + number))


def _bookings(run: str, count: int) -> Iterator[NewJob]:
    for number in range(count):
        yield tasks.book_entry.job(tasks.Booking(run=run, number=number, cents=100 + number))


def _newsletters(run: str, count: int) -> Iterator[NewJob]:
    for first in range(0, count * ITEMS, ITEMS):
        yield tasks.send_newsletters.job(
            [
                tasks.Newsletter(run=run, number=number, to=f"reader{number}@example.com")
                for number in range(first, first + ITEMS)
            ]
        )
