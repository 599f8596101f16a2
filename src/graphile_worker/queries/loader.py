"""The text of a statement."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from graphile_worker.database.schema import Schema


@lru_cache(maxsize=1024)
def load(name: str, schema: Schema, limit: int | None = None) -> str:
    """The text of `sql/<name>.sql` with the schema filled in.

    A claim's batch size stands in its text as a literal (`:BATCH_SIZE`): with a parameter the
    planner of a generic plan assumes a tenth of the table (docs/decisions: claim).
    """
    text = schema.fill(_read(name))
    return text if limit is None else text.replace(":BATCH_SIZE", str(limit))


@lru_cache(maxsize=256)
def _read(name: str) -> str:
    text = (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).strip()
