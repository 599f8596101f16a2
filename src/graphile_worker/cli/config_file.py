"""Options from a TOML file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import click

from graphile_worker.cli.run_options import run_options
from graphile_worker.errors import ConfigurationError

_GLOBAL: Final = ("database_url", "schema")
_PATHS: Final = frozenset({"crontab", "tasks_dir"})
"""Read from where the file is, not from where the command is called."""


def read_config(path: Path) -> dict[str, Any]:
    """What a file says: name of the option → value.

    A file that has a table `[tool.graphile_worker]`, or is called `pyproject.toml`, says it there;
    any other at its top. Names are those of the options, with `_` or `-`.

    Raises:
        ConfigurationError: it cannot be read, a name is unknown, or a value makes no sense; the
            message names the file.
    """
    options = {option.name: option for option in run_options()}
    read: dict[str, Any] = {}
    for key, value in _table(path).items():
        name = key.replace("-", "_")
        if name in read:
            raise ConfigurationError(f"{path}: {name} is said twice")
        if name in _GLOBAL:
            read[name] = _text(path, name, value)
        elif name in options:
            read[name] = _located(path, name, _converted(path, options[name], value))
        else:
            raise ConfigurationError(_unknown(path, key, [*_GLOBAL, *filter(None, options)]))
    return read


def _table(path: Path) -> Mapping[str, Any]:
    try:
        whole: Any = tomllib.loads(path.read_bytes().decode())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"cannot read {str(path)!r}: {reason}") from None
    tools: Any = whole.get("tool")
    own: Any = tools.get("graphile_worker") if _is_table(tools) else None
    if own is None:
        own = {} if path.name == "pyproject.toml" else whole
    if not _is_table(own):
        raise ConfigurationError(f"{path}: tool.graphile_worker must be a table")
    found: Mapping[str, Any] = own
    return found


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _unknown(path: Path, key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key.replace("-", "_"), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "`graphile-worker config show` lists all"
    return f"{path}: there is no option {key!r}; {hint}"


def _text(path: Path, name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{path}: {name} must be a text, got {value!r}")
    if not value:
        raise ConfigurationError(f"{path}: {name} must not be empty")
    return value


def _converted(path: Path, option: click.Option, value: object) -> Any:
    """As the flag would have it."""
    name = option.name
    if option.is_flag:
        if not isinstance(value, bool):
            raise ConfigurationError(f"{path}: {name} must be true or false, got {value!r}")
        return value
    if option.multiple:
        values = cast("list[object]", value) if isinstance(value, list) else [value]
        return tuple(_single(path, option, each) for each in values)
    return _single(path, option, value)


def _single(path: Path, option: click.Option, value: object) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigurationError(f"{path}: {option.name} cannot be {value!r}")
    try:
        return option.type.convert(str(value), option, None)
    except click.BadParameter as error:
        raise ConfigurationError(f"{path}: {option.name}: {error.message}") from None


def _located(path: Path, name: str, value: Any) -> Any:
    if name not in _PATHS:
        return value
    if isinstance(value, tuple):
        return tuple(str(path.parent / each) for each in cast("tuple[str, ...]", value))
    return str(path.parent / value)
