"""Tokens and headers that a proxy may add: no proof that a browser was not sent by another site."""

from __future__ import annotations

import pytest
from support.admin_app import admin

from graphile_worker.admin import bearer_auth, header_auth

WAYS = {
    "bearer": (bearer_auth("t"), {"Authorization": "Bearer t"}),
    "header": (header_auth("x-key", "t"), {"X-Key": "t"}),
}
HEADERS = [
    ({}, True),
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "https://as.the.proxy.says"}, True),
    # Nobody's page asked: somebody's own program in a browser, as an extension.
    ({"Sec-Fetch-Site": "none"}, True),
    ({"Sec-Fetch-Site": "none", "Origin": "moz-extension://8f7e"}, True),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://admin.test"}, False),
    # As browsers ask that do not say Sec-Fetch-Site, which none does over plain HTTP.
    ({"Origin": "http://evil.test"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": "http://admin.test"}, True),
    ({"Origin": "https://outside.example"}, True),
    ({"Sec-Fetch-Site": "cross-site", "X-Graphile-Worker-Admin-CSRF": "any"}, True),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("headers", "is_let_in"), HEADERS)
async def test_what_a_browser_says_counts_whatever_a_proxy_added(
    way: str, headers: dict[str, str], is_let_in: bool
) -> None:
    auth, proof = WAYS[way]
    origin = "https://outside.example"
    async with admin("postgres://nowhere", auth=auth, origin=origin) as client:
        client.headers.pop("Sec-Fetch-Site")
        client.headers.update(proof)
        answer = await client.post("/api/v1/jobs", json={"task": ""}, headers=headers)
        assert answer.status_code == (400 if is_let_in else 403), answer.text


async def test_who_is_refused_is_told_how_to_say_under_which_name_this_is_reached() -> None:
    async with admin("postgres://nowhere") as client:
        client.headers.pop("Sec-Fetch-Site")
        headers = {"Origin": "https://jobs.example"}
        answer = await client.post("/api/v1/jobs", json={"task": ""}, headers=headers)
    assert answer.status_code == 403
    assert "it comes from https://jobs.example" in answer.json()["detail"]
    assert "give it as origin" in answer.json()["detail"]


async def test_who_says_no_origin_is_not_told_to_give_it_as_origin() -> None:
    async with admin("postgres://nowhere") as client:
        client.headers.pop("Sec-Fetch-Site")
        answer = await client.post("/api/v1/jobs", json={"task": ""}, headers={"Origin": "null"})
    assert answer.status_code == 403
    assert "as origin" not in answer.json()["detail"]
    assert "Referrer-Policy" in answer.json()["detail"]
