"""A handler's writes and the completion of its job, committed together."""

from __future__ import annotations


class JobTransaction:
    """Where a run stands with its one transaction."""

    __slots__ = ("is_committed",)

    def __init__(self) -> None:
        self.is_committed = False
