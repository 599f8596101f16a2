"""Crontab files."""

from __future__ import annotations

from pathlib import Path

from graphile_worker.cron.crontab import Crontab
from graphile_worker.cron.faults import Line
from graphile_worker.cron.parser import parse_crontab
from graphile_worker.errors import CrontabError


def read_crontab(path: str) -> list[Crontab]:
    """The entries of a file.

    Raises:
        CrontabError: there is no such file, it is not UTF-8, or a line of it is wrong.
    """
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CrontabError(f"cannot read the crontab {path!r}: {reason}") from None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(data, error.start) from None
    return parse_crontab(text)


def _not_utf8(data: bytes, start: int) -> CrontabError:
    """Where the first byte is that is none, and its line as far as it can be read."""
    number = data.count(b"\n", 0, start) + 1
    begin = data.rfind(b"\n", 0, start) + 1
    line = data[begin:].split(b"\n", 1)[0].rstrip(b"\r").decode(errors="replace")
    offset = len(data[begin:start].decode())
    return Line(number, line).error(f"the byte 0x{data[start]:02x} is not UTF-8", offset)
