"""Links to places of the host's, below the screens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from graphile_worker.admin.extensions.addresses import is_safe
from graphile_worker.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class NavLink:
    """A link.

    Attributes:
        label: what it says.
        address: where it leads.
    """

    label: str
    address: str


def checked_nav_links(given: Iterable[tuple[str, str]]) -> tuple[NavLink, ...]:
    """Pairs of label and address as links.

    Raises:
        ConfigurationError: one is no such pair, or leads to what a page must not link to.
    """
    return tuple(_checked(pair) for pair in given)


def _checked(pair: object) -> NavLink:
    match pair:
        case (str(label), str(address)) if label.strip():
            pass
        case _:
            raise ConfigurationError(
                f"nav_links must be pairs of a label and an address, got {pair!r}"
            )
    if not is_safe(address):
        raise ConfigurationError(
            "the address of a nav link must be http://…, https://…, mailto:…, or a path on the "
            f"same host that begins with /, got {address!r}"
        )
    return NavLink(label.strip(), address)
