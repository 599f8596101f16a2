"""The list of jobs: tabs by state, filters in the address, pages by place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages.buttons import job_acts
from graphile_worker.admin.pages.column_choice import COOKIE, ColumnChoice
from graphile_worker.admin.pages.job_columns import COLUMNS, Column, named_columns
from graphile_worker.admin.pages.job_list_texts import (
    ORDERS,
    STATES,
    TITLES,
    empty_list,
    footer,
    scope_text,
)
from graphile_worker.admin.pages.preferences import remember
from graphile_worker.admin.pages.problems import Problem, problem_of
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer, last
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.pages.wanted import filter_for
from graphile_worker.admin.service.filters import SCOPES, JobFilter
from graphile_worker.admin.service.job_page import JobPage
from graphile_worker.errors import ConfigurationError, DatabaseError

SIZES: Final = ("20", "50", "100", "200")
_FIELDS: Final = (
    ("task", "Task", 16, "any"),
    ("queue", "Queue", 12, "any"),
    ("key", "Key", 14, "exact or prefix*"),
    ("error", "Error contains", 16, "any"),
    ("payload", "Payload", 16, "user.id=42 or text"),
    ("worker", "Worker", 12, "any"),
    ("attempts", "Attempts", 6, ">=3"),
    ("created", "Created", 8, "-1h"),
    ("run", "Run at", 8, "+30m"),
)
"""Name, title, width and hint of the filters that have a field."""
_MORE: Final = (("flag", "Flag"), ("fingerprint", "Kind of failure"), ("q", "Anywhere"))
"""Filters without a field of their own: they show when they are given."""


@dataclass(frozen=True, slots=True)
class Field:
    """A filter's field."""

    name: str
    title: str
    size: int
    hint: str
    value: str


@dataclass(frozen=True, slots=True)
class Tab:
    """A state with its number."""

    title: str
    url: str
    here: bool
    count: int | None
    """None where a filter does more than the figures know."""


async def job_list(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /jobs`; with `keep`, keeps the columns that were chosen in a cookie."""
    if "keep" in request.query_params:
        return await _keep_columns(request, site, viewer)
    given = dict(request.query_params)
    v = await site.view(request, viewer)
    size = given.get("size", "50") if given.get("size") in SIZES else "50"
    page: JobPage | None = None
    problem: Problem | None = None
    wanted: JobFilter | None = None
    columns: list[Column] = []
    try:
        wanted = filter_for(site, v.may, given)
        columns = _columns(request, v, wanted.wanted.state)
        shows_payloads = any(column.name == "payload" for column in columns)
        page = await site.reading.jobs.find(
            wanted, limit=int(size), after=given.get("after"), payloads=shows_payloads
        )
    except (ConfigurationError, DatabaseError) as error:
        problem = _problem(v, error, given)
    state = "all" if wanted is None else wanted.wanted.state
    fields = (
        {}
        if wanted is None
        else {name: value for name, value in wanted.fields.items() if name != "state"}
    )
    kept = {"state": state, **fields}
    return render(
        request,
        "jobs.html",
        v,
        status=problem.status if problem is not None else 200,
        title=TITLES[state],
        section="jobs",
        state=state,
        tabs=_tabs(v, site, state, fields),
        fields=_fields(given),
        filters_given=len(fields),
        scopes=[(str(scope), scope_text(scope)) for scope in SCOPES],
        scope=fields.get("scope", str(SCOPES[0])),
        size=size,
        given=list(kept.items()),
        acts=job_acts(v, state),
        error=problem,
        jobs=[] if page is None else page.rows,
        empty=None if page is None else empty_list(v, page, state, fields, given),
        columns=columns,
        column_choices=[(one.name, one.title, one in columns) for one in _offered(v)],
        order_text=ORDERS.get(state, "newest first"),
        footer="" if page is None else footer(page, given),
        first_url=v.url("jobs", **kept, size=given.get("size"), cols=given.get("cols"))
        if given.get("after")
        else None,
        next_url=None
        if page is None or page.next is None
        else v.url("jobs", **kept, size=given.get("size"), cols=given.get("cols"), after=page.next),
    )


def _columns(request: Request, v: View, state: str) -> list[Column]:
    """Those of the address, which whoever sends it to somebody wants seen; else the browser's."""
    if named := named_columns(request.query_params.get("cols", "").split(",")):
        found = named
    else:
        found = ColumnChoice.of(request.cookies.get(COOKIE, "")).columns(state)
    offered = _offered(v)
    return [column for column in found if column in offered]


def _offered(v: View) -> list[Column]:
    """The columns that this viewer may see."""
    return [one for one in COLUMNS if one.name != "payload" or "view_payload" in v.may]


async def _keep_columns(request: Request, site: Site, viewer: Viewer) -> Response:
    """Remember what was checked, `keep=columns`, or nothing, and go back to the list."""
    v = await site.view(request, viewer)
    given = request.query_params
    state = given.get("state", "all")
    choice = ColumnChoice()
    if given["keep"] == "columns" and state in TITLES:
        before = ColumnChoice.of(request.cookies.get(COOKIE, ""))
        choice = before.after(state, given.getlist("col"))
    fields = {name: value for name, value in given.items() if name not in {"keep", "col", "cols"}}
    answer = Response(status_code=303, headers={"Location": v.url("jobs", **fields)})
    remember(request, site, answer, COOKIE, str(choice))
    return answer


def _tabs(v: View, site: Site, state: str, fields: Mapping[str, str]) -> list[Tab]:
    """All states; their numbers are those of the whole table, so a filter leaves them out."""
    figures = last(site.samples.figures)
    narrowed = {name: fields[name] for name in ("task", "queue") if name in fields}
    counts = None
    if figures is not None and set(fields) <= {"task", "queue", "scope"}:
        counts = figures.counts_of(**narrowed)
    names = STATES if state in STATES else {**STATES, state: TITLES[state]}
    return [
        Tab(
            title,
            v.url("jobs", state=name, **fields),
            name == state,
            None if counts is None else counts.of(name),
        )
        for name, title in names.items()
    ]


def _fields(given: Mapping[str, str]) -> list[Field]:
    more = [(name, title, 14, "any") for name, title in _MORE if given.get(name)]
    return [
        Field(name, title, size, hint, given.get(name, ""))
        for name, title, size, hint in (*_FIELDS, *more)
    ]


def _problem(v: View, error: Exception, given: Mapping[str, str]) -> Problem:
    """What went wrong, with links to searches that ask for less."""
    fields = {name: value for name, value in given.items() if name not in {"after", "scope"}}
    narrower = {"url": v.url("jobs", **fields), "text": f"search {scope_text(SCOPES[0])}"}
    clear = {"url": v.url("jobs"), "text": "clear filters"}
    return problem_of(error, links=[narrower, clear])
