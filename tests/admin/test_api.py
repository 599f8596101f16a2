"""The JSON API."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import datetime
from typing import Any

import pytest
from support.admin_app import admin
from support.running import sql, until

from graphile_worker import WorkerUtils

V1 = "/api/v1"
NOWHERE = "postgres://nobody@127.0.0.1:1/none"
"""Nobody answers there: what is refused before is refused without a database."""
TABLE = "graphile_worker._private_jobs"


async def add(url: str, count: int = 1, what: str = "'t'") -> None:
    async with sql(url) as connection:
        await connection.execute(
            f"select graphile_worker.add_job({what}) from generate_series(1, {count})"
        )


async def change(url: str, what: str, where: str = "true") -> None:
    async with sql(url) as connection:
        await connection.execute(f"update {TABLE} set {what} where {where}")


async def test_a_job_from_adding_it_to_removing_it(gw_database: str) -> None:
    async with admin(gw_database) as client:
        body = {"task": "send", "payload": {"to": "a", "n": 12345678901234567890}, "key": "k"}
        added = await client.post(f"{V1}/jobs", json=body)
        assert added.status_code == 201
        job_id = added.json()["id"]
        page = (await client.get(f"{V1}/jobs", params={"fields": "payload"})).json()
        assert [row["id"] for row in page["rows"]] == [job_id]
        assert json.loads(page["rows"][0]["payload"]) == body["payload"]
        job = (await client.get(f"{V1}/jobs/{job_id}")).json()
        assert (job["row"]["state"], job["why"].split()[0]) == ("ready", "ready")
        assert (await client.get(f"{V1}/jobs/{job_id}/payload")).json() == body["payload"]
        assert (await client.post(f"{V1}/jobs/remove-by-key", json={"key": "k"})).json() == {
            "id": job_id
        }
        gone = await client.get(f"{V1}/jobs/{job_id}")
    assert gone.status_code == 404
    assert gone.headers["content-type"] == "application/problem+json"
    assert "deletes a job when it succeeds" in gone.json()["detail"]


async def test_lists_without_asking_for_them_show_no_payloads(gw_database: str) -> None:
    await add(gw_database, what="""'t', '{"a": 1}'""")
    async with admin(gw_database) as client:
        page = (await client.get(f"{V1}/jobs")).json()
        assert page["rows"][0]["payload"] is None


async def test_run_now_retries_what_has_failed_for_good(gw_database: str) -> None:
    # Fault 3: with the time alone changed, the job stays at 25 of 25 and never runs.
    await add(gw_database)
    await change(gw_database, "attempts = 25, last_error = 'boom'")
    async with admin(gw_database) as client:
        report = await client.post(f"{V1}/jobs/actions", json={"action": "run_now", "ids": [1]})
        assert report.json()["changed"] == [1]
        job = (await client.get(f"{V1}/jobs/1")).json()["row"]
        assert (job["state"], job["attempts"]) == ("ready", 0)


async def test_a_retry_may_be_one_more_attempt(gw_database: str) -> None:
    await add(gw_database, 2)
    await change(gw_database, "attempts = 25, last_error = 'boom'")
    await change(gw_database, "attempts = 3", "id = 2")
    async with admin(gw_database) as client:
        body = {"action": "retry", "one_more": True, "ids": [1, 2, 3]}
        report = (await client.post(f"{V1}/jobs/actions", json=body)).json()
        jobs = (await client.get(f"{V1}/jobs")).json()["rows"]
    assert (sorted(report["changed"]), report["missing"]) == ([1, 2], [3])
    assert {(row["id"], row["attempts"], row["max_attempts"]) for row in jobs} == {
        (1, 25, 26),
        (2, 3, 25),
    }


async def test_what_was_left_alone_is_told_with_the_reason(gw_database: str) -> None:
    # Fault 5: "Completed 0 job(s)" is not an answer.
    await add(gw_database, 2)
    await change(gw_database, "locked_at = now(), locked_by = 'w-1'", "id = 2")
    async with admin(gw_database) as client:
        answer = await client.post(
            f"{V1}/jobs/actions", json={"action": "delete", "ids": [1, 2, 3]}
        )
    report = answer.json()
    assert (report["requested"], report["changed"], report["missing"]) == (3, [1], [3])
    [skipped] = report["skipped"]
    assert (skipped["id"], skipped["reason"], skipped["locked_by"]) == (2, "running on w-1", "w-1")


async def test_retrying_wakes_the_workers(gw_database: str) -> None:
    await add(gw_database)
    await change(gw_database, "attempts = 25")
    heard: list[str] = []
    async with sql(gw_database) as connection, admin(gw_database) as client:
        await connection.add_listener("jobs:insert", lambda *said: heard.append(said[3]))
        await client.post(f"{V1}/jobs/actions", json={"action": "retry", "ids": [1]})

        async def was_heard() -> bool:
            await connection.execute("select 1")
            return bool(heard)

        await until(was_heard)
    assert json.loads(heard[0])["count"] == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"action": "reschedule", "ids": [1], "priority": "high"}, "Expected `int"),
        ({"action": "reschedule", "ids": [1], "priority": 40_000}, "<= 32767"),
        ({"action": "reschedule", "ids": [1]}, "at least one of run_at"),
        ({"action": "reschedule", "ids": [1], "prioritty": 1}, "unknown field `prioritty`"),
        ({"action": "retry", "ids": [1], "priority": 1}, "belong to the action reschedule"),
        ({"action": "explode", "ids": [1]}, "Invalid enum value"),
        ({"action": "retry", "ids": []}, "select at least one job"),
        ({"action": "fail", "ids": [1], "reason": "a\0b"}, "NUL"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_named(body: dict[str, Any], says: str) -> None:
    # Fault 14: a priority that is no number becomes "not given".
    async with admin(NOWHERE) as client:
        answer = await client.post(f"{V1}/jobs/actions", json=body)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    ["jobs?colour=red", "jobs?limit=0", "jobs?state=odd", "jobs?after=x", "jobs?task=a&task=b"],
)
async def test_parameters_that_mean_nothing_are_refused(path: str) -> None:
    async with admin(NOWHERE) as client:
        assert (await client.get(f"{V1}/{path}")).status_code == 400


async def test_states_are_as_fine_as_the_page_shows_them(gw_database: str) -> None:
    # Fault 10: retrying hides in scheduled, blocked in ready, and failed has no time.
    await add(gw_database, 3)
    await change(
        gw_database, "attempts = 2, last_error = 'x', run_at = now() + interval '5 s'", "id = 1"
    )
    await change(gw_database, "attempts = 25, last_error = 'x', run_at = now()", "id = 2")
    async with admin(gw_database) as client:
        counts = (await client.get(f"{V1}/overview")).json()["counts"]
        assert (counts["retrying"], counts["failed"], counts["ready"]) == (1, 1, 1)
        assert (await client.get(f"{V1}/jobs/2")).json()["row"]["failed_at"] is not None
        count = (await client.get(f"{V1}/jobs/count", params={"state": "retrying"})).json()
        assert (count["jobs"], count["is_exact"]) == (1, True)


async def test_doing_twice_with_one_key_does_it_once(gw_database: str) -> None:
    async with admin(gw_database) as client:
        headers = {"Idempotency-Key": "abc"}
        answers = await asyncio.gather(
            *(client.post(f"{V1}/jobs", json={"task": "t"}, headers=headers) for _ in range(5))
        )
        assert {answer.json()["id"] for answer in answers} == {1}
        other = await client.post(f"{V1}/jobs", json={"task": "u"}, headers=headers)
        assert (other.status_code, other.json()["type"].rpartition(":")[2]) == (422, "key-used")
        assert len((await client.get(f"{V1}/jobs")).json()["rows"]) == 1


async def test_a_queue_is_paused_and_resumed(gw_database: str) -> None:
    name = 'a/b "c"%/pause'
    async with admin(gw_database) as client:
        await client.post(f"{V1}/jobs", json={"task": "t", "queue": name})
        path = f"{V1}/queues/a%2Fb%20%22c%22%25%2Fpause"
        paused = await client.post(f"{path}/pause")
        assert (paused.status_code, paused.json()["queue_name"]) == (200, name)
        job = (await client.get(f"{V1}/jobs/1")).json()
        assert (job["row"]["state"], "paused" in job["why"]) == ("blocked", True)
        assert (await client.get(f"{V1}/paused")).json()["queues"][0]["queue_name"] == name
        assert (await client.get(path)).json()["state"] == "paused"
        assert (await client.post(f"{path}/resume")).json()["was_paused"] is True
        assert (await client.get(f"{V1}/jobs/1")).json()["row"]["state"] == "ready"


async def test_the_owner_of_a_paused_queue_is_not_unlocked_by_accident(gw_database: str) -> None:
    async with admin(gw_database) as client:
        await client.post(f"{V1}/queues/q/pause")
        refused = await client.post(f"{V1}/workers/unlock", json={"workers": ["paused:anonymous"]})
    assert (refused.status_code, "resume" in refused.json()["detail"]) == (400, True)


async def test_failures_by_kind(gw_database: str) -> None:
    await add(gw_database, 4)
    await change(gw_database, "attempts = 25, last_error = 'no disk ' || id || E'\\nmore'")
    await change(gw_database, "attempts = 1, run_at = now() + interval '1 h'", "id = 1")
    async with admin(gw_database) as client:
        found = (await client.get(f"{V1}/failures")).json()
        [kind] = found["kinds"]
        assert (kind["title"], kind["failed"], kind["retrying"]) == ("no disk #", 3, 1)
        assert (found["searched"], found["is_complete"], kind["ids"]) == (4, True, [4, 3, 2, 1])
        page = await client.get(f"{V1}/jobs", params={"fingerprint": kind["fingerprint"]})
        assert len(page.json()["rows"]) == 4


async def test_export_has_every_job_on_a_line(gw_database: str) -> None:
    await add(gw_database, 1_200, """'t', '{"n": 1, "password": "x"}'""")
    async with admin(gw_database) as client:
        answer = await client.get(f"{V1}/export.ndjson")
        lines = [json.loads(line) for line in answer.text.splitlines()]
        some = await client.get(f"{V1}/export.ndjson", params={"limit": 7})
    assert [line["id"] for line in lines] == list(range(1_200, 0, -1))
    assert lines[0]["payload"] == {"n": 1, "password": "[redacted]"}
    assert len(some.text.splitlines()) == 7


async def test_a_payload_of_several_lines_is_exported_on_one(gw_database: str) -> None:
    await add(gw_database, what="""'t', E'{"n":\\r\\n 1.10}'""")
    async with admin(gw_database) as client:
        [line] = (await client.get(f"{V1}/export.ndjson")).content.splitlines()
    assert b'"payload":{"n":   1.10}' in line


async def test_export_as_csv_has_every_job_in_a_row_and_no_secrets(gw_database: str) -> None:
    await add(gw_database, 1_200, """'t', '{"n": "a,b", "password": "x"}'""")
    async with admin(gw_database) as client:
        answer = await client.get(f"{V1}/export.csv")
        none = await client.get(f"{V1}/export.csv", params={"task": "other"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="jobs.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [int(row["id"]) for row in rows] == list(range(1_200, 0, -1))
    assert (rows[0]["task"], rows[0]["state"], rows[0]["queue"]) == ("t", "ready", "")
    assert json.loads(rows[0]["payload"]) == {"n": "a,b", "password": "[redacted]"}
    assert datetime.fromisoformat(rows[0]["run_at"]).tzinfo is not None
    assert none.text.splitlines() == answer.text.splitlines()[:1]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
async def test_no_text_is_a_formula_in_a_spreadsheet(gw_database: str, start: str) -> None:
    name = f"{start}HYPERLINK(0)"
    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job($1, '-1', $1, job_key := $1, priority := -3,"
            " flags := array[$1])",
            name,
        )
        await connection.execute(
            "update graphile_worker._private_jobs set last_error = $1, locked_by = $1", name
        )
    async with admin(gw_database) as client:
        text = (await client.get(f"{V1}/export.csv")).text
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    texts = {row[column] for column in ("task", "queue", "key", "error", "locked_by", "flags")}
    assert texts == {f"'{name}"}
    assert (row["payload"], row["priority"]) == ("'-1", "-3")


async def test_crons_are_shown_and_run_by_hand(gw_database: str) -> None:
    async with admin(gw_database, crons="0 4 * * * nightly ?id=n&queue=q {a:1}") as client:
        [entry] = (await client.get(f"{V1}/cron")).json()
        assert (entry["identifier"], entry["task"], len(entry["next_runs"])) == ("n", "nightly", 3)
        assert (await client.post(f"{V1}/cron/n/run")).status_code == 201
        job = (await client.get(f"{V1}/jobs/1")).json()
        assert (job["row"]["task"], job["row"]["queue"]) == ("nightly", "q")
        assert json.loads(job["payload"]["text"])["_cron"]["backfilled"] is False
        assert (await client.post(f"{V1}/cron/other/run")).status_code == 404


async def test_the_rest_of_the_reads_answer(gw_database: str) -> None:
    await add(gw_database, what="'t', queue_name => 'q'")
    async with admin(gw_database) as client:
        for path in ("status", "tasks", "tasks/t", "queues", "queues/q", "workers", "health"):
            assert (await client.get(f"{V1}/{path}")).status_code == 200, path
        assert (await client.get(f"{V1}/suggest?field=task&q=T")).json() == ["t"]
        assert (await client.get(f"{V1}/tasks/none")).status_code == 404
        assert (await client.get("/healthz")).text == "ok\n"
        assert (await client.get("/readyz")).status_code == 200
        metrics = (await client.get("/metrics")).text
    assert 'graphile_worker_jobs{schema="graphile_worker",state="ready"} 1' in metrics
    assert 'graphile_worker_admin_samples_seconds_total{schema="graphile_worker"} 0.' in metrics


async def test_what_was_is_told_where_it_is_kept(gw_database: str) -> None:
    async with admin(gw_database) as client:
        none = (await client.get(f"{V1}/series")).json()
        assert none == {"is_kept": False, "samples": [], "work": []}
        assert (await client.get(f"{V1}/jobs/1/attempts")).json() == []
        async with WorkerUtils.connect(gw_database) as utils:
            await utils.history.install()
        kept = (await client.get(f"{V1}/series?range=24h&task=t")).json()
        assert kept["is_kept"] is True


async def test_upkeep(gw_database: str) -> None:
    await add(gw_database, 2)
    await change(gw_database, "attempts = 25", "id = 1")
    await change(gw_database, "locked_at = now(), locked_by = 'w'", "id = 2")
    async with admin(gw_database) as client:
        cleaned = await client.post(f"{V1}/maintenance/delete-permanently-failed-jobs")
        assert cleaned.json()["deleted"] == {"delete-permanently-failed-jobs": 1}
        assert (await client.post(f"{V1}/maintenance/migrate")).status_code == 200
        assert (await client.post(f"{V1}/maintenance/magic")).status_code == 404
        swept = await client.post(f"{V1}/workers/sweep", json={"dry_run": True})
        assert swept.json()["dry_run"] is True
        await client.post(f"{V1}/workers/unlock", json={"workers": ["w"]})
        assert (await client.get(f"{V1}/jobs/2")).json()["row"]["locked_by"] is None
        audit = (await client.get(f"{V1}/audit")).json()
        actions = [entry["action"] for entry in audit["entries"]]
    assert actions == ["unlock", "migrate", "cleanup"]


async def test_the_audit_is_kept_where_it_is_wanted(gw_database: str) -> None:
    async with admin(gw_database, keep_audit=True) as client:
        assert (await client.get(f"{V1}/audit")).json() == {"entries": [], "is_kept": False}
        for task in ("a\u0000b", "c"):
            await client.post(f"{V1}/jobs/remove-by-key", json={"key": task})
        await client.post(f"{V1}/jobs", json={"task": "c"})
    async with admin(gw_database) as client:  # another process
        await client.post(f"{V1}/everything/pause")
        page = (await client.get(f"{V1}/audit?limit=2")).json()
        assert page["is_kept"] is True
        assert [entry["action"] for entry in page["entries"]] == ["pause", "enqueue"]
        last = page["entries"][-1]["id"]
        more = (await client.get(f"{V1}/audit?before={last}")).json()["entries"]
        assert [entry["target"] for entry in more] == [{"key": "c"}]
    async with admin(gw_database, read_only=True) as client:
        assert len((await client.get(f"{V1}/audit")).json()["entries"]) == 3


async def test_a_database_that_is_away_is_a_problem_and_not_a_crash() -> None:
    async with admin(NOWHERE) as client:
        answer = await client.get(f"{V1}/jobs")
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:graphile-worker:problem:database-away"
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503


async def test_a_schema_that_is_not_there_is_told_so(empty_database: str) -> None:
    async with admin(empty_database) as client:
        answer = await client.get(f"{V1}/overview")
    assert (answer.status_code, "migrate" in answer.json()["detail"]) == (503, True)
