"""Kinds of failures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.queries.admin_samples import FailureGroup

HOURS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureKind:
    """Jobs of a task that failed in the same way."""

    task: str
    fingerprint: str
    """What the kind is called in filters: a digest, since errors may hold secrets."""
    title: str
    """What its errors have in common, without secrets."""
    failed: int
    """Of them for good."""
    retrying: int
    first_at: datetime
    last_at: datetime
    first_id: int
    last_id: int
    ids: list[int]
    """Up to five, the newest first."""
    by_hour: list[int]
    """How many failed in each of the last 24 hours, the last one last; of at most a thousand."""
    sample: str
    """The error of the newest, at most 2,000 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """All kinds, the most frequent first."""

    kinds: list[FailureKind]
    searched: int
    """How many jobs with an error were looked at."""
    is_complete: bool
    """Whether these were all of them."""


def show_failures(
    groups: Iterable[FailureGroup], redactor: Redactor, *, scope: int, are_all: bool
) -> Failures:
    """The groups as they may be shown; `are_all`: no job was left out but by the scope."""
    found = list(groups)
    searched = found[0].searched if found else 0
    return Failures(
        kinds=[_kind(group, redactor) for group in found],
        searched=searched,
        is_complete=are_all and searched < scope,
    )


def _kind(group: FailureGroup, redactor: Redactor) -> FailureKind:
    by_hour = [0] * HOURS
    for seconds in group.seconds_ago:
        if 0 <= seconds < HOURS * 3_600:
            by_hour[HOURS - 1 - int(seconds // 3_600)] += 1
    return FailureKind(
        task=group.task,
        fingerprint=hashlib.sha256(group.fingerprint.encode()).hexdigest(),
        title=redactor.error(group.fingerprint).text,
        failed=group.failed,
        retrying=group.retrying,
        first_at=group.first_at,
        last_at=group.last_at,
        first_id=group.first_id,
        last_id=group.last_id,
        ids=group.ids,
        by_hour=by_hour,
        sample=redactor.error(group.sample).text,
    )
