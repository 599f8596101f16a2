"""Small charts as SVG, without a library: bars, and curves over a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from bench.figures import Spread, short

WIDTH = 760
_ROW = 26
_LEFT = 210
_RIGHT = 120
_COLOURS = ("#2f6fb0", "#c2571a", "#3d8b54", "#7a4fa3")
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.t{font-weight:600;font-size:14px}"
    ".a{stroke:#999;stroke-width:1;fill:none}.g{stroke:#ddd}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.g{stroke:#444}}"
)


def bars(title: str, values: Sequence[tuple[str, Spread]]) -> str:
    """One bar a row, its median written beside it, a thin line from the least to the most.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not values:
        raise ValueError(f"no bars for {title!r}")
    most = max(spread.high for _, spread in values) or 1.0
    scale = (WIDTH - _LEFT - _RIGHT) / most
    parts = []
    for number, (label, spread) in enumerate(values):
        top = 40 + number * _ROW
        middle = top + _ROW / 2 - 3
        parts += [
            _text(_LEFT - 8, middle + 4, label, anchor="end"),
            _bar(top, spread.median * scale, _COLOURS[_group(label)]),
            _whisker(middle, spread.low * scale, spread.high * scale),
            _text(_LEFT + spread.high * scale + 8, middle + 4, short(spread.median)),
        ]
    return _document(title, 50 + len(values) * _ROW, parts)


def _bar(top: float, width: float, colour: str) -> str:
    place = f'x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_ROW - 6}"'
    return f'<rect {place} fill="{colour}"/>'


def _whisker(middle: float, low: float, high: float) -> str:
    return f'<path class="a" d="M{_LEFT + low:.1f} {middle}H{_LEFT + high:.1f}"/>'


def _group(label: str) -> int:
    """Ours, the others, and what is no worker have a colour each."""
    if label.startswith("ours"):
        return 0
    return 2 if ":" in label else 1


def curves(title: str, x_name: str, series: Mapping[str, Sequence[tuple[float, Spread]]]) -> str:
    """Points joined by lines; x is logarithmic, y begins at 0.

    Raises:
        ValueError: there is nothing to draw.
    """
    points = [point for line in series.values() for point in line]
    if not points:
        raise ValueError(f"no points for {title!r}")
    height, bottom, left = 340, 280, 80
    xs = sorted({x for x, _ in points})
    most = max(spread.high for _, spread in points) or 1.0
    reach = _log(xs[-1]) - _log(xs[0]) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        across = (_log(x) - _log(xs[0])) / reach
        return left + across * (WIDTH - left - 40), bottom - y / most * (bottom - 60)

    parts = [_grid(most, left, place), *(_tick(x, place(x, 0)) for x in xs)]
    for number, (name, line) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        parts += _line(line, place, colour)
        parts.append(_text(left + number * 200, 325, f"● {name}", fill=colour))
    parts.append(_text(WIDTH - 40, 325, x_name, anchor="end"))
    return _document(title, height, parts)


def _line(line: Sequence[tuple[float, Spread]], place: object, colour: str) -> list[str]:
    parts = []
    path = " ".join(
        f"{'L' if number else 'M'}{x:.1f} {y:.1f}"
        for number, (x, y) in enumerate(place(x, spread.median) for x, spread in line)
    )
    parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for x, spread in line:
        across, low = place(x, spread.low)
        _, high = place(x, spread.high)
        _, middle = place(x, spread.median)
        parts += [
            f'<path class="a" d="M{across:.1f} {low:.1f}V{high:.1f}"/>',
            f'<circle cx="{across:.1f}" cy="{middle:.1f}" r="3" fill="{colour}"/>',
        ]
    return parts


def _grid(most: float, left: float, place: object) -> str:
    step = 10 ** math.floor(math.log10(most))
    values = [step * number for number in range(int(most / step) + 1)]
    lines = []
    for value in values:
        _, y = place(1, value)
        lines.append(f'<path class="g" d="M{left} {y:.1f}H{WIDTH - 40}"/>')
        lines.append(_text(left - 8, y + 4, short(value), anchor="end"))
    return "".join(lines)


def _tick(x: float, at: tuple[float, float]) -> str:
    return _text(at[0], at[1] + 18, _count(x), anchor="middle")


def _count(x: float) -> str:
    """1,000 as 1k, 1,000,000 as 1M."""
    for size, name in ((1_000_000, "M"), (1_000, "k")):
        if x >= size:
            return f"{x / size:g}{name}"
    return f"{x:g}"


def _log(x: float) -> float:
    """Zero has a place too, left of one."""
    return math.log10(x) if x >= 1 else -0.5


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = "") -> str:
    coloured = f' style="fill:{fill}"' if fill else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{coloured}>{escape(text)}</text>'


def _document(title: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f'<text class="t" x="8" y="22">{escape(title)}</text>' + "\n".join(parts) + "</svg>\n"
    )
