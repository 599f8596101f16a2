"""Lists that many look at: read for all of them in big tables, and then they say how old they are."""

from __future__ import annotations

import pytest
from support.admin_site import browsing
from support.running import sql

from graphile_worker.admin.service import tried_jobs

FAIL = "update graphile_worker._private_jobs set attempts = 25, last_error = $1 where id = $2"
LISTS = ("/failures", "/jobs?state=failed")


async def test_a_small_table_is_read_anew_each_time(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 2)")
        for job_id, error in ((1, "first trouble"), (2, "second trouble")):
            await connection.execute(FAIL, error, job_id)
            for path in LISTS:
                page = (await client.get(path)).text
                assert error in page
                assert "· read " not in page


async def test_a_shared_list_says_how_old_it_is(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tried_jobs, "SMALL", 0)
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('t')")
        await connection.execute(FAIL, "trouble", 1)
        for path in LISTS:
            page = (await client.get(path)).text
            assert "trouble" in page
            assert "· read now" in page
