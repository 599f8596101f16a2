"""The last runs of a recurring job as a strip of marks, which differ in shape and in colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.cron_runs import SHOWN, CronRun, CronRunState

_STEP: Final = 8
_HEIGHT: Final = 18
_SHAPES: Final = {
    CronRunState.ON_TIME: "M0 2h6v14h-6z",
    CronRunState.LATE: "M0 10h6v6h-6z",
    CronRunState.FAILED: "M0 4h2l1 3 1-3h2l-2 6 2 6h-2l-1-3-1 3h-2l2-6z",
    CronRunState.ADDED: "M0 2h6v14h-6zM1.5 3.5v11h3v-11z",
    CronRunState.DUE: "M0 10h6v6h-6zM1.5 11.5v3h3v-3z",
    CronRunState.OWED: "M1.5 2h3v9h-3zM1.5 13h3v3h-3z",
    CronRunState.PAUSED: "M0 2h2v14h-2zM4 2h2v14h-2z",
    CronRunState.UNKNOWN: "M0 14h6v2h-6z",
}
"""Paths of 6 by 14, on a line at 16."""
_WORDS: Final = {
    CronRunState.ON_TIME: "on time",
    CronRunState.LATE: "late",
    CronRunState.FAILED: "failed",
    CronRunState.ADDED: "job added",
    CronRunState.DUE: "due",
    CronRunState.OWED: "no job added",
    CronRunState.PAUSED: "paused",
    CronRunState.UNKNOWN: "not recorded",
}


def strip(v: View, runs: Sequence[CronRun]) -> Markup:
    """The runs, the oldest on the left; nothing where there are none."""
    if not runs:
        return Markup("")
    marks = Markup("").join(
        _mark(run.state, (SHOWN - len(runs) + place) * _STEP, f"{v.moment(run.at)}: {_said(run)}")
        for place, run in enumerate(runs)
    )
    return Markup(
        '<svg class="strip" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(SHOWN * _STEP, _HEIGHT, _sentence(runs), marks)


def legend(runs: Sequence[CronRun]) -> Markup:
    """The marks that are shown, and what they mean."""
    shown = {run.state for run in runs}
    return Markup("").join(
        Markup(
            '<span><svg class="strip" viewBox="0 0 8 18" aria-hidden="true">{}</svg> {}</span>'
        ).format(_mark(state, 0, ""), word)
        for state, word in _WORDS.items()
        if state in shown
    )


def _mark(state: CronRunState, x: int, title: str) -> Markup:
    said = Markup("<title>{}</title>").format(title) if title else ""
    return Markup(
        '<path class="{}" fill-rule="evenodd" transform="translate({} 0)" d="{}">{}</path>'
    ).format(state.value, x, _SHAPES[state], said)


def _said(run: CronRun) -> str:
    if run.started_at is None:
        return _WORDS[run.state]
    after = words.span((run.started_at - run.at).total_seconds())
    return f"{_WORDS[run.state]}, started {after} after"


def _sentence(runs: Sequence[CronRun]) -> str:
    counts = Counter(run.state for run in runs)
    said = ", ".join(f"{counts[state]} {word}" for state, word in _WORDS.items() if counts[state])
    return f"Last {words.plural(len(runs), 'run')}: {said}"
