"""Who asks: the ways to find out that come along."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeAlias

from graphile_worker.admin.web.permissions import Identity
from graphile_worker.errors import ConfigurationError

Scope: TypeAlias = Mapping[str, Any]
"""An ASGI scope of type `http`."""
AuthCallable: TypeAlias = Callable[[Any], "Identity | None | Awaitable[Identity | None]"]
"""Tells who sends a request by its ASGI scope; None is nobody. May be async."""

REALM: Final = 'Basic realm="Graphile Worker Admin", charset="UTF-8"'
_FORBIDDEN_IN_NAMES: Final = set(' "(),/:;<=>?@[\\]{}')


class Authenticator(Protocol):
    """A way to find out that comes along: a callable that knows what it is called."""

    mode: str
    """`Basic`, `Bearer`, `Header`, `Proxy-Header` or `None`."""
    challenge: str | None
    """What `WWW-Authenticate` says to nobody."""

    def __call__(self, scope: Scope) -> Identity | None:
        """Who sends this request; None is nobody."""
        ...


class _Basic:
    mode = "Basic"
    challenge: str | None = REALM

    def __init__(self, username: str, password: str, role: str | Iterable[str]) -> None:
        self.username = username
        self._digest = _digest(f"{username}:{password}")
        self._identity = Identity.of(username, role, via="basic")

    def __call__(self, scope: Scope) -> Identity | None:
        given = header_of(scope, "authorization")
        if given is None or given[:6] != "Basic ":
            return None
        try:
            login = base64.b64decode(given[6:], validate=True).decode()
        except (ValueError, binascii.Error):
            return None
        return self._identity if hmac.compare_digest(_digest(login), self._digest) else None


class _Token:
    def __init__(self, mode: str, name: str, value: str, identity: Identity) -> None:
        self.mode = mode
        self.challenge: str | None = (
            'Bearer realm="Graphile Worker Admin"' if (mode == "Bearer") else None
        )
        self.header_name = name
        self._digest = _digest(value)
        self._identity = identity

    def __call__(self, scope: Scope) -> Identity | None:
        given = header_of(scope, self.header_name)
        if given is None:
            return None
        return self._identity if hmac.compare_digest(_digest(given), self._digest) else None


class _Everybody:
    mode = "None"
    challenge: str | None = None

    def __init__(self, role: str | Iterable[str]) -> None:
        self._identity = Identity.of("anonymous", role, via="none")

    def __call__(self, scope: Scope) -> Identity | None:
        del scope
        return self._identity


def basic_auth(
    username: str, password: str, *, role: str | Iterable[str] = "admin"
) -> Authenticator:
    """HTTP Basic: one user.

    Args:
        username: without colons.
        password: not empty.
        role: `viewer`, `operator`, `admin`, or permissions.

    Raises:
        ConfigurationError: one of them is none.
    """
    if not username or ":" in username:
        raise ConfigurationError(f"username must not be empty or hold a colon, got {username!r}")
    return _Basic(username, _secret("password", password), role)


def bearer_auth(
    token: str, *, name: str = "bearer", role: str | Iterable[str] = "admin"
) -> Authenticator:
    """`Authorization: Bearer …` with one token.

    Args:
        token: not empty.
        name: whom the audit names.
        role: `viewer`, `operator`, `admin`, or permissions.

    Raises:
        ConfigurationError: the token is empty.
    """
    value = f"Bearer {_secret('token', token)}"
    return _Token("Bearer", "authorization", value, Identity.of(name, role, via="bearer"))


def header_auth(
    header_name: str, token: str, *, name: str = "header", role: str | Iterable[str] = "admin"
) -> Authenticator:
    """A header of any name with one token, as a proxy may add it.

    Args:
        header_name: of the header.
        token: not empty.
        name: whom the audit names.
        role: `viewer`, `operator`, `admin`, or permissions.

    Raises:
        ConfigurationError: the token is empty, or no header can have this name.
    """
    identity = Identity.of(name, role, via="header")
    return _Token("Header", checked_header_name(header_name), _secret("token", token), identity)


def allow_all(role: str | Iterable[str] = "admin") -> Authenticator:
    """Everybody who can reach it: for where something else asks who they are.

    Args:
        role: what they may do: `viewer`, `operator`, `admin`, or permissions.
    """
    return _Everybody(role)


def checked_header_name(name: str) -> str:
    """The name of a header, as it is compared.

    Raises:
        ConfigurationError: no header can have this name.
    """
    if not name or not name.isascii() or not name.isprintable() or set(name) & _FORBIDDEN_IN_NAMES:
        raise ConfigurationError(f"invalid header name `{name}`")
    return name.lower()


def header_of(scope: Scope, name: str) -> str | None:
    """A header of a request; None where it is not there exactly once."""
    key = name.encode("latin-1")
    found = [value for given, value in scope["headers"] if given.lower() == key]
    try:
        return found[0].decode() if len(found) == 1 else None
    except UnicodeDecodeError:
        return None


def _secret(name: str, value: str) -> str:
    if not value:
        raise ConfigurationError(f"{name} must not be empty")
    return value


def _digest(text: str) -> bytes:
    """Of one length, so that comparing tells nothing of the length either."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
