"""Looking at jobs: states, pages, filters, figures."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest
from support.admin import Service, service
from support.running import sql

from graphile_worker import ConfigurationError, JobSpec, WorkerUtils
from graphile_worker.admin.service.filters import filter_of
from graphile_worker.admin.service.groups import by_queue
from graphile_worker.jobs.fine_state import FineState

TABLE = "graphile_worker._private_jobs"


async def one_of_each(url: str) -> dict[str, int]:
    """A job in each state; the ids by state."""
    ids: dict[str, int] = {}
    async with WorkerUtils.connect(url) as utils, sql(url) as connection:

        async def add(state: str, spec: JobSpec | None = None, change: str | None = None) -> None:
            job = await utils.add_raw_job(f"t_{state}", {"state": state}, spec)
            ids[state] = job.id
            if change:
                await connection.execute(f"update {TABLE} set {change} where id = {job.id}")

        hour = timedelta(hours=1)
        await add("ready")
        await add("blocked", JobSpec(queue_name="q"))
        await add(
            "unclaimed",
            None,
            "created_at = now() - interval '2 min', run_at = now() - interval '2 min'",
        )
        await add("running", None, "locked_at = now(), locked_by = 'alive'")
        await add(
            "stuck", None, "locked_at = now() - interval '4 hours 1 second', locked_by = 'alive'"
        )
        await add("retrying", JobSpec(run_at=hour), "attempts = 3, last_error = 'boom 17'")
        await add("scheduled", JobSpec(run_at=hour))
        await add("failed", None, "attempts = 25, last_error = 'boom 18'")
        await connection.execute(
            "update graphile_worker._private_job_queues set locked_at = now(), locked_by = 'alive'"
        )
        for worker in ("alive", "dead"):
            await connection.execute(
                'select graphile_worker.worker_heartbeat($1, \'{"tasks": ["t_ready"]}\'::json)',
                worker,
            )
        await connection.execute(
            "update graphile_worker._private_workers set last_heartbeat_at = now() - interval '1 h'"
            " where id = 'dead'"
        )
    return ids


async def listed(made: Service, state: str) -> list[int]:
    return [row.id for row in (await made.reading.jobs.find(filter_of(state=state))).rows]


async def test_every_job_is_in_one_state_and_all_who_tell_it_agree(gw_database: str) -> None:
    ids = await one_of_each(gw_database)
    async with service(gw_database) as made:
        figures = (await made.reading.figures.get()).value
        page = await made.reading.jobs.find(filter_of())
        for state in FineState:
            assert await listed(made, state.value) == [ids[state.value]], state
            assert getattr(figures.counts, state.value) == 1, state
    assert {row.state.value: row.id for row in page.rows} == ids
    assert figures.counts.total == len(ids) == len(page.rows)


async def test_states_taken_together_hold_what_their_parts_hold(gw_database: str) -> None:
    ids = await one_of_each(gw_database)
    together = {
        "locked": {"running", "stuck"},
        "waiting": {"ready", "blocked", "unclaimed"},
        "later": {"scheduled", "retrying"},
        "all": set(ids),
    }
    async with service(gw_database) as made:
        for state, parts in together.items():
            assert set(await listed(made, state)) == {ids[part] for part in parts}
            count = await made.reading.jobs.count(filter_of(state=state))
            assert (count.jobs, count.is_exact) == (len(parts), True)


async def test_a_job_of_a_worker_that_fell_silent_is_stuck(gw_database: str) -> None:
    ids = await one_of_each(gw_database)
    async with sql(gw_database) as connection:
        await connection.execute(f"update {TABLE} set locked_by = 'dead' where locked_by = 'alive'")
    async with service(gw_database) as made:
        assert set(await listed(made, "stuck")) == {ids["running"], ids["stuck"]}
        assert await listed(made, "running") == []
        assert (await made.reading.figures.get()).value.counts.stuck == 2


async def test_queues_that_are_held_are_shown_so_however_many_there_are(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute(
            "insert into graphile_worker._private_job_queues (queue_name)"
            " select 'a' || n from generate_series(1, 10000) as n;"
            "select graphile_worker.add_job('t', queue_name := 'z-held');"
            "insert into graphile_worker._private_job_queues (queue_name) values ('z-paused');"
            "update graphile_worker._private_job_queues set locked_at = now(),"
            " locked_by = case queue_name when 'z-held' then 'w' else 'paused:alice' end"
            " where queue_name like 'z%'"
        )
    async with service(gw_database) as made:
        figures = (await made.reading.figures.get()).value
    states = {row.queue: row.state for row in figures.queues if (row.queue or "").startswith("z")}
    assert states == {"z-held": "held", "z-paused": "paused"}
    assert [(row.queue, row.state) for row in by_queue(figures.groups, figures.workers, [])] == [
        (None, "free"),
        ("z-held", "held"),
    ]


async def test_nobody_calls_a_job_unclaimed_while_somebody_does_not_say_what_he_runs(
    gw_database: str,
) -> None:
    ids = await one_of_each(gw_database)
    async with sql(gw_database) as connection:
        await connection.execute(f"update {TABLE} set locked_by = 'node' where locked_by = 'alive'")
    async with service(gw_database) as made:
        assert await listed(made, "unclaimed") == []
        assert set(await listed(made, "ready")) == {ids["unclaimed"], ids["ready"]}


@pytest.mark.parametrize("state", ["all", "ready", "scheduled", "retrying", "failed", "running"])
async def test_pages_together_hold_every_job_once_and_in_order(
    gw_database: str, state: str
) -> None:
    change = {
        "all": "priority = id % 3",
        "ready": "priority = id % 3, run_at = date_trunc('minute', now()) - interval '1 s' * (id % 4)",
        "scheduled": "priority = id % 3, run_at = now() + interval '1 hour' * (1 + id % 4)",
        "retrying": "attempts = 1, priority = id % 2, run_at = now() + interval '1 h' * (id % 4 + 1)",
        "failed": "attempts = 25",
        "running": "locked_by = 'w', locked_at = now() - interval '1 second' * (id % 4)",
    }[state]
    order = {
        "ready": "priority, run_at, id",
        "scheduled": "run_at, id",
        "retrying": "run_at, id",
        "running": "locked_at, id",
    }.get(state, "id desc")
    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 23)")
        await connection.execute(f"update {TABLE} set {change}")
        expected = await connection.fetch(f"select id from {TABLE} order by {order}")
    seen: list[int] = []
    async with service(gw_database) as made:
        after: str | None = None
        while True:
            page = await made.reading.jobs.find(filter_of(state=state), limit=5, after=after)
            seen += [row.id for row in page.rows]
            if page.next is None:
                break
            after = page.next
    assert seen == [row["id"] for row in expected]


async def test_failed_jobs_are_found_behind_many_others(gw_database: str) -> None:
    # Fault 1: a list of the oldest jobs, filtered by the browser, never shows them.
    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('later', run_at => now() + interval '1 day')"
            " from generate_series(1, 700)"
        )
        await connection.execute(
            "select graphile_worker.add_job('bad') from generate_series(1, 20)"
        )
        await connection.execute(f"update {TABLE} set attempts = 25 where run_at <= now()")
    async with service(gw_database) as made:
        page = await made.reading.jobs.find(filter_of(state="failed"))
        assert len(page.rows) == 20
        assert {row.task for row in page.rows} == {"bad"}


FILTERS = {
    "task=a": {1},
    "queue=q": {2},
    "key=k_1": {3},
    "key=k%": set[int](),
    "key=k_*": {3, 4},
    "key=k1*": {5},
    "error=100%": {6},
    "error=CARD_DECLINED": {7},
    "payload=user.id=42": {8},
    'payload=user.id="42"': {9},
    "payload=user.name=Zoë": {10},
    "payload=flag=true": {8},
    "payload=needle_1": {11},
    "worker=w1": {12},
    "flag=blue": {13},
    "attempts=>=24": {14},
    "attempts=2..3": {15},
    "created=-1h": set(range(1, 20)) - {16},
    "created=..-1h": {16},
    "run=+1d": {17},
    "q=SHIPPING": {18},
    f"fingerprint={sha256(b'Timeout after # s for #uuid').hexdigest()}": {19},
}


@pytest.fixture
async def filterable(gw_database: str) -> str:
    uuid = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
    changes = {
        1: "task_id = (select id from graphile_worker._private_tasks where identifier = 'a')",
        2: "job_queue_id = (select id from graphile_worker._private_job_queues)",
        3: "key = 'k_1'",
        4: "key = 'k_2'",
        5: "key = 'k12'",
        6: "last_error = 'full: 100% of disk'",
        7: "last_error = 'card_declined'",
        8: """payload = '{"user": {"id": 42.0, "name": "x"}, "flag": true}'""",
        9: """payload = '{"user": {"id": "42"}}'""",
        10: """payload = '{"user": {"name": "Zo\\u00eb"}}'""",
        11: """payload = '{"text": "NEEDLE_1", "nul": "\\u0000"}'""",
        12: "locked_by = 'w1', locked_at = now()",
        13: """flags = '{"blue": true}'""",
        14: "attempts = 24",
        15: "attempts = 3",
        16: "created_at = now() - interval '2 hours'",
        17: "run_at = now() + interval '2 hours'",
        18: """payload = '{"kind": "shipping"}'""",
        19: f"last_error = E'Timeout after 30 s for {uuid}\\nat line 7', attempts = 1",
    }
    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('a', queue_name => 'q')")
        await connection.execute(f"delete from {TABLE}")
        await connection.execute(f"alter table {TABLE} alter id restart")
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 19)")
        for id_, change in changes.items():
            await connection.execute(f"update {TABLE} set {change} where id = {id_}")
    return gw_database


async def test_filters(filterable: str) -> None:
    async with service(filterable) as made:
        for text, expected in FILTERS.items():
            name, _, value = text.partition("=")
            page = await made.reading.jobs.find(filter_of(**{name: value}))
            assert {row.id for row in page.rows} == expected, text
            assert page.is_complete


async def test_a_search_says_how_far_it_went_and_goes_on_from_there(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 100)")
        await connection.execute(f"update {TABLE} set last_error = 'rare' where id = 5")
    async with service(gw_database) as made:
        wanted = filter_of(error="rare", scope="60")
        first = await made.reading.jobs.find(wanted)
        assert (first.rows, first.searched, first.is_complete) == ([], 60, False)
        second = await made.reading.jobs.find(wanted, after=first.next)
        assert ([row.id for row in second.rows], second.searched) == ([5], 40)
        assert second.next is None


async def test_a_read_cannot_write(gw_database: str) -> None:
    from graphile_worker import DatabaseError
    from graphile_worker.queries.manage_jobs import complete_jobs

    async with service(gw_database) as made:
        await made.reading.ready()
        with pytest.raises(DatabaseError) as caught:
            await made.sessions.read(complete_jobs(made.sessions.schema, [1]))
        assert caught.value.sqlstate == "25006"


@pytest.mark.parametrize(
    "given",
    [
        {"state": "odd"},
        {"attempts": "many"},
        {"created": "yesterday"},
        {"scope": "0"},
        {"task": "a\0b"},
        {"task": "\ud800"},
        {"q": "x" * 3_000},
    ],
)
def test_filters_that_mean_nothing_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        filter_of(**given)
