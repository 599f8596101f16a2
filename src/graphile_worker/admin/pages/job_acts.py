"""Acts on jobs: on those that were selected, or on all that a filter finds."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import typed, words
from graphile_worker.admin.pages.buttons import JOB_ACTS, JobAct, allowed
from graphile_worker.admin.pages.forms import fields_of
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.questions import Field, Question, Told, ask, tell
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.pages.wanted import filter_for
from graphile_worker.admin.service.actions import Act, JobAction, Report
from graphile_worker.admin.service.changing import Changing
from graphile_worker.admin.service.filters import FIELDS
from graphile_worker.admin.service.job_page import Preview
from graphile_worker.errors import ConfigurationError, DatabaseError

TYPED_FROM: Final = 100
"""From so many jobs on, their number has to be typed in."""
_ONE_MORE: Final = "one"
_ATTEMPTS: Final = "set_attempts"
"""Not `attempts`: the form carries the filter too, which would look for what was typed."""
_TITLES: Final = {act.name: act for act in JOB_ACTS}

Given = list[tuple[str, str]]


async def ask_jobs(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /jobs/act`: what it would do, to which jobs."""
    v = await site.view(request, viewer)
    given = list(request.query_params.multi_items())
    try:
        return ask(request, v, await _question(v, site, given))
    except (ConfigurationError, DatabaseError) as error:
        return trouble(request, v, error)


async def act_on_jobs(request: Request, site: Site, viewer: Viewer) -> Response:
    """`POST /jobs/act`: does it, and says what was left alone; to all: begins an operation."""
    v = await site.view(request, viewer)
    given = await fields_of(request)
    values = dict(given)
    try:
        act, changing = _act_of(given), _changing(v, site, given)
        wanted = _wanted(act, values, v)
        if "all" not in values:
            return await _act_on_ids(request, v, changing, viewer, act, wanted, given)
        _check_typed(values)
        newest = int(values["newest_id"]) if values.get("newest_id", "").isdigit() else None
        operation = await changing.start(
            viewer.name, wanted, filter_for(site, v.may, _filter(given)), newest_id=newest
        )
        return Response(status_code=303, headers={"Location": v.url("operations", operation.id)})
    except ConfigurationError as error:
        try:
            question = await _question(v, site, given)
        except (ConfigurationError, DatabaseError):
            return trouble(request, v, error)
        return ask(request, v, question.filled(values), problem=str(error))
    except DatabaseError as error:
        return trouble(request, v, error)


async def _act_on_ids(
    request: Request,
    v: View,
    changing: Changing,
    viewer: Viewer,
    act: JobAct,
    wanted: Act,
    given: Given,
) -> Response:
    ids = _ids(given)
    if dict(given).get("attempts_left") == _ONE_MORE and len(ids) == 1:
        wanted = Act(
            action=JobAction.RESCHEDULE,
            run_at=timedelta(0),
            max_attempts=typed.whole_number("next_attempt", dict(given)),
        )
    report = await changing.act(viewer.name, wanted, ids)
    return tell(request, v, told(report, act), back=_back(v, given))


def told(report: Report, act: JobAct) -> Told:
    """What came of an act on jobs."""
    text = f"{words.plural(len(report.changed), 'job')} {act.done}."
    if len(report.changed) == 1:
        text = text.replace(" are ", " is ").replace(" were ", " was ")
    skipped = [
        *({"id": one.id, "reason": one.reason} for one in report.skipped),
        *({"id": id_, "reason": "is not in the table any more"} for id_ in report.missing),
    ]
    return Told(text=text, skipped=skipped)


async def _question(v: View, site: Site, given: Given) -> Question:
    """What an act would touch; the same whether it is asked for the first time or again."""
    act = _act_of(given)
    _changing(v, site, given)
    values = dict(given)
    if "all" in values:
        preview = await site.reading.jobs.preview(filter_for(site, v.may, _filter(given)))
        return _about_all(v, act, preview, given)
    ids = _ids(given)
    if not ids:
        raise ConfigurationError("select at least one job")
    rows = await site.reading.jobs.rows(ids)
    locked = sum(row.locked_at is not None for row in rows)
    skipped = (
        f" {words.plural(locked, 'job')} of them would be skipped: a worker holds them."
        if locked
        else ""
    )
    gone = (
        f" {words.plural(len(ids) - len(rows), 'job')} of them are gone."
        if len(rows) < len(ids)
        else ""
    )
    one_more = act.name == "retry" and len(rows) == 1 and rows[0].attempts < 32_767  # noqa: PLR2004 - smallint
    return Question(
        title=f"{act.title} {words.plural(len(ids), 'job')}?",
        text=_explained(act) + skipped + gone,
        action=v.url("jobs", "act"),
        button=act.title,
        kind="danger" if act.kind == "danger" else "primary",
        hidden=[
            ("do", act.name),
            *(("id", str(id_)) for id_ in ids),
            *(((("next_attempt"), str(rows[0].attempts + 1)),) if one_more else ()),
        ],
        fields=[*_fields(act), *([_one_more_field()] if one_more else [])],
        samples=rows[:3],
        back=_back(v, given),
    )


def _about_all(v: View, act: JobAct, preview: Preview, given: Given) -> Question:
    count = words.number(preview.jobs)
    about = "" if preview.is_exact else "at least "
    fields = list(_fields(act))
    if preview.jobs > TYPED_FROM:
        note = "Because it is so many"
        fields.append(
            Field(
                name="typed",
                title=f"Type {preview.jobs} to confirm",
                kind="number",
                note=note,
                required=True,
            )
        )
    kept = _filter(given)
    may_export = act.name == "delete" and "export" in v.may
    return Question(
        title=f"{act.title} {about}{words.plural(preview.jobs, 'job')}?",
        text=f"{_explained(act)} {about}{count} match now; jobs that are added from now on are "
        "left alone. It goes on in chunks of 1,000 and can be cancelled.",
        action=v.url("jobs", "act"),
        button=f"{act.title} {about}{count}" if preview.jobs else "",
        kind="danger" if act.kind == "danger" else "primary",
        hidden=[
            ("all", act.name),
            *kept.items(),
            ("newest_id", str(preview.newest_id or 0)),
            ("count", str(preview.jobs)),
        ],
        fields=fields,
        samples=preview.sample,
        export_url=v.url("jobs", "export", **kept) if may_export else None,
        back=_back(v, given),
    )


def _explained(act: JobAct) -> str:
    return {
        "retry": "Attempts go back to 0, and the jobs are due at once.",
        "run_now": "The jobs are due at once; those that failed for good get all attempts again.",
        "reschedule": "What is left empty stays as it is.",
        "fail": "The jobs will not be tried again; they stay in the table until somebody retries "
        "or deletes them.",
        "delete": "The jobs are deleted as if they had run; Graphile Worker knows no cancelled "
        "state. This cannot be undone.",
    }[act.name]


def _fields(act: JobAct) -> list[Field]:
    if act.name == "fail":
        return [
            Field(name="reason", title="Reason, which becomes the error of the jobs", hint="why")
        ]
    if act.name == "reschedule":
        return [
            Field(name="run_at", title="Run at", hint="now, +10m, 2026-01-31 08:00"),
            Field(name="priority", title="Priority", kind="number", note="Lower numbers run first"),
            Field(name=_ATTEMPTS, title="Attempts used", kind="number"),
            Field(name="max_attempts", title="Attempts at most", kind="number"),
        ]
    return []


def _one_more_field() -> Field:
    choices = [("", "All attempts again"), (_ONE_MORE, "One more attempt")]
    return Field(name="attempts_left", title="How often", kind="choice", choices=choices)


def _wanted(act: JobAct, given: dict[str, str], v: View) -> Act:
    match act.name:
        case "fail":
            reason = given.get("reason", "").strip() or None
            return Act(action=JobAction.FAIL, reason=reason)
        case "reschedule":
            return Act(
                action=JobAction.RESCHEDULE,
                run_at=typed.run_at(given, v.settings.tzinfo),
                priority=typed.whole_number("priority", given),
                attempts=typed.whole_number("attempts", given, field=_ATTEMPTS),
                max_attempts=typed.whole_number("max_attempts", given),
            )
        case name:
            return Act(action=JobAction(name))


def _check_typed(given: dict[str, str]) -> None:
    count = given.get("count", "")
    is_many = count.isdigit() and int(count) > TYPED_FROM
    if is_many and given.get("typed", "").replace(",", "").strip() != count:
        raise ConfigurationError(f"type {count} to confirm, got {given.get('typed', '')[:40]!r}")


def _act_of(given: Given) -> JobAct:
    values = dict(given)
    name = values.get("all") or values.get("do") or ""
    act = _TITLES.get(name)
    if act is None:
        known = ", ".join(_TITLES)
        raise ConfigurationError(f"do must be one of {known}, got {name[:40]!r}")
    return act


def _changing(v: View, site: Site, given: Given) -> Changing:
    act = _act_of(given)
    if site.changing is None:
        raise ConfigurationError("nothing can be changed here: it is read-only")
    if not allowed(v, act.permission) or ("all" in dict(given) and not allowed(v, "bulk")):
        raise ConfigurationError(f"you may not do that: it needs the permission {act.permission}")
    return site.changing


def _filter(given: Given) -> dict[str, str]:
    return {name: value for name, value in given if name in FIELDS and value}


def _ids(given: Given) -> list[int]:
    ids = [value for name, value in given if name == "id"]
    return [int(value) for value in ids if value.isascii() and value.isdigit() and len(value) < 20]  # noqa: PLR2004 - a bigint's digits


def _back(v: View, given: Given) -> str:
    ids = _ids(given)
    if "all" not in dict(given) and len(ids) == 1 and "state" not in dict(given):
        return v.url("jobs", ids[0])
    return v.url("jobs", **_filter(given))
