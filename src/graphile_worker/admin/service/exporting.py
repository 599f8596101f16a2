"""Jobs as files to take away: a line of JSON each, or a row of CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeAlias, cast

import msgspec

from graphile_worker.queries.admin_jobs import JobRow

Chunks: TypeAlias = AsyncIterator[list[JobRow]]

_NAMES: Final = tuple(field.name for field in dataclasses.fields(JobRow))
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of something to work out."""


@dataclasses.dataclass(frozen=True, slots=True)
class ExportForm:
    """What a file of jobs looks like.

    Attributes:
        name: of the form, which is also the end of the file's.
        media_type: of the file.
        head: stands before the first job.
        lines: of some jobs; a payload that is None is empty.
    """

    name: str
    media_type: str
    head: bytes
    lines: Callable[[Iterable[JobRow]], bytes]

    @property
    def headers(self) -> dict[str, str]:
        """Of a response with such a file."""
        return {
            "Content-Disposition": f'attachment; filename="jobs.{self.name}"',
            "Cache-Control": "no-store",
        }

    async def file(self, chunks: Chunks, *, shows: bool) -> AsyncIterator[bytes]:
        """The file, piece by piece as the jobs come.

        Args:
            chunks: the jobs, without secrets.
            shows: whether payloads may be seen; they are empty otherwise.
        """
        if self.head:
            yield self.head
        async for rows in chunks:
            yield self.lines(
                rows if shows else [dataclasses.replace(row, payload=None) for row in rows]
            )


def _json_lines(rows: Iterable[JobRow]) -> bytes:
    return b"".join(_json_line(row) for row in rows)


def _json_line(row: JobRow) -> bytes:
    found: dict[str, Any] = msgspec.to_builtins(row)
    if row.payload is not None:
        # As it is stored, but on one line. Within a string JSON has no line breaks of its own.
        text = row.payload.replace("\n", " ").replace("\r", " ")
        found["payload"] = msgspec.Raw(text.encode())
    return msgspec.json.encode(found) + b"\n"


def _csv_lines(rows: Iterable[JobRow]) -> bytes:
    return _csv([_cell(getattr(row, name)) for name in _NAMES] for row in rows)


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    """A value as a spreadsheet shows it: numbers are numbers, and no text is a formula."""
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat()
        case Enum():
            return value.value
        case list():
            text = ", ".join(cast("list[str]", value))
        case str():
            text = value
        case _:
            return value
    return f"'{text}" if text.startswith(_FORMULA) else text


NDJSON: Final = ExportForm("ndjson", "application/x-ndjson", b"", _json_lines)
CSV: Final = ExportForm("csv", "text/csv", _csv([_NAMES]), _csv_lines)
FORMS: Final = {form.name: form for form in (NDJSON, CSV)}
