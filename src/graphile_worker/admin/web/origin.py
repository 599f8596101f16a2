"""Whether a change is asked for by the user's own page or program, and not by another site."""

from __future__ import annotations

import re
from typing import Final

from graphile_worker.admin.web.authentication import Scope, header_of
from graphile_worker.admin.web.permissions import Identity
from graphile_worker.admin.web.problems import Problem, Refused
from graphile_worker.errors import ConfigurationError

CSRF_HEADER: Final = "x-graphile-worker-admin-csrf"
"""Clients of the Rust implementation send it with every change. No other site can: browsers ask
before they send a header of one's own, and are never answered."""

_ORIGIN: Final = re.compile(r"https?://[^\s/?#@]+/?")
_PROGRAMS: Final = {"bearer", "header"}
"""How those come in that send a token with each request."""
_TYPES: Final = {"application/json", "application/x-www-form-urlencoded"}


def check_origin(scope: Scope, identity: Identity, *, origin: str | None) -> None:
    """Refuse what another site may have made a browser send; keeps no state.

    Args:
        scope: of the request.
        identity: who asks.
        origin: under which people reach this, where no proxy tells, as `checked_origin`
            gives it; None: as the request says.

    Raises:
        Refused: with 403, or 415 for a body that a form of another site could send.
    """
    _check_type(scope)
    if header_of(scope, CSRF_HEADER):
        return
    site, given = header_of(scope, "sec-fetch-site"), header_of(scope, "origin")
    if identity.via in _PROGRAMS and _is_no_page(site, given):
        return
    if site is not None:
        if site != "same-origin":
            raise _refused(f"it comes from another site (Sec-Fetch-Site: {site[:40]})")
        return
    if given is None:
        raise _refused(
            "it says neither by Sec-Fetch-Site nor by Origin where it comes from; programs send a "
            f"bearer token, or any text in {CSRF_HEADER}"
        )
    if given == "null":
        raise _refused(
            "the browser keeps to itself where it comes from (Origin: null), as it does in a "
            "sandboxed frame, or where a proxy says Referrer-Policy: no-referrer; let it say "
            "same-origin"
        )
    if given.lower() not in {origin, _origin_of(scope)}:
        raise _refused(
            f"it comes from {given[:200]}; if that is where people reach this, give it as origin"
        )


def checked_origin(text: str | None) -> str | None:
    """An origin as browsers send it.

    Raises:
        ConfigurationError: it has no scheme, or more than scheme, host and port.
    """
    if text is None:
        return None
    if not _ORIGIN.fullmatch(text):
        raise ConfigurationError(
            "origin must be a scheme, a host and perhaps a port, like https://admin.example.com, "
            f"got {text!r}"
        )
    return text.removesuffix("/").lower()


def _is_no_page(site: str | None, origin: str | None) -> bool:
    """Whether what asks with a token is no page in a browser.

    A proxy may add the token to whatever passes it, also to what another site made a browser send.
    Programs say neither header; an extension of somebody's own browser says `none`.
    """
    return site == "none" or (site is None and origin is None)


def _check_type(scope: Scope) -> None:
    if header_of(scope, "content-length") in {None, "0"} and (
        header_of(scope, "transfer-encoding") is None
    ):
        return
    media, _, _ = (header_of(scope, "content-type") or "").partition(";")
    if media.strip().lower() not in _TYPES:
        raise Refused(
            Problem(
                415,
                "media-type",
                "Send JSON",
                f"Content-Type must be application/json, got {media[:80] or 'none'}",
            )
        )


def _origin_of(scope: Scope) -> str:
    return f"{scope.get('scheme', 'http')}://{header_of(scope, 'host') or ''}".lower()


def _refused(detail: str) -> Refused:
    return Refused(Problem(403, "cross-site", "This change was not asked for from here", detail))
