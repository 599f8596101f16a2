"""A proxy that asks people who they are, and tells by a header: believed from that proxy only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, TypeAlias

from graphile_worker.admin.web.authentication import (
    Authenticator,
    Scope,
    checked_header_name,
    header_of,
)
from graphile_worker.admin.web.permissions import ROLES, Identity, permissions_of
from graphile_worker.admin.web.problems import Problem, Refused
from graphile_worker.errors import ConfigurationError

PEER: Final = "graphile_worker.peer"
"""The key of a scope that has the address of who sent the request, whatever headers say; put there
by our own servers."""

_FORWARDED_FOR: Final = "x-forwarded-for"
_LONGEST_NAME: Final = 200
_BETWEEN_ROLES: Final = re.compile(r"[,;|\s]+")

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


class ProxyHeader:
    """Believes what a proxy says of who asks; made by `proxy_header_auth`."""

    mode = "Proxy-Header"
    challenge: str | None = None

    def __init__(
        self,
        networks: tuple[Network, ...],
        user_header: str,
        permissions: frozenset[str],
        role_header: str | None,
        roles: Mapping[str, frozenset[str]],
    ) -> None:
        self.header_name = user_header
        self._networks = networks
        self._permissions = permissions
        self._role_header = role_header
        self._roles = roles

    def __call__(self, scope: Scope) -> Identity | None:
        """Who sends this request.

        Raises:
            Refused: it does not come from a proxy that is believed, or the proxy names nobody.
        """
        self._check_peer(scope)
        name = (header_of(scope, self.header_name) or "").strip()
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise Refused(
                Problem(
                    401,
                    "unauthorized",
                    "Who are you?",
                    f"the proxy names nobody: {self.header_name} has to be there once, and to be a "
                    f"name of at most {_LONGEST_NAME} characters",
                )
            )
        permissions = self._permissions.union(*self._given_roles(scope))
        role = next((role for role, of in ROLES.items() if of == permissions), "")
        return Identity(name, role, permissions, "proxy")

    def _check_peer(self, scope: Scope) -> None:
        peer = _peer_of(scope)
        address = _address(peer)
        if address is None or not any(address in network for network in self._networks):
            raise _not_believed(f"{peer or 'an unknown address'} is none")
        if PEER not in scope and address in _forwarded_for(scope):
            raise _not_believed(
                f"{peer} may have been taken from X-Forwarded-For: let the server leave the "
                "address of requests as it is (uvicorn: --no-proxy-headers)"
            )

    def _given_roles(self, scope: Scope) -> list[frozenset[str]]:
        if self._role_header is None:
            return []
        given = _BETWEEN_ROLES.split(header_of(scope, self._role_header) or "")
        return [self._roles[name] for name in given if name in self._roles]


def proxy_header_auth(
    trusted_proxies: str | Iterable[str],
    *,
    user_header: str = "x-forwarded-user",
    role: str | Iterable[str] = "viewer",
    role_header: str | None = None,
    roles: Mapping[str, str | Iterable[str]] | None = None,
) -> Authenticator:
    """A proxy that asks people who they are and says so by a header, as OAuth2 Proxy does.

    What does not come from such a proxy itself is refused, whatever its headers say. The proxy has
    to overwrite the headers, or people could send them along.

    Args:
        trusted_proxies: networks in CIDR notation from which the header is believed: that of the
            proxy alone, as `10.0.0.7/32`.
        user_header: has the name of who asks.
        role: what everybody may do whom the proxy names: `viewer`, `operator`, `admin`, or
            permissions.
        role_header: has roles, or groups, with commas between, which add to that. None: there is
            no such header.
        roles: what the members of groups may do; others are left out. None: the header has our
            own roles.

    Raises:
        ConfigurationError: a network, name or role is none, or a network is everybody's.
    """
    if roles is not None and role_header is None:
        raise ConfigurationError("roles are those of groups, so role_header must be given too")
    given: Mapping[str, Any] = dict.fromkeys(ROLES) if roles is None else roles
    return ProxyHeader(
        _networks(trusted_proxies),
        checked_header_name(user_header),
        permissions_of(role),
        None if role_header is None else checked_header_name(role_header),
        {name: permissions_of(of or name) for name, of in given.items()},
    )


def _networks(given: str | Iterable[str]) -> tuple[Network, ...]:
    networks = tuple(map(_network, [given] if isinstance(given, str) else given))
    if not networks:
        raise ConfigurationError("trusted_proxies must name at least one network, got none")
    return networks


def _network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ConfigurationError(
            f"trusted_proxies must be networks like 10.0.0.0/8, got {text!r}: {error}"
        ) from None
    if network.prefixlen == 0:
        raise ConfigurationError(
            f"trusted_proxies must not be everybody's, got {text!r}: who asks could then name "
            "themselves as they like"
        )
    return network


def _peer_of(scope: Scope) -> str | None:
    client = scope.get(PEER) or scope.get("client")
    return None if client is None else str(client[0])


def _address(text: str | None) -> Address | None:
    """An address; one of IPv4 that comes by a socket of IPv6 as what it is."""
    try:
        found = ip_address(text or "")
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _forwarded_for(scope: Scope) -> set[Address | None]:
    """The addresses that X-Forwarded-For names, with ports or without."""
    key = _FORWARDED_FOR.encode()
    values = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == key]
    return {_address(_without_port(part)) for value in values for part in value.split(",")} - {None}


def _without_port(text: str) -> str:
    text = text.strip().strip('"')
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _not_believed(why: str) -> Refused:
    return Refused(
        Problem(
            403,
            "untrusted-proxy",
            "Only proxies may ask here",
            f"who asks is believed of trusted proxies alone, and {why}",
        )
    )
