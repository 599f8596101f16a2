"""Putting figures into the documentation, between markers."""

from __future__ import annotations

from pathlib import Path

from bench.installing import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "benchmarks"


def with_section(page: str, name: str, content: str) -> str:
    """The page with what stands between the markers of a name replaced.

    Raises:
        ValueError: the page has no such markers.
    """
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = page.partition(start)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"no {start} … {end} in the page")
    return f"{before}{start}\n{content.strip()}\n{end}{after}"


def write_section(name: str, content: str) -> None:
    """Replace a section of the page of benchmarks."""
    PAGE.write_text(with_section(PAGE.read_text(), name, content))


def write_plots(folder: Path, plots: dict[str, str]) -> None:
    """One SVG file for each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, svg in plots.items():
        (folder / f"{name}.svg").write_text(svg)
