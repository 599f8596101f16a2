"""Numbers, durations and moments as people read them. Unknown is a dash, never 0."""

from __future__ import annotations

from datetime import datetime, tzinfo

UNKNOWN = "–"  # noqa: RUF001 - a dash is what it is
SECOND_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def number(value: float | None, *, capped: bool = False) -> str:
    """`151,204`; with `~` in front where the count is an estimate or stopped at a limit."""
    if value is None:
        return UNKNOWN
    text = (
        f"{value:,.1f}" if isinstance(value, float) and not value.is_integer() else f"{value:,.0f}"
    )
    return f"~{text}" if capped else text


def span(seconds: float | None) -> str:
    """A duration in its two largest units: `180 ms`, `4.2 s`, `3 m 12 s`, `1 h 26 m`, `4 d`."""
    if seconds is None:
        return UNKNOWN
    seconds = abs(seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:  # noqa: PLR2004 - one more digit says something
        return f"{seconds:.1f} s"
    if seconds < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{seconds:.0f} s"
    return _two_units(int(seconds))


def _two_units(seconds: int) -> str:
    for place, (size, unit) in enumerate(SECOND_UNITS):
        if seconds >= size:
            count, rest = divmod(seconds, size)
            smaller, name = SECOND_UNITS[place + 1] if place + 1 < len(SECOND_UNITS) else (1, "s")
            below = rest // smaller
            return f"{count} {unit} {below} {name}" if below and count < 10 else f"{count} {unit}"  # noqa: PLR2004 - two digits say enough
    return f"{seconds} s"


def ago(seconds: float | None) -> str:
    """`9 s ago`, `in 4 m 10 s` for what is still to come, `now` between."""
    if seconds is None:
        return UNKNOWN
    if abs(seconds) < 1:
        return "now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(seconds)}"


def size(count: int | None) -> str:
    """A number of bytes: `812 B`, `1.2 kB`, `5.7 MB`."""
    if count is None:
        return UNKNOWN
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004 - kilo
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def percent(part: float | None) -> str:
    """A share of 1 as `71.0`; without the sign, which stands in the head of the column."""
    return UNKNOWN if part is None else f"{part * 100:.1f}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 job`, `3 jobs`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def day_and_time(moment: datetime, zone: tzinfo) -> str:
    """`19 Nov 2026, 08:50:12` in the viewer's zone."""
    if not 1 < moment.year < 9999:  # noqa: PLR2004 - PostgreSQL's infinities
        return "never" if moment.year > 1 else "long ago"
    return f"{moment.astimezone(zone):%-d %b %Y, %H:%M:%S}"


def clock(moment: datetime, zone: tzinfo) -> str:
    """`14:32:07` in the viewer's zone."""
    return f"{moment.astimezone(zone):%H:%M:%S}"


def first_line(text: str | None, limit: int = 160) -> str:
    """The first line of an error, cut; a dash when there is none."""
    line = next((line.strip() for line in (text or "").splitlines() if line.strip()), "")
    if not line:
        return UNKNOWN
    return line if len(line) <= limit else line[: limit - 1] + "…"
