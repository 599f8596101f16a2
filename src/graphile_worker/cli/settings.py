"""What files, variables and flags say: the options that every command takes, and those of `run`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from graphile_worker.cli.said import remember, said
from graphile_worker.cli.texts import filled

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_SCHEMA: Final = "graphile_worker"
DEFAULT_MAX_CONNECTIONS: Final = 5

_GLOBAL: Final = frozenset({"database_url", "schema", "max_connections", "config", "json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one source says; None, or no entry, where it says nothing."""

    database_url: str | None = None
    schema: str | None = None
    max_connections: int | None = None
    config: str | None = None
    json: bool = False
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What it says of the options in `run_options`, by their names."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a file, the environment and flags say together.

    `run` and `demo` look at the layers themselves.
    """

    flags: Layer = field(default_factory=Layer)
    environment: Layer = field(default_factory=Layer)
    file: Layer = field(default_factory=Layer)
    path: str | None = None
    """Of the file."""

    @property
    def database_url(self) -> str | None:
        """Where to connect."""
        return _first(layer.database_url for layer in self._layers)

    @property
    def schema(self) -> str:
        """Where the tables are."""
        given = _first(layer.schema for layer in self._layers)
        return DEFAULT_SCHEMA if given is None else given

    @property
    def max_connections(self) -> int:
        """The most connections a command opens."""
        return self.flags.max_connections or DEFAULT_MAX_CONNECTIONS

    @property
    def json(self) -> bool:
        """Whether the answer, and an error, is to be JSON."""
        return self.flags.json

    def option(self, name: str) -> Any:
        """What is said of an option that is nothing to the user's code; None: nothing."""
        for layer in self._layers:
            if name in layer.options:
                return layer.options[name]
        return None

    @classmethod
    def of(cls, context: click.Context) -> Settings:
        """What was said on the command line that this context stands for.

        Raises:
            ConfigurationError: there is no such file, or it says something that makes no sense.
        """
        flags = _layer(said(context, ParameterSource.COMMANDLINE))
        environment = _layer(said(context, ParameterSource.ENVIRONMENT))
        path = config_path(_first([flags.config, environment.config]))
        if path is None:
            return cls(flags, environment)
        # Only where there is a file, since checking it takes every option there is.
        from graphile_worker.cli.config_file import read_config  # noqa: PLC0415

        return cls(flags, environment, _layer(read_config(path)), str(path))

    @property
    def _layers(self) -> tuple[Layer, ...]:
        """The one that wins first."""
        return self.flags, self.environment, self.file


def config_path(said: str | None) -> Path | None:
    """The file that is named; else the `pyproject.toml` here, if it says something of us."""
    if said is not None:
        return Path(said)
    here = Path("pyproject.toml")
    try:
        return here if b"graphile_worker" in here.read_bytes() else None
    except OSError:
        return None


def _first(said: Iterable[str | None]) -> str | None:
    """The first that is said: None says nothing."""
    return next((text for text in said if text is not None), None)


def _layer(values: Mapping[str, Any]) -> Layer:
    own = {name: value for name, value in values.items() if name in _GLOBAL}
    return Layer(**own, options={name: values[name] for name in values.keys() - own.keys()})


def global_options(*, after_command: bool) -> list[click.Option]:
    """The options of the group, or the same ones of a command, which win and read no environment.

    They are not handed to the command's function: `Settings.of` has them.
    """
    shared: dict[str, Any] = {"expose_value": False, "callback": remember}

    def variable(*names: str) -> tuple[str, ...] | None:
        return None if after_command else names

    return [
        click.Option(
            ["--database-url"],
            metavar="URL",
            type=filled,
            envvar=variable("DATABASE_URL", "GRAPHILE_WORKER_DATABASE_URL"),
            help="A libpq URL, or embedded: for a PostgreSQL that comes along. [env: DATABASE_URL]",
            **shared,
        ),
        click.Option(
            ["--schema"],
            metavar="NAME",
            type=filled,
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
            ["--config"],
            metavar="FILE",
            type=filled,
            envvar=variable("GRAPHILE_WORKER_CONFIG"),
            help="A TOML file with options. [env: GRAPHILE_WORKER_CONFIG; default: "
            "[tool.graphile_worker] of ./pyproject.toml]",
            **shared,
        ),
        click.Option(
            ["--json"], is_flag=True, help="Answer in JSON; errors too, on stderr.", **shared
        ),
    ]


class Command(click.Command):
    """A command that takes the global options after its name too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(global_options(after_command=True))


class Group(click.Group):
    """A group of commands that takes them too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(global_options(after_command=True))
