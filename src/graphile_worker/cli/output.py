"""What commands print: a table on a terminal, TSV in a pipe, JSON on request."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NAMED: Final = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def writes_unicode() -> bool:
    """Whether stdout takes any character."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def dumps(value: Any) -> str:
    """JSON as we print it: indented, whole numbers of any size exact."""
    return json.dumps(value, indent=2, ensure_ascii=not writes_unicode())


def print_json(value: Any) -> None:
    """An answer to `--json`."""
    click.echo(dumps(value))


def warn(text: str, *, as_json: bool, **facts: Any) -> None:
    """Something to know on stderr, which does not make the command fail; one line in JSON too.

    Args:
        text: one line.
        as_json: whether `--json` was given.
        facts: what a program may want to know besides the text.
    """
    if as_json:
        text = json.dumps({"warning": text, **facts}, ensure_ascii=not writes_unicode())
    else:
        text = f"Warning: {text}"
    click.echo(text, err=True)


def instant(value: datetime) -> str:
    """RFC 3339 in UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for JSON: those there are, with times as RFC 3339."""
    return {
        name: instant(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def one_line(value: object) -> str:
    """A value for one cell; `-` for null.

    Control characters are written out: a key or an error must neither break a line nor steer the
    reader's terminal.
    """
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return instant(value)
    return _CONTROL.sub(lambda found: _NAMED.get(found[0], f"\\x{ord(found[0]):02x}"), str(value))


def print_rows(
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    numbers: Sequence[str] = (),
    nothing: str | None = None,
) -> None:
    """Rows for whoever reads: a table on a terminal, else TSV with a header.

    Args:
        header: the names of the columns.
        rows: the values; see `one_line`.
        numbers: columns to align on the right.
        nothing: what a terminal shows instead of a table without rows.
    """
    if nothing is not None and not rows and sys.stdout.isatty():
        click.echo(nothing)
        return
    cells = [[one_line(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        from graphile_worker.cli.tables import print_table  # noqa: PLC0415 (rich is slow)

        print_table(header, cells, numbers=numbers)
        return
    click.echo("\n".join("\t".join(row) for row in [list(header), *cells]))
