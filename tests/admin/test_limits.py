"""How much, how long, how often; and doing once what is asked for twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin import Identity
from graphile_worker.admin.web.idempotency import Idempotency
from graphile_worker.admin.web.limits import Rate, limited
from graphile_worker.admin.web.mounting import located, slash_is_missing
from graphile_worker.admin.web.problems import Refused


def sent(*bodies: bytes) -> Any:
    """A `receive` that gives these parts of a body, and then waits for ever."""
    left = list(bodies)

    async def receive() -> Any:
        if not left:
            await asyncio.Event().wait()
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    return receive


async def test_a_body_in_many_parts_is_no_larger_than_one() -> None:
    receive = limited(sent(b"x" * 60, b"x" * 60, b""), most=100)
    await receive()
    with pytest.raises(Refused) as refused:
        await receive()
    assert refused.value.problem.status == 413


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def never() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(Refused) as refused:
        await limited(never, seconds=0.01)()
    assert refused.value.problem.status == 408


async def test_after_the_body_the_end_of_the_connection_may_take_any_time() -> None:
    receive = limited(sent(b""), seconds=0.01)
    await receive()
    waiting = asyncio.create_task(receive())
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    waiting.cancel()
    assert not done


def test_each_has_a_rate_of_their_own_and_it_fills_again(monkeypatch: Any) -> None:
    now = 100.0
    monkeypatch.setattr("graphile_worker.admin.web.limits.time.monotonic", lambda: now)
    rate = Rate(3)
    for _ in range(3):
        rate.take("a")
    with pytest.raises(Refused) as refused:
        rate.take("a")
    assert refused.value.problem.status == 429
    rate.take("b")
    now += 0.4
    rate.take("a")
    with pytest.raises(Refused):
        rate.take("a")


class Counting:
    """An endpoint that counts its calls, and fails when it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None

    async def __call__(self, _request: Request, _identity: Identity) -> Response:
        self.calls += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return Response(str(self.calls))


def request(key: str, body: bytes = b"{}") -> Request:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/x",
        "query_string": b"",
        "server": ("test", 80),
        "headers": [(b"idempotency-key", key.encode())],
    }
    return Request(scope, sent(body))


async def test_what_failed_is_forgotten_and_each_has_keys_of_their_own() -> None:
    endpoint = Counting()
    call = Idempotency().once(endpoint)
    ada, bob = Identity.of("ada", "admin"), Identity.of("bob", "admin")
    endpoint.error = RuntimeError("no")
    both = await asyncio.gather(
        call(request("k"), ada), call(request("k"), ada), return_exceptions=True
    )
    assert [type(answer) for answer in both] == [RuntimeError, RuntimeError]
    assert endpoint.calls == 1
    endpoint.error = None
    assert (await call(request("k"), ada)).body == b"2"
    again = await call(request("k"), ada)
    assert (again.body, again.headers["idempotent-replayed"]) == (b"2", "true")
    assert (await call(request("k"), bob)).body == b"3"
    with pytest.raises(Refused):
        await call(request("k" * 300), ada)


@pytest.mark.parametrize(
    ("scope", "path", "root"),
    [
        ({"path": "/a", "root_path": "", "raw_path": b"/a"}, "/a", ""),
        ({"path": "/p/a", "root_path": "/p", "raw_path": b"/p/a"}, "/p/a", "/p"),
        ({"path": "/a/b/", "root_path": "", "raw_path": b"/p/a%2Fb"}, "/p/a/b", "/p"),
        ({"path": "/a/", "root_path": "", "raw_path": b"/p/a/"}, "/p/a/", "/p"),
        ({"path": "/", "root_path": "", "raw_path": b"/p"}, "/p", "/p"),
        ({"path": "/", "root_path": "", "raw_path": b"/"}, "/", ""),
        ({"path": "/é", "root_path": "", "raw_path": b"/p/%C3%A9?x=/y"}, "/p/é", "/p"),
        ({"path": "/a", "root_path": ""}, "/a", ""),
    ],
)
def test_where_it_is_mounted(scope: dict[str, Any], path: str, root: str) -> None:
    found = located(scope)
    assert (found["path"], found["root_path"]) == (path, root)


def test_a_root_without_its_slash_leads_to_the_one_with_it() -> None:
    assert slash_is_missing({"path": "/ops/jobs", "root_path": "/ops/jobs"}) == "jobs/"
    assert slash_is_missing({"path": "/ops/jobs/", "root_path": "/ops/jobs"}) is None
    assert slash_is_missing({"path": "/", "root_path": ""}) is None
