"""The text of a statement."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from graphile_worker.database.schema import Schema

_RUN_AT = (
    "greatest('0001-01-01 UTC', least(j.run_at, '9999-12-31 23:59:59.999999 UTC'))"
    " at time zone 'UTC'"
)
"""When a job is due, within the years that Python knows, and in no session's zone (docs/decisions:
times)."""


@lru_cache(maxsize=1024)
def load(name: str, schema: Schema, limit: int | None = None, *, without: str | None = None) -> str:
    """The text of `sql/<name>.sql` with the schema filled in.

    What stands between the lines `--[part` and `--]part` is left out `without` that part.

    A claim's batch size stands in its text as a literal (`:BATCH_SIZE`): with a parameter the
    planner of a generic plan assumes a tenth of the table (docs/decisions: claim). `:RUN_AT` is the
    time at which the job `j` is due, as Python can hold it.
    """
    text = schema.fill(_read(name, without))
    return text if limit is None else text.replace(":BATCH_SIZE", str(limit))


@lru_cache(maxsize=256)
def _read(name: str, without: str | None) -> str:
    text = (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    if without is not None:
        text = re.sub(rf"--\[{without}\n.*?--\]{without}\n", "", text, flags=re.DOTALL)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().replace(":RUN_AT", _RUN_AT)
