"""Every endpoint against every permission, and the ways in."""

from __future__ import annotations

import base64
import csv
import io
from typing import Any

import httpx
import pytest
from support.admin_app import admin, asked, endpoints_of
from support.running import sql

from graphile_worker import ConfigurationError
from graphile_worker.admin import (
    PERMISSIONS,
    ROLES,
    Identity,
    allow_all,
    basic_auth,
    bearer_auth,
    create_admin_app,
    header_auth,
)

V1 = "/api/v1"
ANY_ACTION = {"retry", "reschedule", "fail", "delete"}

NEEDS: dict[tuple[str, str], set[str]] = {
    **{
        ("GET", f"{V1}/{path}"): {"view"}
        for path in (
            *("status", "overview", "jobs", "jobs/count", "jobs/1", "failures", "tasks"),
            *(
                "jobs/1/attempts",
                "series",
                "tasks/t",
                "queues",
                "queues/q",
                "workers",
                "cron",
                "health",
            ),
            *("suggest?field=task", "operations", "operations/0", "paused", "openapi.json"),
        )
    },
    ("GET", f"{V1}/jobs/1/payload"): {"view_payload"},
    ("GET", f"{V1}/audit"): {"audit"},
    ("GET", f"{V1}/export.ndjson"): {"export"},
    ("GET", f"{V1}/export.csv"): {"export"},
    ("POST", f"{V1}/jobs"): {"enqueue"},
    ("POST", f"{V1}/jobs/actions"): ANY_ACTION,
    ("POST", f"{V1}/jobs/preview"): ANY_ACTION,
    ("POST", f"{V1}/jobs/remove-by-key"): {"delete"},
    ("POST", f"{V1}/operations"): {"bulk"},
    ("DELETE", f"{V1}/operations/0"): {"bulk"},
    ("POST", f"{V1}/cron/c/run"): {"enqueue"},
    **{
        ("POST", f"{V1}/{what}/{verb}"): {"pause"}
        for what in ("queues/q", "tasks/t", "cron/c", "everything")
        for verb in ("pause", "resume")
    },
    ("POST", f"{V1}/workers/unlock"): {"unlock"},
    ("POST", f"{V1}/workers/sweep"): {"sweep"},
    ("POST", f"{V1}/maintenance/migrate"): {"migrate"},
    ("POST", f"{V1}/maintenance/all"): {"maintain"},
    ("GET", "/metrics"): {"view"},
    ("GET", "/api/session"): {"view"},
    ("GET", "/api/overview"): {"view"},
    ("GET", "/api/jobs"): {"view"},
    ("GET", "/api/jobs/1"): {"view"},
    ("POST", "/api/jobs"): {"enqueue"},
    ("POST", "/api/jobs/action"): ANY_ACTION,
    ("POST", "/api/jobs/remove-by-key"): {"delete"},
    ("POST", "/api/maintenance"): {"migrate", "maintain", "unlock", "sweep"},
}
"""What one of these permissions opens; nothing else does."""

PUBLIC = {("GET", "/healthz"), ("GET", "/readyz")}


class Only:
    """Somebody who may do just this."""

    def __init__(self) -> None:
        self.permissions: set[str] | None = set()
        self.asked = 0

    def __call__(self, _scope: Any) -> Identity | None:
        if self.permissions is None:
            return None
        self.asked += 1  # under one name, so many changes would be too many for one second
        return Identity.of(f"only-{self.asked}", self.permissions)


async def ask(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    if method == "POST":
        return await client.post(path, json={} if body is None else body)
    return await client.request(method, path)


def is_refused(answer: Any) -> bool:
    said = answer.text
    return answer.status_code == 403 and "it needs the permission" in said


async def test_each_permission_opens_what_it_is_for_and_nothing_else(gw_database: str) -> None:
    who = Only()
    async with admin(gw_database, auth=who) as client:
        for (method, path), needs in NEEDS.items():
            for permission in PERMISSIONS:
                who.permissions = {permission}
                answer = await ask(client, method, path)
                assert is_refused(answer) == (permission not in needs), (path, permission)


def test_the_table_above_has_every_endpoint() -> None:
    app = create_admin_app("postgres://nowhere", auth=allow_all())
    there = {(one.method, one.path): one.needs for one in endpoints_of(app) if is_api(one.path)}
    listed = {template(method, path): needs for (method, path), needs in NEEDS.items()}
    assert {key for key, needs in there.items() if needs is None} == PUBLIC
    assert {key: set(needs) for key, needs in there.items() if needs is not None} == listed


def is_api(path: str) -> bool:
    return path.startswith("/api") or path in {"/healthz", "/readyz", "/metrics"}


def template(method: str, path: str) -> tuple[str, str]:
    for name, of in {
        "jobs/1": "jobs/{id}",
        "operations/0": "operations/{id}",
        "tasks/t": "tasks/{name:text}",
        "queues/q": "queues/{name:text}",
        "cron/c": "cron/{name:text}",
        "maintenance/all": "maintenance/{task}",
        "?field=task": "",
    }.items():
        path = path.replace(name, of)
    return method, path


ACTIONS = {
    "retry": "retry",
    "run_now": "retry",
    "fail": "fail",
    "delete": "delete",
}


@pytest.mark.parametrize(("action", "needed"), ACTIONS.items())
async def test_an_action_needs_its_own_permission(
    gw_database: str, action: str, needed: str
) -> None:
    who = Only()
    async with admin(gw_database, auth=who) as client:
        body = {"action": action, "ids": [1]}
        who.permissions = {needed}
        assert (await client.post(f"{V1}/jobs/actions", json=body)).status_code == 200
        started = await client.post(f"{V1}/operations", json={"action": action, "filter": {}})
        assert is_refused(started)
        who.permissions = set(PERMISSIONS) - {needed}
        assert is_refused(await client.post(f"{V1}/jobs/actions", json=body))
        assert is_refused(
            await client.post(f"{V1}/operations", json={"action": action, "filter": {}})
        )


async def test_maintenance_and_migrating_are_different_permissions(gw_database: str) -> None:
    who = Only()
    async with admin(gw_database, auth=who) as client:
        who.permissions = {"maintain"}
        assert is_refused(await client.post(f"{V1}/maintenance/migrate"))
        who.permissions = {"migrate"}
        assert is_refused(await client.post(f"{V1}/maintenance/all"))
        rust = "/api/maintenance"
        for action, needed in {
            "migrate": "migrate",
            "cleanup": "maintain",
            "force-unlock": "unlock",
            "sweep-stale-workers": "sweep",
        }.items():
            body = {"action": action, "worker_ids": ["w"]}
            who.permissions = {"migrate", "maintain", "unlock", "sweep"} - {needed}
            assert is_refused(await client.post(rust, json=body)), action
            who.permissions = {needed}
            assert (await client.post(rust, json=body)).status_code == 200, action


async def test_who_may_not_see_payloads_neither_sees_nor_searches_them(gw_database: str) -> None:
    who = Only()
    async with admin(gw_database, auth=who) as client:
        who.permissions = {"enqueue"}
        await client.post(f"{V1}/jobs", json={"task": "t", "payload": {"secret": "hunter2"}})
        who.permissions = {"view", "export"}
        for path in ("jobs?fields=payload", "jobs?payload=hunter2", "jobs?q=hunter2"):
            assert is_refused(await client.get(f"{V1}/{path}")), path
        assert is_refused(await client.get("/api/jobs?search=hunter2"))
        assert is_refused(await client.get(f"{V1}/jobs/1?reveal=true"))
        for path in (f"{V1}/jobs/1", f"{V1}/export.ndjson", "/api/jobs/1"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert answer.json()["payload"] is None, path
        table = (await client.get(f"{V1}/export.csv")).text
        assert [row["payload"] for row in csv.DictReader(io.StringIO(table))] == [""]


async def test_secrets_are_revealed_to_those_who_may_and_it_is_written_down(
    gw_database: str,
) -> None:
    who = Only()
    async with admin(gw_database, auth=who) as client:
        who.permissions = set(PERMISSIONS)
        await client.post(f"{V1}/jobs", json={"task": "t", "payload": {"password": "hunter2"}})
        for path in ("jobs/1", "jobs/1/payload"):
            who.permissions = set(PERMISSIONS) - {"reveal_payload"}
            assert "hunter2" not in (await client.get(f"{V1}/{path}")).text
            assert is_refused(await client.get(f"{V1}/{path}?reveal=true"))
            who.permissions = set(PERMISSIONS)
            assert "hunter2" in (await client.get(f"{V1}/{path}?reveal=true")).text
        audit = (await client.get(f"{V1}/audit")).json()["entries"]
    assert [entry["action"] for entry in audit[:2]] == ["reveal", "reveal"]
    assert audit[0]["actor"].startswith("only-")


async def test_secrets_are_not_found_out_by_asking(gw_database: str) -> None:
    who = Only()
    async with admin(gw_database, auth=who) as client:
        who.permissions = {"view", "view_payload"}
        assert is_refused(await client.get(f"{V1}/jobs?payload=user.password=a"))
        assert (await client.get(f"{V1}/jobs?payload=user.id=1")).status_code == 200
        async with sql(gw_database) as connection:
            await connection.execute("select graphile_worker.add_job('t')")
            await connection.execute(
                "update graphile_worker._private_jobs"
                " set attempts = 25, last_error = 'no: password=hunter2'"
            )
        answers = [await client.get(f"{V1}/{path}") for path in ("failures", "jobs", "jobs/1")]
        answers.append(await client.get("/api/jobs"))
    assert not [answer for answer in answers if "hunter2" in answer.text]


async def test_roles_grow() -> None:
    assert ROLES["viewer"] < ROLES["operator"] < ROLES["admin"] == set(PERMISSIONS)
    assert not ROLES["operator"] & {"delete", "reveal_payload", "unlock", "migrate", "audit"}
    with pytest.raises(ConfigurationError, match="role must be one of viewer"):
        Identity.of("x", "root")
    with pytest.raises(ConfigurationError, match="got fly"):
        Identity.of("x", {"view", "fly"})


async def test_nobody_gets_nothing_whatever_is_asked_for(gw_database: str) -> None:
    who = Only()
    who.permissions = None
    async with admin(gw_database, auth=who) as client:
        for method, path in [*NEEDS, ("GET", "/nothing"), ("POST", "/api/v1/nothing")]:
            answer = await ask(client, method, path)
            assert answer.status_code == 401, path
            assert "default-src 'none'" in answer.headers["content-security-policy"]
        who.permissions = set()
        for path in ("/nothing", "/api/v1/nothing", "/api/nothing"):
            assert (await client.get(path)).status_code == 404
        assert (await client.put(f"{V1}/jobs")).status_code == 405


def basic(login: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


AUTHS = [
    (basic_auth("admin", "pä:ss"), basic("admin:pä:ss"), True),
    (basic_auth("admin", "pass"), basic("admin:Pass"), False),
    (basic_auth("admin", "pass"), {"Authorization": "basic YWRtaW46cGFzcw=="}, False),
    (basic_auth("admin", "pass"), {"Authorization": "Basic ###"}, False),
    (basic_auth("admin", "pass"), {}, False),
    (bearer_auth("t0k"), {"Authorization": "Bearer t0k"}, True),
    (bearer_auth("t0k"), {"Authorization": "Bearer t0"}, False),
    (header_auth("X-Token", "t0k"), {"x-token": "t0k"}, True),
    (header_auth("X-Token", "t0k"), {"x-token": "other"}, False),
]


@pytest.mark.parametrize(("auth", "headers", "is_let_in"), AUTHS)
async def test_ways_in(auth: Any, headers: dict[str, str], is_let_in: bool) -> None:
    async with asked(create_admin_app("postgres://nowhere", auth=auth)) as client:
        answer = await client.get(f"{V1}/status", headers=headers)
    assert answer.status_code == (200 if is_let_in else 401)
    if auth.mode == "Basic" and not is_let_in:
        assert answer.headers["www-authenticate"].startswith("Basic realm=")


async def test_a_way_in_may_be_any_function() -> None:
    async def by_scope(scope: Any) -> Identity | None:
        user = scope.get("user")
        return None if user is None else Identity.of(user, "viewer")

    app = create_admin_app("postgres://nowhere", auth=by_scope)

    async def with_user(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "user": "zoë"}, receive, send)

    async with asked(with_user) as client:
        assert (await client.get(f"{V1}/status")).json()["user"]["name"] == "zoë"
    async with asked(app) as client:
        assert (await client.get(f"{V1}/status")).status_code == 401


def test_secrets_and_names_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="password must not be empty"):
        basic_auth("admin", "")
    with pytest.raises(ConfigurationError, match="invalid header name `a b`"):
        header_auth("a b", "t")
    for origin in ("admin.example.com", "https://x/path", "https://"):
        with pytest.raises(ConfigurationError, match="origin must be a scheme"):
            create_admin_app("postgres://nowhere", auth=allow_all(), origin=origin)
    with pytest.raises(ConfigurationError, match="allow_all"):
        create_admin_app("postgres://nowhere", auth=None)  # type: ignore[arg-type]


ORIGINS = [
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "none"}, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://admin.test"}, False),
    ({"Origin": "http://admin.test"}, True),
    ({"Origin": "https://admin.test"}, False),
    ({"Origin": "http://evil.test"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": "https://outside.example"}, True),
    ({}, False),
    ({"X-Graphile-Worker-Admin-CSRF": "anything"}, True),
]


@pytest.mark.parametrize(("headers", "is_let_in"), ORIGINS)
async def test_changes_are_asked_for_from_here(headers: dict[str, str], is_let_in: bool) -> None:
    # Fault 12: no token of one process, so that any replica and any restart will do.
    async with admin("postgres://nowhere", origin="https://outside.example") as client:
        client.headers.pop("Sec-Fetch-Site")
        answer = await client.post(f"{V1}/jobs", json={"task": ""}, headers=headers)
        assert answer.status_code == (400 if is_let_in else 403)
        assert (await client.get(f"{V1}/status", headers=headers)).status_code == 200


async def test_a_program_with_a_token_proves_enough(gw_database: str) -> None:
    async with admin(gw_database, auth=bearer_auth("t")) as client:
        client.headers.pop("Sec-Fetch-Site")
        client.headers["Authorization"] = "Bearer t"
        assert (await client.post(f"{V1}/jobs", json={"task": "t"})).status_code == 201


async def test_what_a_form_of_another_site_could_send_is_no_json(gw_database: str) -> None:
    async with admin(gw_database) as client:
        answer = await client.post(
            f"{V1}/jobs", content='{"task": "t"}', headers={"Content-Type": "text/plain"}
        )
    assert answer.status_code == 415


async def test_read_only_refuses_every_change_before_it_looks_at_it(gw_database: str) -> None:
    async with admin(gw_database, read_only=True) as client:
        for method, path in NEEDS:
            if method == "GET":
                continue
            answer = await ask(client, method, path, {"nonsense": 1})
            if path.endswith("/preview"):
                assert answer.status_code == 400
                continue
            assert answer.status_code == 403, path
            assert "read-only" in answer.text.lower()
        assert (await client.get(f"{V1}/status")).json()["read_only"] is True
        rust = await client.post("/api/jobs", json={})
        assert rust.json() == {"error": "admin UI is running in read-only mode"}


async def test_too_much_too_often(gw_database: str) -> None:
    async with admin(gw_database) as client:
        big = await client.post(f"{V1}/jobs", json={"task": "t", "payload": "x" * 1_100_000})
        assert big.status_code == 413
        statuses = [
            (await client.post(f"{V1}/jobs/actions", json={})).status_code for _ in range(60)
        ]
    assert statuses[0] == 400
    assert 429 in statuses


async def test_headers_of_every_answer(gw_database: str) -> None:
    async with admin(gw_database) as client:
        for path in ("/healthz", f"{V1}/jobs", "/nothing", f"{V1}/jobs/999999"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin", (
                "with no-referrer, browsers say Origin: null with forms"
            )
            assert headers["cache-control"] == "no-store"
            assert "unsafe" not in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
