"""The cards on top of a screen: a state, its number, and one line more."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.figures import Figures
from graphile_worker.admin.service.groups import Counts
from graphile_worker.jobs.fine_state import FineState


@dataclass(frozen=True, slots=True)
class Card:
    """One card; all of it is a link."""

    badge: Markup
    value: str
    small: Markup | str
    url: str


def job_cards(v: View, counts: Counts, **narrowed: str) -> list[Card]:
    """The five cards of jobs; `narrowed` is the filter of their links."""
    held = counts.blocked + counts.unclaimed
    return [
        _card(
            v,
            FineState.READY,
            counts.of("waiting"),
            "waiting",
            narrowed,
            "nothing waits"
            if counts.oldest_ready_at is None
            else Markup("oldest {}{}").format(
                v.since(counts.oldest_ready_at), _some(v, held, "blocked or unclaimed")
            ),
        ),
        _card(
            v,
            FineState.RUNNING,
            counts.of("locked"),
            "locked",
            narrowed,
            "nothing runs"
            if counts.longest_run_since is None
            else Markup("longest {}{}").format(
                v.since(counts.longest_run_since), _some(v, counts.stuck, "stuck")
            ),
        ),
        _card(
            v,
            FineState.RETRYING,
            counts.retrying,
            "retrying",
            narrowed,
            "none waits for a retry"
            if counts.next_retry_at is None
            else Markup("next {}").format(v.ago(counts.next_retry_at)),
        ),
        _card(
            v,
            FineState.SCHEDULED,
            counts.scheduled,
            "scheduled",
            narrowed,
            f"{v.number(counts.due_soon)} due in 1 h, retries included",
        ),
        _card(
            v,
            FineState.FAILED,
            counts.failed,
            "failed",
            narrowed,
            f"+{v.number(counts.failed_lately)} in the last hour",
        ),
    ]


def worker_card(v: View, figures: Figures) -> Card:
    """The card of the fleet."""
    alive = [member for member in figures.fleet if member.state == "alive"]
    stale = sum(member.state == "stale" for member in figures.fleet)
    others = len(figures.fleet) - len(alive) - stale
    slots = sum(member.concurrency or 0 for member in alive)
    parts = [f"{v.number(slots)} slots" if slots else "", f"{stale} stale" if stale else ""]
    parts.append(f"{others} seen by their locks" if others else "")
    small = " · ".join(part for part in parts if part) or "none has registered"
    badge = v.badge("failed", "⚠", "Workers") if stale else v.badge("ok", "✓", "Workers")
    return Card(badge, f"{len(alive)} live", small, v.url("workers"))


def _card(
    v: View,
    state: FineState,
    count: int,
    selected: str,
    narrowed: dict[str, str],
    small: Markup | str,
) -> Card:
    return Card(v.state(state), v.number(count), small, v.url("jobs", state=selected, **narrowed))


def _some(v: View, count: int, what: str) -> str:
    return f" · {v.number(count)} {what}" if count else ""
