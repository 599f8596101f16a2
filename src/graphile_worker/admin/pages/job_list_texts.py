"""What the list of jobs says: titles, orders, and why it is empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.texts import MARKS
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.filters import SCOPES
from graphile_worker.admin.service.job_page import JobPage

STATES: Final = {"all": "All", **{state.value: mark.word for state, mark in MARKS.items()}}
TITLES: Final = {
    **{name: f"{word} jobs" for name, word in STATES.items()},
    "all": "Jobs",
    "locked": "Running and stuck jobs",
    "waiting": "Jobs that are due",
    "later": "Scheduled and retrying jobs",
}
ORDERS: Final = {
    **dict.fromkeys(("ready", "blocked", "unclaimed", "waiting"), "next to run first"),
    **dict.fromkeys(("scheduled", "retrying", "later"), "next due first"),
    **dict.fromkeys(("running", "stuck", "locked"), "longest held first"),
}


@dataclass(frozen=True, slots=True)
class Empty:
    """What stands in place of rows."""

    title: str
    text: str = ""
    links: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    code: str = ""


def empty_list(
    v: View, page: JobPage, state: str, fields: Mapping[str, str], given: Mapping[str, str]
) -> Empty:
    """Why there is nothing: no jobs, none in this state, none that match, or not searched."""
    narrowing = [name for name in fields if name != "scope"]
    if given.get("after"):
        return Empty(
            "No more jobs",
            links=[{"url": v.url("jobs", state=state, **fields), "text": "first page"}],
        )
    if page.next is not None:
        wider = [scope for scope in SCOPES if scope > (page.searched or 0)]
        return Empty(
            f"Nothing in the {words.number(page.searched)} jobs that were searched",
            links=[
                {
                    "url": v.url("jobs", **{"state": state, **fields, "scope": scope}),
                    "text": f"search {scope_text(scope)}",
                }
                for scope in wider
            ],
        )
    if narrowing:
        clear = {"url": v.url("jobs", state=state), "text": "clear filters"}
        which = "" if state == "all" else f"{STATES.get(state, '').lower()} "
        return Empty(f"No {which}job matches these filters", links=[clear])
    if state != "all":
        return Empty(f"No {TITLES[state].lower()}")
    return Empty(
        "No jobs in this schema yet",
        "Jobs stand here from when they are added until they have succeeded.",
        code='graphile-worker add my_task \'{"hello": "world"}\'',
    )


def footer(page: JobPage, given: Mapping[str, str]) -> str:
    """How many there are, and what was searched for them."""
    where = " on this page" if page.next or given.get("after") else ""
    parts = [words.plural(len(page.rows), "job") + where]
    if page.searched is not None:
        matched = f"{words.number(page.matched)} match of " if page.matched is not None else ""
        parts.append(f"{matched}{words.number(page.searched)} searched")
    parts.append(words.span(page.seconds))
    if page.age is not None:
        parts.append(f"read {words.ago(page.age)}")
    return " · ".join(parts)


def scope_text(scope: int) -> str:
    """How many jobs a search looks at."""
    return "everything (slow)" if scope == SCOPES[-1] else f"{words.number(scope)} jobs"
