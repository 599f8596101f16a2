"""Doing once what is asked for twice."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.web.endpoint import Call
from graphile_worker.admin.web.permissions import Identity
from graphile_worker.admin.web.problems import Problem, Refused, invalid

HEADER: Final = "Idempotency-Key"
KEPT_SECONDS: Final = 3_600.0
KEPT: Final = 1_000
"""Answers, the newest, that one process remembers."""
_LONGEST: Final = 200


@dataclass(slots=True)
class _Known:
    digest: bytes
    answer: asyncio.Future[Response]
    until: float


class Idempotency:
    """Answers again, to the same request with the same key, what was answered before.

    Known to one process, for an hour. What failed is forgotten, and may be tried again.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str, str], _Known] = OrderedDict()

    def once(self, call: Call) -> Call:
        """The endpoint, done once for each key."""

        async def call_once(request: Request, identity: Identity) -> Response:
            key = request.headers.get(HEADER)
            if key is None:
                return await call(request, identity)
            if not 1 <= len(key) <= _LONGEST:
                raise invalid(f"{HEADER} must have 1 to {_LONGEST} characters")
            place = (identity.name, request.method, request.url.path, key)
            digest = hashlib.sha256(await request.body()).digest()
            return await self._once(place, digest, lambda: call(request, identity))

        return call_once

    async def _once(
        self,
        place: tuple[str, str, str, str],
        digest: bytes,
        do: Callable[[], Awaitable[Response]],
    ) -> Response:
        known = self._known.get(place)
        if known is not None and known.until > time.monotonic():
            if known.digest != digest:
                raise Refused(
                    Problem(
                        422,
                        "key-used",
                        "This key stands for another request",
                        f"{HEADER} was sent before with another body; use a new one",
                    )
                )
            return _again(await asyncio.shield(known.answer))
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._known[place] = _Known(digest, future, time.monotonic() + KEPT_SECONDS)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        try:
            response = await do()
        except BaseException as error:
            self._known.pop(place, None)
            future.set_exception(
                error if isinstance(error, Exception) else ConnectionAbortedError("cancelled")
            )
            future.exception()  # nobody may be waiting
            raise
        future.set_result(response)
        return _again(response, first=True)


def _again(response: Response, *, first: bool = False) -> Response:
    headers = dict(response.headers)
    if not first:
        headers["Idempotent-Replayed"] = "true"
    return Response(bytes(response.body), response.status_code, headers)
