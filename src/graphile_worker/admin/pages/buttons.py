"""Which acts a screen offers: what makes no sense for a state, or is not allowed, is not there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from graphile_worker.admin.pages.view import View


@dataclass(frozen=True, slots=True)
class JobAct:
    """Something that can be done to jobs.

    Attributes:
        name: as the address says it.
        title: on its button.
        permission: what a viewer needs.
        states: where it makes sense; selections of several states have their own names.
        kind: `primary`, `danger` or empty.
        done: what the report says, after a number of jobs.
    """

    name: str
    title: str
    permission: str
    states: frozenset[str]
    kind: str = ""
    done: str = ""


_ANY: Final = frozenset(
    {"all", "ready", "blocked", "unclaimed", "retrying", "scheduled", "failed", "waiting", "later"}
)
_LATER: Final = frozenset({"retrying", "scheduled", "later", "all"})

JOB_ACTS: Final = (
    JobAct(
        "retry",
        "Retry",
        "retry",
        frozenset({"failed", "retrying", "all"}),
        "primary",
        "are due now, with all attempts again",
    ),
    JobAct("run_now", "Run now", "retry", _LATER, "", "are due now"),
    JobAct("reschedule", "Reschedule", "reschedule", _ANY, "", "were rescheduled"),
    JobAct("fail", "Fail", "fail", _ANY - {"failed"}, "", "will not be tried again"),
    JobAct("delete", "Delete", "delete", _ANY, "danger", "were deleted"),
)
"""In the order of their buttons. Of running jobs Graphile Worker changes nothing."""


@dataclass(frozen=True, slots=True)
class Button:
    """A link that opens a question."""

    title: str
    url: str
    kind: str = ""


def job_acts(v: View, state: str) -> list[JobAct]:
    """What this viewer may do to jobs of a state."""
    return [act for act in JOB_ACTS if state in act.states and allowed(v, act.permission)]


def job_buttons(
    v: View, state: str, query: dict[str, object], names: Iterable[str] = ()
) -> list[Button]:
    """Links to the questions about jobs that `query` selects."""
    wanted = set(names)
    return [
        Button(act.title, v.url("jobs", "act", **query, **{_selector(query): act.name}), act.kind)
        for act in job_acts(v, state)
        if not wanted or act.name in wanted
    ]


def _selector(query: dict[str, object]) -> str:
    """Whether the act is for jobs by their ids, or for all that a filter finds."""
    return "do" if "id" in query else "all"


def allowed(v: View, permission: str) -> bool:
    """Whether the button is there."""
    return permission in v.may and not v.read_only
