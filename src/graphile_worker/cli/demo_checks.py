"""Whether what the handlers saw, and what is in the database, is what was to be expected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from graphile_worker.cli import demo_tasks as tasks
from graphile_worker.cli.demo_jobs import Plan
from graphile_worker.cli.demo_ledger import Ledger


@dataclass(frozen=True, slots=True)
class Check:
    """One sentence, and whether it is true."""

    holds: bool
    text: str


def checks(plan: Plan, ledger: Ledger, *, left: int) -> list[Check]:
    """All checks of a run; `left` jobs of it are still in the database."""
    return [
        _nothing_left(plan, left),
        _all_ran_once(plan, ledger),
        _failures_retried(plan, ledger),
        _batches_retried_in_part(plan, ledger),
        _queue_in_order(plan, ledger),
    ]


def _nothing_left(plan: Plan, left: int) -> Check:
    return Check(
        left == 0, f"nothing is left: the database holds {left} of the {plan.total:,} jobs"
    )


def _all_ran_once(plan: Plan, ledger: Ledger) -> Check:
    wrong = [
        f"; {task}: {ledger.finished[task].total():,} instead of {count:,}, or others"
        for task, count in plan.finished.items()
        if ledger.finished[task] != Counter(range(count))
    ]
    text = f"each job of the {len(plan.finished)} tasks was done exactly once{''.join(wrong)}"
    return Check(not wrong, text)


def _failures_retried(plan: Plan, ledger: Ledger) -> Check:
    task = tasks.charge_card.identifier
    once = Counter(range(plan.charges))
    return Check(
        ledger.failed[task] == once and ledger.finished[task] == once,
        f"{ledger.failed[task].total():,} {task} failed at first, were retried and succeeded",
    )


def _batches_retried_in_part(plan: Plan, ledger: Ledger) -> Check:
    task = tasks.send_newsletters.identifier
    items = plan.finished[task]
    bounced = Counter(range(0, items, tasks.BOUNCES_EVERY))
    return Check(
        ledger.failed[task] == bounced and ledger.finished[task] == Counter(range(items)),
        f"{ledger.failed[task].total():,} of {items:,} batch items failed; only these came again",
    )


def _queue_in_order(plan: Plan, ledger: Ledger) -> Check:
    in_order = ledger.order == list(range(plan.bookings))
    return Check(
        in_order and ledger.at_once == 1,
        f"the queue {tasks.SERIAL_QUEUE!r} ran its {len(ledger.order)} jobs "
        f"{'in order' if in_order else 'out of order'}, at most {ledger.at_once} at a time",
    )
