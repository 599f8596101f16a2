"""Where the log of `run` goes."""

from __future__ import annotations

import logging
import sys
from typing import Final

LEVELS: Final = ("debug", "info", "warning", "error")


def log_to_stderr(level: str | None) -> None:
    """Time, level and message on stderr; a set-up of the user's own module is left alone.

    Args:
        level: one of `LEVELS`; None for info.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=(level or "info").upper(),
        format="%(asctime)s %(levelname)-7s %(message)s",
    )
    if level is not None:
        logging.getLogger("graphile_worker").setLevel(level.upper())
