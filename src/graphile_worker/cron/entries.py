"""From what a user gives for `crons` to the entries of a worker."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypeGuard

from graphile_worker.cron.builder import Cron
from graphile_worker.cron.crontab import Crontab
from graphile_worker.cron.fill import LONGEST
from graphile_worker.cron.parser import parse_crontab
from graphile_worker.errors import CrontabError

AnyCron: TypeAlias = Cron[Any] | Crontab | str
"""One entry, or text with any number of them."""


def parsed(crons: AnyCron | Iterable[object]) -> tuple[Cron[Any] | Crontab, ...]:
    """What is given, its texts parsed.

    Raises:
        CrontabError: a text is wrong, two entries have the same identifier, or it is none of what
            is wanted.
    """
    found: list[Cron[Any] | Crontab] = []
    for cron in [crons] if isinstance(crons, str | Crontab | Cron) else crons:
        if isinstance(cron, str):
            found += parse_crontab(cron)
        elif isinstance(cron, Crontab) or _is_cron(cron):
            found.append(cron)
        else:
            raise CrontabError(f"expected a Cron, a Crontab or crontab text, got {cron!r}")
    _refuse_duplicates([cron.identifier for cron in found])
    return tuple(found)


def built(crons: Iterable[Cron[Any] | Crontab]) -> list[Crontab]:
    """The entries themselves.

    Raises:
        ConfigurationError: a task cannot be resolved; `CrontabError` where it lacks a payload.
    """
    return [cron.build() if isinstance(cron, Cron) else cron for cron in crons]


def doubts(
    crontabs: Sequence[Crontab], tasks: Collection[str] | None, now: datetime
) -> list[tuple[Crontab, str]]:
    """What is allowed, and is hardly what somebody wants.

    Args:
        crontabs: the entries.
        tasks: the tasks that are known here, or None where nobody knows.
        now: an aware datetime.
    """
    found: list[tuple[Crontab, str]] = []
    for crontab in crontabs:
        if tasks is not None and crontab.task not in tasks:
            found.append((crontab, f"the task {crontab.task!r} is not known here"))
        if crontab.fill.total_seconds > LONGEST.total_seconds():
            found.append((crontab, f"fill={crontab.fill} is cut to {LONGEST.days} days"))
        if crontab.first_run(now) is None:
            found.append((crontab, "it will never run: no such day exists"))
    return found


def _is_cron(thing: object) -> TypeGuard[Cron[Any]]:
    return isinstance(thing, Cron)


def _refuse_duplicates(identifiers: list[str]) -> None:
    seen: set[str] = set()
    for identifier in identifiers:
        if identifier in seen:
            raise CrontabError(
                f"two cron entries have the identifier {identifier!r}: tell them apart with "
                ".id(…), or ?id=… in crontab text"
            )
        seen.add(identifier)
