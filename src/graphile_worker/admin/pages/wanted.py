"""Filters as a viewer may use them."""

from __future__ import annotations

from collections.abc import Mapping

from graphile_worker.admin.pages.site import Site
from graphile_worker.admin.service.filters import JobFilter, parse_filter
from graphile_worker.errors import ConfigurationError


def filter_for(site: Site, may: frozenset[str], given: Mapping[str, str]) -> JobFilter:
    """The filter in the parameters of an address or a form.

    Who may not see payloads may not search them either, and who may ask whether a secret is 42 is
    told what it is.

    Raises:
        ConfigurationError: it is not understood, or needs a permission that is missing.
    """
    wanted = parse_filter(given)
    if {"payload", "q"} & wanted.fields.keys():
        _require(may, "view_payload")
    if any(site.reading.redactor.is_secret(step) for step in wanted.wanted.payload_path or ()):
        _require(may, "reveal_payload")
    return wanted


def _require(may: frozenset[str], permission: str) -> None:
    if permission not in may:
        raise ConfigurationError(
            f"you may not search payloads so: it needs the permission {permission}"
        )
