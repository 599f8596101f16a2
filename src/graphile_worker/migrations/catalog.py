"""The steps there are, and their texts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from graphile_worker.migrations.queue_index import create_index

BASELINE: Final = 18
"""Where `baseline.sql` takes an empty schema."""

LATEST: Final = 20
"""The newest revision this version knows."""

REGISTRY: Final = 20
"""Rust's revision that makes the registry of workers; Node's of this number does not."""

BREAKING: Final = frozenset({1, 3, 11, 13, 14, 16})
"""Revisions that workers of an older revision cannot work with."""

LOCKED_JOBS: Final = "55006"
"""The SQLSTATE with which revision 11 refuses to pass while jobs are locked."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is done in one transaction.

    Attributes:
        claims: the revision whose ledger row is inserted first, so that of several runners one
            does the step; None for steps that may be done twice.
        reaches: the revision the schema is at afterwards.
        announced: whether listeners on `worker:migrate` are told.
        text: SQL with the schema's placeholder.
    """

    claims: int | None
    reaches: int
    announced: bool
    text: str


def install(*, schema_exists: bool) -> Step:
    """Make the ledger, and the schema around it where there is none."""
    texts = [_read("ledger.sql")] if schema_exists else [_read("schema.sql"), _read("ledger.sql")]
    return Step(claims=None, reaches=0, announced=False, text="\n".join(texts))


def add_breaking(revision: int) -> Step:
    """Bring the ledger of a very old installation into its present shape."""
    return Step(claims=None, reaches=revision, announced=False, text=_read("ledger_breaking.sql"))


def baseline() -> Step:
    """Revisions 1 to 18 at once, and our index.

    Nobody can be working on a schema that is empty, so nobody is told: the channel is shared by
    all schemas of a database, and Node pools of another one would stop at a breaking revision.
    """
    text = "\n".join([_read("baseline.sql"), create_index()])
    return Step(claims=1, reaches=BASELINE, announced=False, text=text)


def upgrade(revision: int) -> Step:
    """From the revision before to this one."""
    text = _read(f"upgrade/{revision:06}.sql")
    return Step(claims=revision, reaches=revision, announced=True, text=text)


def registry(revision: int) -> Step:
    """The registry of workers, which Rust's revision 20 made, where Node's took the number."""
    text = _read(f"upgrade/{REGISTRY:06}.sql")
    return Step(claims=None, reaches=revision, announced=False, text=text)


def state_query() -> str:
    """The text of the query that `state.py` reads."""
    return _read("state.sql")


@cache
def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
