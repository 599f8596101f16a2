"""A proxy that says who asks, believed from where it is."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from support.admin_app import SAME_ORIGIN

from graphile_worker import ConfigurationError
from graphile_worker.admin import create_admin_app, proxy_header_auth
from graphile_worker.admin.web.permissions import ROLES
from graphile_worker.admin.web.proxy_header import PEER

PROXY = "10.0.0.7"


async def status(
    headers: Any,
    *,
    peer: tuple[str, int] | None = (PROXY, 4711),
    networks: Any = "10.0.0.0/8",
    **options: Any,
) -> httpx.Response:
    app = create_admin_app("postgres://nowhere", auth=proxy_header_auth(networks, **options))

    async def from_peer(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "client": peer}, receive, send)

    transport = httpx.ASGITransport(app=from_peer)
    async with httpx.AsyncClient(transport=transport, base_url="http://admin.test") as client:
        return await client.get("/api/v1/status", headers=headers)


async def test_a_trusted_proxy_says_who_asks() -> None:
    answer = await status({"X-Forwarded-User": "ada@example.com"})
    assert answer.status_code == 200
    user = answer.json()["user"]
    assert (user["name"], user["role"]) == ("ada@example.com", "viewer")


@pytest.mark.parametrize(
    "peer",
    [("11.0.0.1", 1), ("9.255.255.255", 1), ("::ffff:11.0.0.1", 1), ("fe80::1", 1), ("", 1), None],
)
async def test_nobody_else_is_believed(peer: Any) -> None:
    answer = await status({"X-Forwarded-User": "ada"}, peer=peer)
    assert answer.status_code == 403
    assert answer.json()["type"].endswith(":untrusted-proxy")
    assert "believed of trusted proxies alone" in answer.json()["detail"]
    assert "10.0.0.0" not in answer.text


@pytest.mark.parametrize(
    ("networks", "peer"),
    [
        (["192.0.2.1/32", "10.0.0.0/8"], PROXY),
        (["10.0.0.7"], PROXY),
        (["10.0.0.0/8"], f"::ffff:{PROXY}"),
        (["fd00::/8"], "fd00::1"),
    ],
)
async def test_networks_of_both_kinds(networks: Any, peer: str) -> None:
    answer = await status({"X-Forwarded-User": "ada"}, networks=networks, peer=(peer, 1))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Forwarded-User": ""},
        {"X-Forwarded-User": "  "},
        [("X-Forwarded-User", "ada"), ("X-Forwarded-User", "bob")],
        {"X-Forwarded-User": "a" * 201},
        {"X-Forwarded-User": "a\tb"},
        {"X-Forwarded-User": b"\xff\xfe"},
        {"X-Forwarded-Email": "ada@example.com"},
    ],
)
async def test_a_proxy_that_names_nobody_lets_nobody_in(headers: Any) -> None:
    answer = await status(headers)
    assert answer.status_code == 401
    assert "the proxy names nobody: x-forwarded-user has to be there" in answer.json()["detail"]


@pytest.mark.parametrize(
    "forwarded", ["10.0.0.7", "10.0.0.7:4711", "8.8.8.8, 10.0.0.7", "[::ffff:10.0.0.7]:1"]
)
async def test_an_address_that_a_server_took_from_a_header_is_not_believed(forwarded: str) -> None:
    # uvicorn puts the first of X-Forwarded-For there when it was told to believe everybody.
    headers = {"X-Forwarded-User": "admin", "X-Forwarded-For": forwarded}
    answer = await status(headers)
    assert answer.status_code == 403
    assert "may have been taken from X-Forwarded-For" in answer.json()["detail"]


async def test_our_own_servers_keep_the_address() -> None:
    auth = proxy_header_auth(PROXY)
    headers = [(b"x-forwarded-user", b"ada"), (b"x-forwarded-for", b"10.0.0.7")]
    scope = {"headers": headers, "client": ("203.0.113.9", 0), PEER: (PROXY, 4711)}
    identity = auth(scope)
    assert identity is not None
    assert identity.name == "ada"


ROLE_HEADER: Any = {"role_header": "X-Forwarded-Groups"}
GROUPS: Any = {**ROLE_HEADER, "roles": {"sre": "admin", "support": {"retry", "view"}}}


@pytest.mark.parametrize(
    ("options", "groups", "role"),
    [
        ({}, "admin", "viewer"),
        ({"role": "operator"}, "", "operator"),
        (ROLE_HEADER, "admin", "admin"),
        (ROLE_HEADER, "staff, operator", "operator"),
        (ROLE_HEADER, "staff", "viewer"),
        (GROUPS, "support,sre", "admin"),
        (GROUPS, "admin", "viewer"),
        (GROUPS, "support", ""),
        ({**GROUPS, "role": ()}, "staff", ""),
    ],
)
async def test_roles_come_from_a_header_or_from_groups_in_it(
    options: Any, groups: str, role: str
) -> None:
    auth = proxy_header_auth(PROXY, **options)
    headers = [(b"x-forwarded-user", b"ada"), (b"x-forwarded-groups", groups.encode())]
    identity = auth({"headers": headers, "client": (PROXY, 1)})
    assert identity is not None
    assert identity.role == role
    wanted = ROLES.get(role, frozenset())
    if groups == "support":
        wanted = ROLES["viewer"] | {"retry"}
    assert identity.permissions == wanted


async def test_a_change_still_needs_a_proof_that_it_is_asked_for_from_here() -> None:
    auth = proxy_header_auth(PROXY, role="admin")
    app = create_admin_app("postgres://nowhere", auth=auth)
    transport = httpx.ASGITransport(app=app, client=(PROXY, 1))
    headers = {"X-Forwarded-User": "ada"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://admin.test", headers=headers
    ) as client:
        path = "/api/v1/maintenance/none"
        assert (await client.post(path, json={})).status_code == 403
        assert (await client.post(path, json={}, headers=SAME_ORIGIN)).status_code != 403


@pytest.mark.parametrize(
    ("networks", "options", "says"),
    [
        ([], {}, "at least one network"),
        ("0.0.0.0/0", {}, "must not be everybody's"),
        (["10.0.0.0/8", "::/0"], {}, "must not be everybody's"),
        ("10.0.0.1/8", {}, "has host bits set"),
        ("proxy.example", {}, "must be networks like"),
        (PROXY, {"user_header": "a b"}, "invalid header name"),
        (PROXY, {"role_header": ""}, "invalid header name"),
        (PROXY, {"role": "boss"}, "role must be one of"),
        (PROXY, {"roles": {"a": "admin"}}, "role_header must be given too"),
        (PROXY, {"role_header": "g", "roles": {"a": "boss"}}, "role must be one of"),
    ],
)
def test_what_makes_no_sense_is_refused(networks: Any, options: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        proxy_header_auth(networks, **options)
