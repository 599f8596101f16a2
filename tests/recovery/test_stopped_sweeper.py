"""A sweeper that is stopped in the middle of its sweep."""

from __future__ import annotations

import pytest
from support.running import sql, until

from graphile_worker import WorkerUtils
from graphile_worker.database.operation import perform
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.errors import ConnectionLostError
from graphile_worker.recovery import sweep
from graphile_worker.recovery.options import WorkerRecoveryConfig

SCHEMA = Schema("graphile_worker")


async def test_others_can_sweep_after_a_while(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_IDLE_MILLISECONDS", 200)
    how = sweep.Sweep(schema=SCHEMA, config=WorkerRecoveryConfig(), sweeper_id="stopped")
    stopped = await connect(gw_database, max_connections=1)
    async with sql(gw_database) as connection, WorkerUtils.connect(gw_database) as utils:
        await connection.execute(
            "insert into graphile_worker._private_workers (id, last_heartbeat_at) "
            "values ('dead', now() - interval '1 hour')"
        )

        async def stop_in_the_middle() -> None:
            async with stopped.connection() as ours, ours.transaction():
                found = await perform(ours, sweep.begin(how, with_jobs=False))
                assert found.dead == ["dead"]
                # Nothing more comes from this one.
                assert (await utils.sweep_stale_workers()).worker_ids == []

                async def swept() -> bool:
                    return (await utils.sweep_stale_workers()).worker_ids == ["dead"]

                await until(swept)

        with pytest.raises(ConnectionLostError):
            await stop_in_the_middle()
    await stopped.aclose()
