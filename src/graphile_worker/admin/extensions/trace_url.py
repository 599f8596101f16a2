"""Where a trace can be looked at."""

from __future__ import annotations

from typing import Final

from graphile_worker.admin.extensions.addresses import is_safe
from graphile_worker.admin.service.traces import Trace
from graphile_worker.errors import ConfigurationError

_TRACE: Final = "{trace_id}"
_SPAN: Final = "{span_id}"


def checked_trace_url(template: str | None) -> str | None:
    """The template, if links can be made of it.

    Raises:
        ConfigurationError: it names no trace, or leads to what a page must not link to.
    """
    if template is None:
        return None
    if _TRACE not in template:
        raise ConfigurationError(f"trace_url must have {_TRACE} in it, got {template!r}")
    if not is_safe(template) or template.startswith("mailto:"):
        raise ConfigurationError(
            "trace_url must be http://…, https://…, or a path on the same host that begins with /, "
            f"got {template!r}"
        )
    return template


def trace_address(template: str | None, trace: Trace | None) -> str | None:
    """Where to look at a trace; None where there is no trace, or nobody said where.

    Other braces stay: addresses of tools hold JSON.
    """
    if template is None or trace is None:
        return None
    return template.replace(_TRACE, trace.trace_id).replace(_SPAN, trace.span_id or "")
