"""The pictures of docs/terminal.md, and the terminal that they are made with."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.doc_blocks import ROOT

PICTURES = ROOT / "docs" / "pictures"
COMMANDS = ["demo", "list", "watch", "doctor"]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(PICTURES))
    import screen

    return screen


def shown(path: Path) -> list[str]:
    """The lines of text of a picture."""
    lines: dict[float, list[tuple[float, str]]] = {}
    for text in ET.fromstring(path.read_text()).iter("{http://www.w3.org/2000/svg}text"):
        words = unescape(text.text or "").replace("\xa0", " ")
        lines.setdefault(float(text.get("y")), []).append((float(text.get("x")), words))
    return ["".join(words for _, words in sorted(lines[y])).rstrip() for y in sorted(lines)]


def check(folder: Path) -> None:
    for command in COMMANDS:
        path = folder / f"{command}.svg"
        lines = shown(path)
        assert f"$ graphile-worker {command}" in lines
        assert len(lines) > 6
        assert "url(http" not in path.read_text(), "a page fetches nothing from elsewhere"
    assert any("5,000 of 5,000" in line for line in shown(folder / "demo.svg"))
    assert any(re.search(r"done [\d,]+/s", line) for line in shown(folder / "watch.svg"))
    assert any("app-1:71 " in line for line in shown(folder / "watch.svg")), "no real machine"
    assert "1 problem, 0 warnings" in shown(folder / "doctor.svg")
    assert any("account:7" in line for line in shown(folder / "list.svg"))


def test_the_pictures_in_the_documentation():
    check(PICTURES)
    told = re.findall(r"\]\(pictures/(\w+)\.svg\)", (ROOT / "docs" / "terminal.md").read_text())
    assert told == COMMANDS


@pytest.mark.full
def test_the_pictures_can_be_drawn_anew(tmp_path: Path):
    subprocess.run([sys.executable, str(PICTURES / "draw.py"), str(tmp_path)], check=True)
    check(tmp_path)


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("one\ntwo\n", ["one", "two", ""]),
        ("0 %\n\x1b[1A\x1b[2K50 %\n", ["50 %", ""]),
        ("a\nb\r\x1b[2K\x1b[1A\x1b[2Knew\nline", ["new", "line"]),
        ("\x1b[?1049h\x1b[Hone\ntwo\x1b[Hthree\nfour\x1b[?1049lgone", ["three", "four"]),
        ("\x1b[?25l\x1b[1;32mgreen\x1b[0m", ["\x1b[1;32mgreen\x1b[0m"]),
    ],
)
def test_a_terminal_shows_what_was_written_last(written, lines, screen):
    terminal = screen.Screen()
    terminal.feed(written)
    assert terminal.lines == lines
