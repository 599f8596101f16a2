"""What templates call to write links, times, states and numbers for one request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from graphile_worker.admin.extensions.nav_links import NavLink
from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.assets import assets
from graphile_worker.admin.pages.places import SchemaLink
from graphile_worker.admin.pages.texts import MARKS, SCREENS, SCRIPT_TEXTS, SHORTCUTS
from graphile_worker.jobs.fine_state import FineState

SETTINGS = {
    "theme": ("", "light", "dark"),
    "density": ("", "compact"),
    "clock": ("", "utc"),
    "keys": ("", "off"),
}
"""What a browser may choose; kept in its cookies, `gw_<name>`."""


NONE = Markup(words.UNKNOWN)  # noqa: S704 - a dash
"""What stands where nothing is known."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What this browser chose."""

    theme: str = ""
    density: str = ""
    clock: str = ""
    keys: str = ""
    zone: str = "UTC"
    """Its time zone, which the script tells."""

    @classmethod
    def of(cls, cookies: Mapping[str, str]) -> Settings:
        """Read cookies; what is not one of the choices is left out."""
        chosen = {
            name: value
            for name, choices in SETTINGS.items()
            if (value := cookies.get(f"gw_{name}", "")) in choices
        }
        return cls(**chosen, zone=cookies.get("gw_zone", "UTC").replace("%2F", "/"))

    @property
    def tzinfo(self) -> tzinfo:
        """The zone to write times in."""
        if self.clock == "utc":
            return UTC
        try:
            return ZoneInfo(self.zone)
        except (ValueError, OSError, LookupError):  # no such zone: whatever the cookie held
            return UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One request's way of writing things. Everything it returns is escaped."""

    base: str
    """The way from this page to the root of the application: `./`, `../`."""
    schema: str
    environment: str = ""
    now: datetime
    """The database's clock."""
    settings: Settings = field(default_factory=Settings)
    viewer_name: str = ""
    viewer_role: str = ""
    may: frozenset[str] = frozenset()
    """The viewer's permissions."""
    read_only: bool = False
    lost: str | None = None
    """Why the database cannot be read."""
    counts: Mapping[str, tuple[int | None, bool]] = field(default_factory=dict[str, Any])
    """Numbers of the rail: name of the screen to (number, whether it is bad news)."""

    home: str = ""
    """The way to the root of the whole application, which is that of its first schema."""
    schemas: Sequence[SchemaLink] = ()
    """The same place in each schema; empty where there is only one."""
    polls: bool = False
    """Whether pages ask again and again, because there are no streams."""
    links: Sequence[NavLink] = ()
    """Links of the host's, below the screens."""

    texts = SCRIPT_TEXTS
    shortcuts = SHORTCUTS

    # -- links ------------------------------------------------------------------------------

    def url(self, *path: object, **query: object) -> str:
        """An address within the application; parts are encoded, None and empty are left out."""
        steps = "/".join(quote(str(part), safe="") for part in path if part != "")
        pairs = [(name, str(value)) for name, value in query.items() if value not in (None, "")]
        return self.base + steps + (f"?{urlencode(pairs)}" if pairs else "")

    def named(self, screen: str, name: str) -> str:
        """The page of a task or queue: its name is a step of the address where it can be one.

        A slash could be one, encoded; but WSGI and many a proxy hand it on as it is.
        """
        if name in {"", ".", ".."} or "/" in name or not name.isprintable():
            return self.url(screen) + "?" + urlencode({"name": name})
        return self.url(screen, name)

    def asset(self, name: str) -> str:
        """The address of a file of ours."""
        return self.base + assets()[name].path

    def rail(self, section: str, *, keys: bool = True) -> Markup:
        """The entries of the navigation, with their numbers."""
        return Markup("").join(self._entry(screen, section, keys=keys) for screen in SCREENS)

    def _entry(self, screen: Any, section: str, *, keys: bool) -> Markup:
        count, bad = self.counts.get(screen.name, (None, False))
        return Markup('<li><a href="{}"{}{}><span>{}</span>{}</a></li>').format(
            self.url(*([screen.path] if screen.path else [])) or self.base,
            Markup(' aria-current="page"') if screen.name == section else "",
            Markup(' data-key="{}"').format(screen.key) if keys else "",
            screen.title,
            ""
            if count is None
            else Markup('<span class="{}">{}</span>').format(
                "n bad" if bad and count else "n", words.number(count)
            ),
        )

    def host_links(self) -> Markup:
        """The links of the host's, as entries of the navigation."""
        return Markup("").join(
            Markup('<li><a href="{}" rel="noreferrer"><span>{}</span></a></li>').format(
                link.address, link.label
            )
            for link in self.links
        )

    def schema_entries(self) -> Markup:
        """The schemas, as links to the same place in each."""
        return Markup("").join(
            Markup('<li><a class="mono" href="{}"{}>{}</a></li>').format(
                link.address, Markup(' aria-current="true"') if link.is_current else "", link.name
            )
            for link in self.schemas
        )

    def choices(self, options: Sequence[tuple[str, str]], chosen: str | None) -> Markup:
        """The options of a select."""
        return Markup("").join(
            Markup('<option value="{}"{}>{}</option>').format(
                value, Markup(" selected") if value == (chosen or "") else "", text
            )
            for value, text in options
        )

    # -- times ------------------------------------------------------------------------------

    def clock(self, moment: datetime) -> str:
        """`14:32:07`."""
        return words.clock(moment, self.settings.tzinfo)

    def moment(self, moment: datetime | None) -> str:
        """`19 Nov 2026, 08:50:12`."""
        return words.UNKNOWN if moment is None else words.day_and_time(moment, self.settings.tzinfo)

    def ago(self, moment: datetime | None) -> Markup:
        """`9 s ago`, which goes on ticking in the browser."""
        return self._relative(moment, "ago", words.ago)

    def since(self, moment: datetime | None) -> Markup:
        """`9 s`, for columns that say `for` in their head."""
        return self._relative(moment, "since", words.span)

    def _relative(self, moment: datetime | None, kind: str, write: Any) -> Markup:
        if moment is None:
            return NONE
        if not 1 < moment.year < 9999:  # noqa: PLR2004 - PostgreSQL's infinities
            return escape(self.moment(moment))
        return Markup('<time datetime="{}" data-rel="{}" title="{}">{}</time>').format(
            moment.astimezone(UTC).isoformat(),
            kind,
            self.moment(moment),
            write((self.now - moment).total_seconds()),
        )

    def in_future(self, moment: datetime) -> bool:
        """Whether it is still to come."""
        return moment > self.now

    def older_than(self, moment: datetime | None, seconds: float) -> bool:
        """Whether it is longer ago than that."""
        return moment is not None and self.now - moment > timedelta(seconds=seconds)

    # -- values -----------------------------------------------------------------------------

    def state(self, state: FineState) -> Markup:
        """A state as icon and word."""
        mark = MARKS[state]
        return self.badge(state.value, mark.sign, mark.word)

    def badge(self, kind: str, sign: str, word: str) -> Markup:
        """An icon and a word on the colour of their kind."""
        return Markup('<span class="st {}"><span aria-hidden="true">{}</span>{}</span>').format(
            kind, sign, word
        )

    def mono(self, value: object) -> Markup:
        """An identifier; a dash for none."""
        if value is None or value == "":
            return NONE
        return Markup('<span class="mono" dir="auto">{}</span>').format(value)

    def task(self, name: str) -> Markup:
        """A task, as a link to its page."""
        if not name:
            return NONE
        return Markup('<a class="mono" dir="auto" href="{}">{}</a>').format(
            self.named("tasks", name), name
        )

    def queue(self, name: str | None) -> Markup:
        """A queue, as a link to its page."""
        if name is None:
            return NONE
        return Markup('<a class="mono" dir="auto" href="{}">{}</a>').format(
            self.named("queues", name), name or "(empty name)"
        )

    def job(self, job_id: int) -> Markup:
        """A job's number, as a link to its page."""
        return Markup('<a class="mono" href="{}">{}</a>').format(self.url("jobs", job_id), job_id)

    def worker(self, name: str | None) -> Markup:
        """An owner of locks, as a link to the jobs that it holds."""
        if not name:
            return NONE
        return Markup('<a class="mono" dir="auto" href="{}">{}</a>').format(
            self.url("jobs", worker=name, state="locked"), name
        )

    def list(self, items: Iterable[object], limit: int = 10) -> Markup:
        """Names with commas between; of many the first, and how many more."""
        names = list(items)
        shown = Markup(", ").join(escape(name) for name in names[:limit])
        more = len(names) - limit
        return shown if more <= 0 else shown + f" and {more} more"

    unknown = words.UNKNOWN
    number = staticmethod(words.number)
    span = staticmethod(words.span)
    size = staticmethod(words.size)
    percent = staticmethod(words.percent)
    plural = staticmethod(words.plural)
    first_line = staticmethod(words.first_line)
