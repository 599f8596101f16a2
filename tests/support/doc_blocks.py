"""The fenced code blocks of a Markdown page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""Of the repository: the pages, the examples, the sources."""

_FENCE = re.compile(
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One block: ```` ```python title="tasks.py" ````."""

    language: str
    title: str | None
    text: str
    line: int
    """Of its first line of text in the page, from 1."""


def blocks_of(page: Path) -> list[Block]:
    """All blocks in order. A fence that is not understood is an error, or it would go untested."""
    text = page.read_text()
    found = [
        Block(m["language"], m["title"], m["text"], text.count("\n", 0, m.start("text")) + 1)
        for m in _FENCE.finditer(text)
    ]
    fences = len(re.findall(r"^\s*```", text, re.MULTILINE))
    assert fences == 2 * len(found), f"{page}: {fences} fences, but {len(found)} blocks"
    return found


def table_below(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its header."""
    _, _, rest = f"\n{page.read_text()}".partition(f"\n{heading}\n")
    assert rest, f"{page} has no heading {heading!r}"
    section = re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]
    first = re.search(r"(?:^\|.*\|\n)+", section, re.MULTILINE)
    assert first, f"no table below {heading!r} in {page}"
    rows = [line[1:-1] for line in first[0].splitlines()]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows]
    return cells[2:]
