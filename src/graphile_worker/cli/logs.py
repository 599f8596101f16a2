"""Where the log of `run` goes."""

from __future__ import annotations

import logging
import sys
from typing import Final

from graphile_worker.telemetry.logs import JobFilter, JsonFormatter, TextFormatter

LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final[dict[str, type[logging.Formatter]]] = {
    "text": TextFormatter,
    "json": JsonFormatter,
}


def log_to_stderr(
    level: str | None, log_format: str | None = None, *, process: int | str | None = None
) -> None:
    """Log on stderr, with the job on every line of a handler.

    A set-up of the user's own module is left alone, unless a format is asked for.

    Args:
        level: one of `LEVELS`; None for info.
        log_format: one of `FORMATS`; None for text.
        process: which of several this is. Lines of text begin with it, those of JSON have it in
            `worker_process`.
    """
    root = logging.getLogger()
    if log_format is not None or not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.addFilter(JobFilter())
        formatter = FORMATS[log_format or "text"]()
        if process is not None and log_format == "json":
            handler.addFilter(_Field("worker_process", process))
        elif process is not None:
            formatter = _Prefixed(f"[{process}] ")
        handler.setFormatter(formatter)
        logging.basicConfig(handlers=[handler], level=(level or "info").upper(), force=True)
    if level is not None:
        logging.getLogger("graphile_worker").setLevel(level.upper())


class _Prefixed(TextFormatter):
    """The same prefix on every line, those of tracebacks included."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return "\n".join(f"{self._prefix}{line}" for line in text.split("\n"))


class _Field(logging.Filter):
    """Gives every record a field; drops none."""

    def __init__(self, name: str, value: object) -> None:
        super().__init__()
        self._field = name, value

    def filter(self, record: logging.LogRecord) -> bool:
        setattr(record, *self._field)
        return True
