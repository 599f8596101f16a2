"""What was said on a command line, and where: the memory of the options that are layered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click
from click.core import ParameterSource

_KEY: Final = "graphile_worker.said"


def remember(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Keep a value with its source, as a parameter's callback; what is parsed later wins."""
    source = context.get_parameter_source(parameter.name or "")
    if source in {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}:
        context.meta.setdefault(_KEY, {}).setdefault(source, {})[parameter.name] = value
    return value


def said(context: click.Context, source: ParameterSource) -> Mapping[str, Any]:
    """The values that this source gave, by the names of their parameters."""
    sources: Mapping[ParameterSource, Mapping[str, Any]] = context.meta.get(_KEY, {})
    return sources.get(source, {})
