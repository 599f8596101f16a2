"""Log lines with fields, for where nothing may go wrong."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress


def log_fields(
    logger: logging.Logger,
    level: int,
    message: str,
    *arguments: object,
    error: BaseException | None = None,
    fields: Mapping[str, object] | None = None,
) -> None:
    """Log a line; never raises, whatever the program has made of its logging.

    `logging` refuses a field that the program's record factory has set already, and lets pass what
    filters raise. A job would stay locked for that, or its worker end.

    Args:
        logger: whose line it is.
        level: of the line.
        message: constant.
        arguments: of the message.
        error: whose traceback is shown.
        fields: left out where they are refused.
    """
    try:
        logger.log(level, message, *arguments, exc_info=error, extra=fields, stacklevel=2)
    except Exception:  # noqa: BLE001 (the program's record factory, filters and handlers)
        try:
            logger.log(level, message, *arguments, exc_info=error, stacklevel=2)
        except Exception:  # noqa: BLE001 (the same)
            _complain()


def _complain() -> None:
    """As `logging` does of a handler that fails: on the standard error output, if at all."""
    if logging.raiseExceptions and sys.stderr is not None:
        with suppress(OSError, ValueError):  # it is closed, or nobody reads it
            traceback.print_exc()
