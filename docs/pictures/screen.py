"""From what a program writes to a terminal to a picture of it."""

from __future__ import annotations

import io
import re
from typing import Final

from rich.console import Console
from rich.text import Text

_STEP: Final = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)|\x1b")


class Screen:
    """What stands on a terminal, line by line.

    Knows the few movements that rich makes, which writes whole lines only: a line that is come
    back to is written anew.
    """

    def __init__(self) -> None:
        self.lines = [""]
        self._row = 0
        self._begins = True

    def feed(self, text: str) -> None:
        """Go on with what was written."""
        for numbers, command, move, written in _STEP.findall(text):
            if written or command == "m":
                self._write(written or f"\x1b[{numbers}m")
            elif command == "A":
                self._go(self._row - int(numbers or 1))
            elif command == "H":
                self._go(0)
            elif command == "K":
                self.lines[self._row] = ""
            elif command == "l" and numbers == "?1049":
                return  # the end of a full screen: what stood there is the picture
            elif move == "\n":
                self._go(self._row + 1)
            elif move == "\r":
                self._begins = True

    def _go(self, row: int) -> None:
        self._row, self._begins = max(0, row), True
        while len(self.lines) <= self._row:
            self.lines.append("")

    def _write(self, text: str) -> None:
        if self._begins:
            self.lines[self._row] = ""
        self._begins = False
        self.lines[self._row] += text


def picture(command: str, written: str, *, columns: int) -> str:
    """An SVG of a terminal in which a command was typed."""
    screen = Screen()
    screen.feed(written)
    lines = [f"\x1b[1;32m$\x1b[0m {command}", *screen.lines]
    while lines and not Text.from_ansi(lines[-1]).plain.strip():
        lines.pop()
    console = Console(
        record=True, width=columns, file=io.StringIO(), force_terminal=True, highlight=False
    )
    for line in lines:
        console.print(Text.from_ansi(line.rstrip()))
    console.print()  # room for what hangs below the last line
    name = command.split()[1]
    svg = console.export_svg(title=command, unique_id=f"picture-{name}")
    # Fonts of the reader's machine: a page of documentation fetches nothing.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
