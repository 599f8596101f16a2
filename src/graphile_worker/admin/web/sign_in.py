"""A link that lets one browser in, once; and the session that it then has."""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from graphile_worker.admin.web.authentication import Authenticator, Scope, header_of
from graphile_worker.admin.web.endpoint import Endpoint, Kind
from graphile_worker.admin.web.permissions import Identity
from graphile_worker.admin.web.problems import Problem, Refused

COOKIE: Final = "graphile_worker_admin"
PATH: Final = "/login"


class SignIn:
    """Lets in who comes with the session of the link, and otherwise whom another way lets in.

    Known to one process: when it ends, so do link and session.

    Args:
        other: the other way.
        identity: who the browser with the link is.
    """

    def __init__(self, other: Authenticator, identity: Identity) -> None:
        self.mode = other.mode
        self.challenge = other.challenge
        self.username = getattr(other, "username", None)
        self.header_name = getattr(other, "header_name", None)
        self._other = other
        self._identity = identity
        self._token: str | None = secrets.token_urlsafe(24)
        self._session: str | None = None

    @classmethod
    def admin(cls, other: Authenticator) -> SignIn:
        """For the one who started the program, who may do everything."""
        return cls(other, Identity.of("admin", "admin", via="session"))

    def __call__(self, scope: Scope) -> Identity | None:
        """Who sends this request; None is nobody."""
        given = _cookie(header_of(scope, "cookie"))
        if self._session is not None and given is not None and _equal(given, self._session):
            return self._identity
        return self._other(scope)

    def link(self, base: str) -> str:
        """The link, below the address at which people reach this.

        Raises:
            AssertionError: it was used.
        """
        if self._token is None:
            raise AssertionError
        return f"{base}{PATH}?token={self._token}"

    def endpoint(self) -> Endpoint:
        """Where the link leads."""
        return Endpoint(method="GET", path=PATH, call=self._come_in, needs=None, kind=Kind.PAGE)

    async def _come_in(self, request: Request, _identity: Identity) -> Response:
        token = request.query_params.get("token", "")
        if self._token is None or not _equal(token, self._token):
            raise Refused(
                Problem(
                    403,
                    "link",
                    "This link does not work",
                    "it works once, for the first who uses it",
                )
            )
        self._token = None
        self._session = secrets.token_urlsafe(32)
        response = RedirectResponse("./", 303)
        response.set_cookie(
            COOKIE,
            self._session,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            path=request.scope.get("root_path", "") or "/",
        )
        return response


def _cookie(header: str | None) -> str | None:
    if header is None:
        return None
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())
