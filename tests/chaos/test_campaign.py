"""A short campaign: every fault once. The long one is `./dev chaos`."""

from __future__ import annotations

import asyncio
import shutil

import asyncpg
import pytest
from chaos.campaign import Figures, Plan, forget, run, told
from chaos.ledger import _TABLES


@pytest.mark.timeout(150)
def test_nothing_is_lost_and_nothing_happens_twice() -> None:
    plan = Plan(seconds=14, seed=7, workers=2, concurrency=5, backlog=200, pause=(0.1, 0.6))
    figures: Figures = asyncio.run(run(plan))
    text = told(plan, figures)
    assert figures.is_clean, text
    assert figures.findings.jobs > 0, text
    assert len(figures.faults) >= 8, text
    forget(figures)


@pytest.mark.timeout(150)
def test_it_fails_when_no_more_jobs_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of it would torment workers that have nothing to do, and find all well."""
    refusing = _TABLES.replace("primary key", "primary key check (n <= 300)")
    monkeypatch.setattr("chaos.ledger._TABLES", refusing)
    plan = Plan(seconds=20, seed=7, workers=1, concurrency=5, backlog=200, pause=(1, 1))
    with pytest.raises(ExceptionGroup) as failed:
        asyncio.run(run(plan))
    [error] = failed.value.exceptions
    assert isinstance(error, asyncpg.CheckViolationError)
    [note] = failed.value.__notes__
    seed, _, logs = note.partition("; logs: ")
    assert seed == "seed 7"
    shutil.rmtree(logs)
