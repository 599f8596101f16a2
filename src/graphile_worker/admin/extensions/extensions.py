"""All that a host adds to the pages."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphile_worker.admin.extensions.nav_links import NavLink
from graphile_worker.admin.extensions.panels import JobPanels


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """What a host adds; nothing by default.

    Attributes:
        panels: on the page of a job.
        nav_links: below the screens.
        trace_url: where a trace can be looked at; a template.
    """

    panels: JobPanels = field(default_factory=JobPanels)
    nav_links: tuple[NavLink, ...] = ()
    trace_url: str | None = None
