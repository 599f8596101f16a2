"""The options that every command takes, before or after its name, and their variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_SCHEMA: Final = "graphile_worker"
DEFAULT_MAX_CONNECTIONS: Final = 5

_KEY: Final = "graphile_worker.settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one source says; None where it says nothing."""

    database_url: str | None = None
    schema: str | None = None
    max_connections: int | None = None
    json: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What flags and environment say together; `run` and `demo` look at the layers themselves."""

    flags: Layer = field(default_factory=Layer)
    environment: Layer = field(default_factory=Layer)

    @property
    def database_url(self) -> str | None:
        """Where to connect."""
        return self.flags.database_url or self.environment.database_url

    @property
    def schema(self) -> str:
        """Where the tables are."""
        return self.flags.schema or self.environment.schema or DEFAULT_SCHEMA

    @property
    def max_connections(self) -> int:
        """The most connections a command opens."""
        return self.flags.max_connections or DEFAULT_MAX_CONNECTIONS

    @property
    def json(self) -> bool:
        """Whether the answer, and an error, is to be JSON."""
        return self.flags.json

    @classmethod
    def of(cls, context: click.Context) -> Settings:
        """What was said on the command line that this context stands for."""
        said: dict[ParameterSource, dict[str, Any]] = context.meta.get(_KEY, {})
        return cls(
            flags=Layer(**said.get(ParameterSource.COMMANDLINE, {})),
            environment=Layer(**said.get(ParameterSource.ENVIRONMENT, {})),
        )


def global_options(*, after_command: bool) -> list[click.Option]:
    """The options of the group, or the same ones of a command, which win and read no environment.

    They are not handed to the command's function: `Settings.of` has them.
    """
    shared: dict[str, Any] = {"expose_value": False, "callback": _remember}

    def variable(name: str) -> str | None:
        return None if after_command else name

    return [
        click.Option(
            ["--database-url"],
            metavar="URL",
            envvar=variable("DATABASE_URL"),
            help="A libpq URL, or embedded: for a PostgreSQL that comes along. [env: DATABASE_URL]",
            **shared,
        ),
        click.Option(
            ["--schema"],
            metavar="NAME",
            envvar=variable("GRAPHILE_WORKER_SCHEMA"),
            help=f"Where the tables are. [env: GRAPHILE_WORKER_SCHEMA; default: {DEFAULT_SCHEMA}]",
            **shared,
        ),
        click.Option(
            ["--max-connections"],
            metavar="N",
            type=click.IntRange(min=1),
            help=f"The most connections to open. [default: {DEFAULT_MAX_CONNECTIONS}]",
            **shared,
        ),
        click.Option(
            ["--json"], is_flag=True, help="Answer in JSON; errors too, on stderr.", **shared
        ),
    ]


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Keep a value with its source; parsed later, the command's own options win."""
    source = context.get_parameter_source(parameter.name or "")
    if source in {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}:
        context.meta.setdefault(_KEY, {}).setdefault(source, {})[parameter.name] = value
    return value


class Group(click.Group):
    """A group of commands that takes the global options after its name too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(global_options(after_command=True))


class Command(click.Command):
    """A command that takes the global options after its name too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(global_options(after_command=True))
