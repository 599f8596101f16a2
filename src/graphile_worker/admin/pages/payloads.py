"""A payload in parts that a page can show: what is big is folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphile_worker.admin.service.job_details import Payload

FOLDED: Final = 4_096
"""Characters of a value from which on it is folded."""
_SHOWN_ITEMS: Final = 50


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the text.

    Attributes:
        text: JSON, one value a line.
        name: of the value, where it is folded.
        folded: whether one has to ask for it.
    """

    text: str
    name: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPayload:
    """A payload as the page of a job shows it."""

    parts: list[Part]
    items: int | None
    """How many values a list has; None when it is none."""
    hidden: int
    is_cut: bool
    problem: str | None = None
    """Why it could not be decoded."""


def shown_payload(payload: Payload) -> ShownPayload:
    """Split a payload that is written one value a line; there may be nothing of it to show."""
    if not payload.text:
        return ShownPayload(parts=[], items=None, hidden=0, is_cut=False, problem=payload.problem)
    lines = payload.text.split("\n")
    items = _items(lines[1:])
    if payload.text.startswith("["):
        parts = [Part("\n".join(lines))] if len(payload.text) <= FOLDED else _list(items)
        count = len(items)
    else:
        parts = [Part(payload.text)] if len(payload.text) <= FOLDED else _folded(lines, items)
        count = None
    return ShownPayload(
        parts=parts,
        items=count,
        hidden=payload.hidden,
        is_cut=payload.is_cut,
        problem=payload.problem,
    )


def _items(lines: Sequence[str]) -> list[str]:
    """The values of the first level, each with its lines."""
    found: list[list[str]] = []
    for line in lines:
        if line.startswith("  ") and line[2:3] not in {" ", "}", "]"}:
            found.append([line])
        elif line.startswith("  ") and found:
            found[-1].append(line)
    return ["\n".join(item) for item in found]


def _folded(lines: Sequence[str], items: Sequence[str]) -> list[Part]:
    """What is small in one piece, what is big behind its name."""
    small = [item for item in items if len(item) <= FOLDED]
    big = [item for item in items if len(item) > FOLDED]
    end = [line for line in lines[-1:] if line == "}"]  # a payload that was cut has none
    parts = [Part("\n".join([lines[0], *small, *end]))] if small else []
    return [*parts, *(Part(item, _name(item), folded=True) for item in big)] or [
        Part("\n".join(lines))
    ]


def _list(items: Sequence[str]) -> list[Part]:
    return [
        Part(item, f"[{place}]", folded=len(item) > FOLDED)
        for place, item in enumerate(items[:_SHOWN_ITEMS])
    ]


def _name(item: str) -> str:
    return item.strip().split('":', 1)[0].strip('" ')[:80]
