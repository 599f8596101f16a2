"""The words that code needs: marks of states, names of screens, texts of the script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from graphile_worker.jobs.fine_state import FineState


@dataclass(frozen=True, slots=True)
class Mark:
    """How a state looks: never by colour alone."""

    sign: str
    word: str


MARKS: Final = {
    FineState.READY: Mark("●", "Ready"),
    FineState.RUNNING: Mark("▶", "Running"),
    FineState.RETRYING: Mark("↻", "Retrying"),
    FineState.SCHEDULED: Mark("◷", "Scheduled"),
    FineState.BLOCKED: Mark("‖", "Blocked"),
    FineState.UNCLAIMED: Mark("?", "Unclaimed"),
    FineState.STUCK: Mark("⚠", "Stuck"),
    FineState.FAILED: Mark("✕", "Failed"),
}
"""In the order of the tabs."""


@dataclass(frozen=True, slots=True)
class Screen:
    """An entry of the rail."""

    name: str
    title: str
    path: str
    key: str
    """After `g`."""


SCREENS: Final = (
    Screen("overview", "Overview", "", "o"),
    Screen("jobs", "Jobs", "jobs", "j"),
    Screen("failures", "Failures", "failures", "f"),
    Screen("tasks", "Tasks", "tasks", "t"),
    Screen("queues", "Queues", "queues", "q"),
    Screen("workers", "Workers", "workers", "w"),
    Screen("cron", "Cron", "cron", "c"),
    Screen("health", "Health", "health", "h"),
    Screen("audit", "Audit", "audit", "a"),
)

SHORTCUTS: Final = (
    *((f"g {screen.key}", f"Go to {screen.title}") for screen in SCREENS),
    ("/", "Jump to a job, key or task"),
    ("j", "Next row"),
    ("k", "Previous row"),
    ("Enter", "Open the row"),
    ("x", "Select the row"),
    ("r", "Refresh"),
    ("p", "Pause or resume live updates"),
    ("t", "Dark or light"),
    ("?", "This list"),
)

SCRIPT_TEXTS: Final = {
    "live": "Live",
    "polling": "Polling",
    "paused": "Paused",
    "lost": "Connection lost",
    "denied": "Signed out",
    "pause": "Pause",
    "resume": "Resume",
    "changes": "{n} changes · refresh",
    "picked": "{n} selected",
    "copied": "Copied",
    "dismiss": "Dismiss",
    "now": "now",
    "ago": "{t} ago",
    "since": "{t}",
    "ahead": "in {t}",
}
"""`data-` attributes of the page, from which the script reads them."""
