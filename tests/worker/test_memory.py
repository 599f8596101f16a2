"""The benchmark of memory, with few jobs: nothing grows, nothing is left open."""

from __future__ import annotations

import pytest

from bench import memory


@pytest.mark.full
@pytest.mark.timeout(180)
async def test_many_jobs_and_lost_connections_leave_nothing_behind(gw_database: str) -> None:
    before, after = await memory.measure(gw_database, jobs=60_000, rounds=12, warm=6)
    assert memory.leaks(before, after) == []
    assert after.memory - before.memory < memory.ALLOWED_BYTES
