"""A short campaign: every fault once. The long one is `./dev chaos`."""

from __future__ import annotations

import asyncio

import pytest
from chaos.campaign import Figures, Plan, forget, run, told


@pytest.mark.timeout(150)
def test_nothing_is_lost_and_nothing_happens_twice() -> None:
    plan = Plan(seconds=14, seed=7, workers=2, concurrency=5, backlog=200, pause=(0.1, 0.6))
    figures: Figures = asyncio.run(run(plan))
    text = told(plan, figures)
    assert figures.is_clean, text
    assert figures.findings.jobs > 0, text
    assert len(figures.faults) >= 8, text
    forget(figures)
