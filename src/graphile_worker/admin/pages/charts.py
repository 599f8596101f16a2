"""Charts as SVG, drawn on the server.

The picture has no text in it: it is stretched to the width it gets, and its labels stand beside it
as HTML, so they keep their size on a phone. Colours come from classes of the style sheet, lengths
are attributes: nothing needs a style of its own, so the strict policy holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from graphile_worker.admin.pages.words import number

WIDTH, HEIGHT = 1000, 150
STEPS = (1, 2, 2.5, 5, 10)
SECONDS = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0, 36_000.0, 345_600.0, 3_456_000.0)
"""Steps of an axis of durations: what people have words for."""
TICKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values over time, oldest first; None where nothing is known."""

    name: str
    mark: str
    """Classes of the style sheet: `c1` for bars, `l3 dash` for lines."""
    values: Sequence[float | None]
    total: bool = True
    """Whether the sum says something; a percentile has none."""

    @property
    def sum(self) -> float | None:
        """Of what is known; None where nothing is."""
        known = [value for value in self.values if value is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What the template `_chart.html` shows."""

    picture: str
    """SVG; made of numbers and fixed texts only."""
    sentence: str
    """What a screen reader says instead of the picture."""
    y_labels: tuple[str, ...]
    """From top to bottom."""
    x_labels: tuple[str, ...]
    series: tuple[Series, ...]
    times: tuple[str, ...]
    """A label for each value, for the table."""
    write: Callable[[float | None], str] = number
    """How a value is written."""

    @property
    def empty(self) -> bool:
        """Whether nothing is known yet."""
        return not any(value is not None for one in self.series for value in one.values)


def bars(
    title: str,
    *,
    stacked: Sequence[Series],
    lines: Sequence[Series] = (),
    times: Sequence[str],
    x_labels: Sequence[str],
) -> Chart:
    """Bars on top of each other, with lines over them, from 0 up."""
    sums = [sum(one.values[at] or 0 for one in stacked) for at in range(len(times))]
    highest = max([*sums, *(value or 0 for one in lines for value in one.values)], default=0)
    top = round_up(highest)
    shapes = [_grid(), *_stacks(stacked, top), *(_line(one, lambda v: v / top) for one in lines)]
    peak = max(range(len(sums)), key=sums.__getitem__, default=None)
    return Chart(
        picture=_picture(shapes),
        sentence=_sentence(
            title, (*stacked, *lines), None if peak is None else (times[peak], sums[peak])
        ),
        y_labels=tuple(number(top * tick / TICKS) for tick in range(TICKS, -1, -1)),
        x_labels=tuple(x_labels),
        series=(*stacked, *lines),
        times=tuple(times),
    )


def log_lines(
    title: str,
    *,
    lines: Sequence[Series],
    times: Sequence[str],
    x_labels: Sequence[str],
    write: Callable[[float | None], str],
    floor: float = 0.01,
) -> Chart:
    """Lines of seconds on an axis from `floor` up, of which each step is several times the last.

    What is smaller lies at the bottom.
    """
    known = [value for one in lines for value in one.values if value is not None]
    steps = _steps(floor, max(known, default=floor))
    last = ", ".join(
        f"{one.name} {write(next((v for v in reversed(one.values) if v is not None), None))}"
        for one in lines
    )
    return Chart(
        picture=_picture(
            [_grid(len(steps) - 1), *(_line(one, partial(_height, steps)) for one in lines)]
        ),
        sentence=f"{title}: now {last}; highest {write(max(known, default=None))}.",
        y_labels=tuple(write(step) for step in reversed(steps)),
        x_labels=tuple(x_labels),
        series=tuple(lines),
        times=tuple(times),
        write=write,
    )


def _steps(floor: float, highest: float) -> Sequence[float]:
    """The steps of a time axis from `floor` to the first that is not below `highest`."""
    first = SECONDS.index(floor)
    last = next((at for at, step in enumerate(SECONDS) if step >= highest), len(SECONDS) - 1)
    return SECONDS[first : max(last, first + 2) + 1]


def _height(steps: Sequence[float], seconds: float) -> float:
    """Where a value lies, from 0 to 1; between two steps by its logarithm."""
    seconds = min(max(seconds, steps[0]), steps[-1])
    at = next(at for at in range(len(steps) - 1) if seconds <= steps[at + 1])
    part = math.log(seconds / steps[at]) / math.log(steps[at + 1] / steps[at])
    return (at + part) / (len(steps) - 1)


def spark(values: Sequence[float]) -> str:
    """A small bar chart beside a name; it says nothing that the row does not say in words."""
    top = max([*values, 1])
    width = 120 / max(len(values), 1)
    shapes = "".join(
        f'<rect class="c1" x="{at * width:.1f}" y="{20 - 20 * value / top:.1f}"'
        f' width="{max(width - 1, 1):.1f}" height="{20 * value / top:.1f}"/>'
        for at, value in enumerate(values)
        if value
    )
    return f'<svg class="spark" viewBox="0 0 120 20" aria-hidden="true">{shapes}</svg>'


def round_up(value: float) -> float:
    """The next round number that four ticks divide well: 1,640 → 2,000."""
    if value <= TICKS:
        return TICKS
    base = 10.0 ** math.floor(math.log10(value))
    return next(base * step for step in STEPS if base * step >= value)


def _picture(shapes: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(shapes)}</svg>"
    )


def _grid(steps: int = TICKS) -> str:
    ys = (HEIGHT * step / steps for step in range(steps + 1))
    return f'<path class="gridline" d="{"".join(f"M0 {y:.1f}H{WIDTH}" for y in ys)}"/>'


def _stacks(stacked: Sequence[Series], top: float) -> list[str]:
    """One path a series: a rectangle for each value, above those of the series before."""
    count = max((len(one.values) for one in stacked), default=0)
    reached = [0.0] * count
    paths: list[str] = []
    for one in stacked:
        parts: list[str] = []
        for at, value in enumerate(one.values):
            if value:
                low, reached[at] = reached[at], reached[at] + value
                parts.append(_bar(at, count, low / top, reached[at] / top))
        paths.append(f'<path class="{one.mark}" d="{"".join(parts)}"/>')
    return paths


def _bar(at: int, count: int, low: float, high: float) -> str:
    step = WIDTH / count
    x, width = at * step + step * 0.04, step * 0.92
    bottom, top = HEIGHT * (1 - low), HEIGHT * (1 - high)
    return f"M{x:.1f} {bottom:.1f}V{top:.1f}h{width:.1f}V{bottom:.1f}z"


def _line(one: Series, height: Callable[[float], float]) -> str:
    """A line through the middles; it breaks where nothing is known."""
    step = WIDTH / max(len(one.values), 1)
    parts: list[str] = []
    drawing = False
    for at, value in enumerate(one.values):
        if value is None:
            drawing = False
            continue
        parts.append(
            f"{'L' if drawing else 'M'}{(at + 0.5) * step:.1f} {HEIGHT * (1 - height(value)):.1f}"
        )
        if not drawing:
            parts.append("h.1")  # a single value is a dot
        drawing = True
    return f'<path class="{one.mark}" d="{"".join(parts)}"/>'


def _sentence(title: str, series: Sequence[Series], peak: tuple[str, float] | None) -> str:
    totals = ", ".join(f"{one.name} {number(one.sum)}" for one in series if one.total)
    if peak is None or not peak[1]:
        return f"{title}: {totals}."
    return f"{title}: {totals}. Peak {number(peak[1])} at {peak[0]}."
