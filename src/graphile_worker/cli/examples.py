"""Examples at the end of a command's `--help`."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """The epilog with these lines, typed after `graphile-worker`; as they stand, never wrapped."""
    return "\n".join(["\b", "Examples:", *(f"  graphile-worker {line}" for line in lines)])
