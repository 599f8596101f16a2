"""Payloads that are stored in a form of the host's own."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from support.admin_app import admin

from graphile_worker import WorkerUtils
from graphile_worker.admin import Identity

PLAIN = {"order": 7, "password": "hunter2"}


def sealed(value: Any) -> dict[str, str]:
    return {"sealed": base64.b64encode(json.dumps(value).encode()).decode()}


def unseal(task: str, payload: str) -> str:
    found = json.loads(payload)
    if "sealed" not in found:
        return payload
    return base64.b64decode(found["sealed"], validate=True).decode()


async def unseal_async(task: str, payload: str) -> str:
    return unseal(task, payload)


class Unsealing:
    async def __call__(self, task: str, payload: str) -> str:
        return unseal(task, payload)


async def add(url: str, *payloads: Any) -> list[int]:
    async with WorkerUtils.connect(url) as utils:
        return [(await utils.add_raw_job("charge", payload)).id for payload in payloads]


@pytest.mark.parametrize("decoder", [unseal, unseal_async, Unsealing()])
async def test_payloads_are_decoded_before_secrets_are_hidden(
    gw_database: str, decoder: Any
) -> None:
    job_id, plain = await add(gw_database, sealed(PLAIN), {"plain": 1})
    async with admin(gw_database, payload_decoder=decoder) as client:
        api = f"/api/v1/jobs/{job_id}"
        told = (await client.get(api)).json()["payload"]
        assert told["text"] == '{\n  "order": 7,\n  "password": "[redacted]"\n}'
        assert (told["hidden"], told["problem"]) == (1, None)
        revealed = (await client.get(api, params={"reveal": "true"})).json()["payload"]
        assert "hunter2" in revealed["text"]
        file = await client.get(f"{api}/payload")
        assert file.json() == {"order": 7, "password": "[redacted]"}
        rows = (await client.get("/api/v1/jobs?fields=payload")).json()["rows"]
        assert {row["id"]: json.loads(row["payload"]) for row in rows} == {
            job_id: {"order": 7, "password": "[redacted]"},
            plain: {"plain": 1},
        }
        lines = (await client.get("/api/v1/export.ndjson")).text.splitlines()
        assert {"order": 7, "password": "[redacted]"} in [
            json.loads(line)["payload"] for line in lines
        ]
        (old,) = [
            job for job in (await client.get("/api/jobs")).json()["jobs"] if job["id"] == job_id
        ]
        assert old["payload"] == {"order": 7, "password": "[redacted]"}
        page = (await client.get(f"/jobs/{job_id}")).text
        assert "&#34;order&#34;: 7" in page
        assert "hunter2" not in page


async def test_what_adds_a_job_again_has_what_is_stored(gw_database: str) -> None:
    stored = sealed(PLAIN)
    (job_id,) = await add(gw_database, stored)
    async with admin(gw_database, payload_decoder=unseal) as client:
        assert stored["sealed"] in (await client.get(f"/jobs/{job_id}/as/sql")).text
        assert stored["sealed"] in (await client.get(f"/jobs/{job_id}/as/python")).text
        as_json = (await client.get(f"/jobs/{job_id}/as/json")).json()
        assert as_json["payload"] == {"order": 7, "password": "[redacted]"}
        copied = await client.post("/jobs/new", data={"like": str(job_id), "_from": "page"})
        assert copied.status_code == 200
    async with WorkerUtils.connect(gw_database) as utils:
        jobs = await utils.list_jobs()
    assert [job.payload for job in jobs] == [stored, stored]


def raising(task: str, payload: str) -> str:
    raise ValueError("no key for hunter2")


def no_json(task: str, payload: str) -> str:
    return "password: hunter2"


def no_text(task: str, payload: str) -> Any:
    return {"password": "hunter2"}


@pytest.mark.parametrize(
    ("decoder", "says"),
    [
        (raising, "the decoder raised ValueError"),
        (no_json, "the decoder answered with text that is not JSON"),
        (no_text, "the decoder answered with dict, not text"),
    ],
)
async def test_a_payload_that_cannot_be_decoded_is_shown_with_secrets_only(
    gw_database: str, decoder: Any, says: str
) -> None:
    (job_id,) = await add(gw_database, {"kept": "as it is", "password": "hunter2"})
    async with admin(gw_database, payload_decoder=decoder) as client:
        page = (await client.get(f"/jobs/{job_id}")).text
        assert f"It could not be decoded: {says}." in page
        assert "as it is" not in page
        assert "<button>Reveal</button>" in page
        revealed = (await client.post(f"/jobs/{job_id}", data={"_from": "page"})).text
        assert says in revealed
        assert "as it is" in revealed
        assert "hunter2" in revealed
        told = (await client.get(f"/api/v1/jobs/{job_id}")).json()["payload"]
        assert (told["text"], told["problem"]) == ("", says)
        refused = await client.get(f"/api/v1/jobs/{job_id}/payload")
        assert refused.status_code == 422
        assert says in refused.json()["detail"]
        whole = await client.get(f"/api/v1/jobs/{job_id}/payload?reveal=true")
        assert whole.json() == {"kept": "as it is", "password": "hunter2"}
        assert (await client.get(f"/jobs/{job_id}/payload")).status_code == 422
        rows = (await client.get("/api/v1/jobs?fields=payload")).json()["rows"]
        assert [row["payload"] for row in rows] == [None]
        exported = (await client.get("/api/v1/export.ndjson")).json()
        assert exported["payload"] is None
        assert (await client.get("/api/jobs")).json()["jobs"][0]["payload"] is None


async def test_who_may_not_see_secrets_sees_no_payload_that_cannot_be_decoded(
    gw_database: str,
) -> None:
    (job_id,) = await add(gw_database, {"kept": "as it is"})

    def auth(scope: Any) -> Identity:
        return Identity.of("vera", "viewer")

    async with admin(gw_database, payload_decoder=raising, auth=auth) as client:
        page = (await client.get(f"/jobs/{job_id}")).text
        assert "It could not be decoded" in page
        assert "Reveal" not in page
        assert (await client.post(f"/jobs/{job_id}", data={"_from": "page"})).status_code == 403


async def test_a_decoder_gets_whole_payloads_or_none(gw_database: str) -> None:
    big = {"sealed": base64.b64encode(json.dumps({"n": "x" * 200_000}).encode()).decode()}
    (job_id,) = await add(gw_database, big)
    async with admin(gw_database, payload_decoder=unseal) as client:
        told = (await client.get(f"/api/v1/jobs/{job_id}")).json()["payload"]
        assert told["text"].startswith('{\n  "n": "xxx')
        assert (told["is_cut"], told["problem"]) == (True, None)
        assert len((await client.get(f"/api/v1/jobs/{job_id}/payload")).json()["n"]) == 200_000
        rows = (await client.get("/api/v1/jobs?fields=payload")).json()["rows"]
        assert [row["payload"] for row in rows] == [None]  # of long ones only the beginning is read
