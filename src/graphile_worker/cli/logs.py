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


def log_to_stderr(level: str | None, log_format: str | None = None) -> None:
    """Log on stderr, with the job on every line of a handler.

    A set-up of the user's own module is left alone, unless a format is asked for.

    Args:
        level: one of `LEVELS`; None for info.
        log_format: one of `FORMATS`; None for text.
    """
    root = logging.getLogger()
    if log_format is not None or not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.addFilter(JobFilter())
        handler.setFormatter(FORMATS[log_format or "text"]())
        logging.basicConfig(handlers=[handler], level=(level or "info").upper(), force=True)
    if level is not None:
        logging.getLogger("graphile_worker").setLevel(level.upper())
