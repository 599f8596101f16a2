"""The routes of the Rust implementation's admin server."""

from __future__ import annotations

from typing import Any

import pytest
from support.admin_app import admin

from graphile_worker.admin import basic_auth

LISTED = {
    *("id", "task_identifier", "queue_name", "payload", "priority", "run_at", "attempts"),
    *("max_attempts", "last_error", "created_at", "updated_at", "key", "locked_at", "locked_by"),
    *("revision", "flags", "is_available"),
}
OUTPUT = LISTED - {"queue_name", "is_available"} | {"task_id", "job_queue_id"}


async def test_a_client_of_the_rust_server_finds_what_it_knows(gw_database: str) -> None:
    async with admin(gw_database, auth=basic_auth("me", "pw")) as client:
        client.auth = ("me", "pw")
        client.headers.pop("Sec-Fetch-Site")
        session = (await client.get("/api/session")).json()
        assert session == {
            "schema": "graphile_worker",
            "read_only": False,
            "csrf_header": "x-graphile-worker-admin-csrf",
            "auth": {
                "mode": "Basic",
                "username": "me",
                "header_name": None,
                "generated_secret": False,
            },
        }
        client.headers[session["csrf_header"]] = "0123"
        added = await client.post(
            "/api/jobs", json={"identifier": "t", "queue": "q", "payload": {"a": 1}, "key": "k"}
        )
        assert added.json()["message"] == "Added job 1"
        [job] = added.json()["jobs"]
        assert set(job) == OUTPUT
        assert (job["task_id"], job["job_queue_id"], job["payload"]) == (1, 1, {"a": 1})
        [listed] = (await client.get("/api/jobs?state=ready&search=T")).json()["jobs"]
        assert set(listed) == LISTED
        assert (await client.get("/api/jobs/1")).json() == listed
        overview = (await client.get("/api/overview")).json()
        assert overview["stats"] == {
            "total": 1,
            "ready": 1,
            "scheduled": 0,
            "locked": 0,
            "failed": 0,
        }
        assert overview["queues"][0]["ready_count"] == 1
        for action, said in {
            "fail": "Failed",
            "run-now": "Run now",
            "reschedule": "Rescheduled",
            "complete": "Completed",
        }.items():
            body: dict[str, Any] = {"action": action, "ids": [1]}
            if action == "reschedule":
                body["priority"] = 3
            answer = await client.post("/api/jobs/action", json=body)
            assert answer.json()["message"] == f"{said} 1 job(s)"
            assert set(answer.json()["jobs"][0]) == OUTPUT
        assert (await client.post("/api/jobs/remove-by-key", json={"key": "k"})).json() == {
            "message": "Removed job with key `k`"
        }
        for body, said in (
            ({"action": "migrate"}, "Migrations complete"),
            ({"action": "cleanup"}, "Cleanup complete"),
            ({"action": "force-unlock", "worker_ids": ["a", "b"]}, "Unlocked 2 worker id(s)"),
            ({"action": "sweep-stale-workers", "dry_run": True}, "No stale workers found"),
        ):
            answer = await client.post("/api/maintenance", json=body)
            assert answer.json() == {"message": said}


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/jobs?limit=-1", None, 400, "limit must be greater than or equal to 0"),
        ("/api/nothing", None, 404, "resource not found"),
        ("/api/jobs/action", {"action": "fail", "ids": []}, 400, "select at least one job"),
        (
            "/api/jobs/action",
            {"action": "reschedule", "ids": [1]},
            400,
            "provide run_at, priority, attempts, or max_attempts",
        ),
        ("/api/jobs/remove-by-key", {"key": " "}, 400, "key is required"),
        ("/api/jobs", {"identifier": "t", "job_key_mode": "replace"}, 400, "key is required when"),
        ("/api/jobs", {"identifier": " "}, 400, "identifier is required"),
        ("/api/maintenance", {"action": "force-unlock"}, 400, "provide at least one worker id"),
    ],
)
async def test_its_errors_are_in_its_words(path: str, body: Any, status: int, error: str) -> None:
    async with admin("postgres://nowhere") as client:
        answer = await (client.get(path) if body is None else client.post(path, json=body))
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)


async def test_a_reason_that_is_blank_is_filled_in(gw_database: str) -> None:
    async with admin(gw_database) as client:
        assert (await client.get("/api/jobs/9")).json() == {"error": "job 9 not found"}
        await client.post("/api/jobs", json={"identifier": "t"})
        await client.post("/api/jobs/action", json={"action": "fail", "ids": [1], "reason": " "})
        job = (await client.get("/api/jobs/1")).json()
    assert job["last_error"] == "Marked failed from Graphile Worker admin UI"
