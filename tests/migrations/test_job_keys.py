"""Job keys against a model of what the contract says about them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.migrations.runner import migrate

KEYS = st.sampled_from(["a", "b", None])
PAYLOADS = st.sampled_from(["[1]", "[2, 3]", '{"x": 1}', "null"])
MODES = st.sampled_from(["replace", "preserve_run_at", "unsafe_dedupe", None])
DAYS = st.integers(1, 9)
ADD = st.tuples(st.just("add"), KEYS, PAYLOADS, MODES, DAYS)
BATCH = st.tuples(
    st.just("batch"),
    st.lists(st.tuples(KEYS, PAYLOADS.filter("null".__ne__), DAYS), max_size=3).filter(
        lambda specs: len([key for key, *_ in specs if key]) == len({k for k, *_ in specs if k})
    ),
    st.booleans(),
)
POSITION = st.integers(0, 5)
OTHERS = st.one_of(
    st.tuples(st.just("remove"), KEYS),
    st.tuples(st.just("claim"), POSITION),
    st.tuples(st.just("fail"), POSITION),
    st.tuples(st.just("give_up"), POSITION),
)


@dataclass(frozen=True)
class Job:
    key: str | None
    payload: Any
    day: int
    attempts: int = 0
    revision: int = 0
    locked: bool = False

    @property
    def available(self) -> bool:
        return not self.locked and self.attempts < 25


@dataclass
class Model:
    """Jobs in the order they were added."""

    jobs: list[Job] = field(default_factory=list)

    def holder(self, key: str | None) -> int | None:
        return next((n for n, job in enumerate(self.jobs) if key and job.key == key), None)

    def add(self, key: str | None, payload: str, mode: str | None, day: int) -> None:
        new = Job(key, json.loads(payload), day)
        place = self.holder(key)
        if place is None:
            self.jobs.append(new)
            return
        old = self.jobs[place]
        if mode == "unsafe_dedupe":
            self.jobs[place] = replace(old, revision=old.revision + 1)
        elif not old.available:
            self.jobs[place] = replace(old, key=None, attempts=25)
            self.jobs.append(new)
        else:
            lists = isinstance(old.payload, list) and isinstance(new.payload, list)
            self.jobs[place] = replace(
                new,
                payload=old.payload + new.payload if lists else new.payload,
                day=old.day if mode == "preserve_run_at" and old.attempts == 0 else day,
                revision=old.revision + 1,
            )

    def batch(self, specs: list[tuple[str | None, str, int]], preserve: bool) -> None:
        for key, payload, day in specs:
            self.add(key, payload, "preserve_run_at" if preserve else "replace", day)

    def remove(self, key: str | None) -> None:
        place = self.holder(key)
        if place is None:
            return
        if self.jobs[place].locked:
            self.jobs[place] = replace(self.jobs[place], key=None, attempts=25)
        else:
            del self.jobs[place]

    def claim(self, position: int) -> None:
        if position < len(self.jobs) and (job := self.jobs[position]).available:
            self.jobs[position] = replace(job, locked=True, attempts=job.attempts + 1)

    def fail(self, position: int) -> None:
        if position < len(self.jobs) and self.jobs[position].locked:
            self.jobs[position] = replace(self.jobs[position], locked=False)

    def give_up(self, position: int) -> None:
        if position < len(self.jobs) and not self.jobs[position].locked:
            self.jobs[position] = replace(self.jobs[position], attempts=25)


class Real:
    """The same on PostgreSQL; jobs are found by their order, the order of their ids."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def add(self, key: str | None, payload: str, mode: str | None, day: int) -> None:
        await self.connection.execute(
            "select graphile_worker.add_job('t', $1::text::json, job_key := $2, "
            "job_key_mode := $3, run_at := make_timestamptz(2100, 1, $4, 0, 0, 0, 'UTC'))",
            *(payload, key, mode, day),
        )

    async def batch(self, specs: list[tuple[str | None, str, int]], preserve: bool) -> None:
        await self.connection.execute(
            "select graphile_worker.add_jobs(array("
            "select row('t', s.payload, null, s.run_at, null, s.key, null, null)"
            "::graphile_worker.job_spec from json_to_recordset($1::text::json) "
            "as s (key text, payload json, run_at timestamptz)), $2)",
            # A payload of JSON null would become SQL null on this way in, as it does for Node.
            json.dumps(
                [
                    {"key": key, "payload": json.loads(payload), "run_at": f"2100-01-{day:02}Z"}
                    for key, payload, day in specs
                ]
            ),
            preserve,
        )

    async def remove(self, key: str | None) -> None:
        await self.connection.execute("select graphile_worker.remove_job($1)", key)

    async def _update(self, position: int, change: str, condition: str) -> None:
        await self.connection.execute(
            f"update graphile_worker._private_jobs set {change} where {condition} and id = "
            "(select id from graphile_worker._private_jobs order by id offset $1 limit 1)",
            position,
        )

    async def claim(self, position: int) -> None:
        change = "locked_at = now(), locked_by = 'w', attempts = attempts + 1"
        await self._update(position, change, "is_available")

    async def fail(self, position: int) -> None:
        change = "locked_at = null, locked_by = null"
        await self._update(position, change, "locked_at is not null")

    async def give_up(self, position: int) -> None:
        await self._update(position, "attempts = max_attempts", "locked_at is null")

    async def jobs(self) -> list[Job]:
        rows = await self.connection.fetch(
            "select key, payload, extract(day from run_at at time zone 'UTC')::int, attempts, "
            "revision, locked_at is not null, is_available "
            "from graphile_worker._private_jobs order by id"
        )
        jobs = [Job(row[0], json.loads(row[1]), *row[2:6]) for row in rows]
        assert [job.available for job in jobs] == [row[6] for row in rows]
        return jobs


@pytest.mark.timeout(300)
async def test_keys_behave_as_the_model_says(
    database: Database, schema: Schema, empty_database: str
) -> None:
    await migrate(database, schema)
    await asyncio.to_thread(_explore, empty_database)


def _explore(url: str) -> None:
    async def play(steps: list[Any]) -> None:
        connection = await asyncpg.connect(url)
        transaction = connection.transaction()
        await transaction.start()
        try:
            real, model = Real(connection), Model()
            for name, *arguments in steps:
                await getattr(real, name)(*arguments)
                getattr(model, name)(*arguments)
                jobs = await real.jobs()
                assert sorted(jobs, key=repr) == sorted(model.jobs, key=repr)
                model.jobs = jobs  # a batch has no order
        finally:
            await transaction.rollback()
            await connection.close()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.one_of(ADD, BATCH, OTHERS), max_size=12))
    def explore(steps: list[Any]) -> None:
        asyncio.run(play(steps))

    explore()
