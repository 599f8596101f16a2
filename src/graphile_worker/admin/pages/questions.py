"""Questions before something changes, and reports after it.

A question is a page of its own; where the script runs, it stands in a dialog. It says what would be
touched. Its button sends the same form either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages.forms import FORM_PROOF
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.view import View
from graphile_worker.queries.admin_jobs import JobRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Something to fill in.

    Attributes:
        name: of the field in the form.
        title: above it.
        value: what stands in it at first.
        kind: `text`, `number`, `area`, `check` or `choice`.
        note: below it.
        hint: in it while it is empty.
        choices: values and words of a `choice`.
        required: whether it must not stay empty.
    """

    name: str
    title: str
    value: str = ""
    kind: str = "text"
    note: str = ""
    hint: str = ""
    choices: Sequence[tuple[str, str]] = ()
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        title: the question.
        text: what would happen, and to how much.
        action: where the answer goes.
        button: what says yes; empty where there is nothing to do.
        kind: `primary` or `danger`.
        hidden: what the answer has to carry.
        fields: what to fill in.
        samples: some of the jobs.
        warning: what can go wrong.
        export_url: where the jobs can be saved before they are deleted.
        back: where one came from.
    """

    title: str
    text: str
    action: str
    button: str
    kind: str = "primary"
    hidden: Sequence[tuple[str, str]] = ()
    fields: Sequence[Field] = ()
    samples: Sequence[JobRow] = ()
    warning: str = ""
    export_url: str | None = None
    back: str = ""

    def filled(self, given: dict[str, str]) -> Question:
        """The question with what was filled in before, for when it was not understood."""
        fields = [replace(field, value=given.get(field.name, "")) for field in self.fields]
        return replace(self, fields=fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a report says.

    Attributes:
        text: what was done.
        skipped: what was left alone: each with `id` (None where it is no job) and `reason`.
        links: where to look now.
    """

    text: str
    skipped: Sequence[Any] = ()
    links: Sequence[dict[str, str]] = ()


def ask(
    request: Request, v: View, question: Question, *, problem: str = "", section: str = "jobs"
) -> Response:
    """Ask; with a problem, ask again."""
    return render(
        request,
        "act.html",
        v,
        status=400 if problem else 200,
        title=question.title,
        section=section,
        live=False,
        text=question.text,
        action=question.action,
        button=question.button,
        kind=question.kind,
        hidden=question.hidden,
        fields=question.fields,
        samples=question.samples,
        warning=question.warning,
        export_url=question.export_url,
        problem=problem,
        back=question.back or v.url(section),
        form_proof=FORM_PROOF,
    )


def tell(
    request: Request, v: View, told: Told, *, back: str = "", section: str = "jobs"
) -> Response:
    """Report; a dialog closes, and stays said until it is dismissed if jobs were skipped."""
    return render(
        request,
        "report.html",
        v,
        title="Done" if not told.skipped else "Done, with exceptions",
        section=section,
        live=False,
        kind="bad" if told.skipped else "done",
        text=told.text,
        skipped=told.skipped,
        links=told.links,
        back=back or v.url(section),
    )
