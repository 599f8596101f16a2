"""The trace of an attempt, which stands in a payload that anybody may have written."""

from __future__ import annotations

import json

import pytest
from support.running import sql

from graphile_worker import HistoryConfig, WorkerOptions, WorkerUtils, task

TRACE = "0af7651916cd43dd8448eb211c80319c"


@task
async def fine(payload: object) -> None: ...


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("\0" * 32, id="NULs"),
        pytest.param("\ud800" * 32, id="lone surrogates"),
        pytest.param("z" * 32, id="no hexadecimal digits"),
        pytest.param(TRACE.upper(), id="capitals"),
        pytest.param(TRACE[:-1], id="too short"),
        pytest.param(5, id="no text"),
    ],
)
async def test_what_is_no_trace_id_is_left_out_and_keeps_no_other_attempt_from_being_stored(
    gw_database: str, said: object
) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as db:
        for payload in ({"_trace": {"trace_id": said}}, {"_trace": {"trace_id": TRACE}}):
            await db.execute(
                "select graphile_worker.add_job('fine', $1::text::json)", json.dumps(payload)
            )
        options = WorkerOptions(
            database_url=gw_database, tasks=[fine], history=HistoryConfig(run_log="all")
        )
        async with options.init() as worker:
            assert (await worker.run_once()).completed == 2
        runs = {run.job_id: run.trace_id for run in await utils.history.runs()}
    assert runs == {1: None, 2: TRACE}
