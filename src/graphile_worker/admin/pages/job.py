"""One job: why it is where it is, what it holds, what can be done to it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from graphile_worker.admin.extensions.panels import Card, ShownJob
from graphile_worker.admin.extensions.trace_url import trace_address
from graphile_worker.admin.pages.buttons import Button, allowed, job_buttons
from graphile_worker.admin.pages.copying import FORMS
from graphile_worker.admin.pages.forms import FORM_PROOF
from graphile_worker.admin.pages.messages import message, trouble
from graphile_worker.admin.pages.payloads import shown_payload
from graphile_worker.admin.pages.render import REGION, render
from graphile_worker.admin.pages.site import Site, Viewer, last
from graphile_worker.admin.pages.timeline import ended, timeline
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.filters import filter_of
from graphile_worker.admin.service.job_details import JobDetails
from graphile_worker.admin.service.traces import Trace
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.admin_jobs import JobRow
from graphile_worker.queries.history import JobRun

_BIGGEST_ID = 2**63 - 1
_WHOLE_ERROR = 65_536
"""Characters that the service reads of an error."""
_SHOWN = (
    *("id", "task", "queue", "key", "priority", "attempts", "max_attempts", "flags", "error"),
    *("created_at", "updated_at", "run_at", "locked_at", "locked_by"),
)
"""What a panel is told of a job as it is."""


async def job_page(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /jobs/{id}`; a `POST`, which needs `reveal_payload`, shows what is redacted."""
    v = await site.view(request, viewer)
    reveal = request.method == "POST"
    try:
        job_id = id_of(request)
        if reveal:
            await site.audit.tell(viewer.name, "reveal", {"ids": [job_id]})
        details = None if job_id is None else await site.reading.jobs.one(job_id, reveal=reveal)
        attempts = [] if details is None else await site.reading.past.attempts(details.row.id)
        await site.samples.kept.get()
    except DatabaseError as error:
        return trouble(request, v, error)
    if details is None:
        return await gone(request, v, site, job_id)
    job = details.row
    return render(
        request,
        "job.html",
        v,
        title=f"Job {job.id}",
        section="jobs",
        job=job,
        why=_sentence(details.why),
        acts=_acts(v, job),
        trace_url=trace_address(site.extensions.trace_url, _trace(details, attempts)),
        copies=[(form, title) for form, (title, _) in FORMS.items()]
        if "view_payload" in v.may
        else [],
        error_hidden=details.error_hidden,
        error_is_cut=(job.error_length or 0) > _WHOLE_ERROR,
        payload=shown_payload(details.payload) if "view_payload" in v.may else None,
        may_reveal="reveal_payload" in v.may and not reveal,
        form_proof=FORM_PROOF,
        timeline=timeline(v, job, attempts),
        timeline_note=_note(v, attempts, is_kept=last(site.samples.kept) is not None),
        panels=await _panels(request, v, site, details),
        live=not reveal,
    )


async def job_payload(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /jobs/{id}/payload`: all of it, as a file."""
    v = await site.view(request, viewer)
    job_id = id_of(request)
    try:
        payload = None if job_id is None else await site.reading.jobs.payload(job_id)
    except DatabaseError as error:
        return trouble(request, v, error)
    if payload is None:
        return await gone(request, v, site, job_id)
    if payload.problem is not None:
        text = f"The payload of job {job_id} could not be decoded: {payload.problem}."
        return message(request, v, 422, "No payload to download", text, section="jobs")
    name = f'attachment; filename="job-{job_id}.json"'
    return Response(
        payload.text, media_type="application/json", headers={"Content-Disposition": name}
    )


async def job_as(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /jobs/{id}/as/{form}`: the job as text to paste."""
    v = await site.view(request, viewer)
    name, job_id = request.path_params["form"], id_of(request)
    form = FORMS.get(name)
    try:
        details = None
        if form is not None and job_id is not None:
            # What adds such a job again has to store what is stored.
            details = await site.reading.jobs.one(job_id, stored=name != "json")
    except DatabaseError as error:
        return trouble(request, v, error)
    if form is None or details is None:
        return await gone(request, v, site, job_id)
    return PlainTextResponse(form[1](details.row, details.payload.text, site.schema))


async def gone(request: Request, v: View, site: Site, job_id: int | None) -> Response:
    """A job that is not in the table, which mostly is good news; with what is known of its end."""
    title = f"Job {request.path_params.get('id', '')[:20]} is not in the table"
    attempts: list[JobRun] = []
    if job_id is not None:
        with contextlib.suppress(DatabaseError):
            attempts = await site.reading.past.attempts(job_id)
    text = (
        "Graphile Worker deletes a job when it succeeds. It may also have been deleted by hand, or "
        "never have been there."
    )
    if attempts:
        text = f"{ended(v, attempts[-1])} {text}"
    return message(request, v, 404, title, text, section="jobs")


async def jump(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /jump?q=`: to a job by its number, else by its key, else to a task, else to a search."""
    v = await site.view(request, viewer)
    text = request.query_params.get("q", "").strip()
    figures = site.samples.figures.last
    if text.isascii() and text.isdigit():
        to = v.url("jobs", text)
    elif figures is not None and any(row.task == text for row in figures.value.tasks):
        to = v.named("tasks", text)
    else:
        to = v.url("jobs", **({"key": text} if await _has_key(site, text) else {"q": text}))
    return Response(status_code=303, headers={"Location": to})


async def _has_key(site: Site, key: str) -> bool:
    try:
        return bool(key) and bool((await site.reading.jobs.find(filter_of(key=key), limit=1)).rows)
    except (DatabaseError, ValueError):
        return False


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _trace(details: JobDetails, attempts: Sequence[JobRun]) -> Trace | None:
    """The trace as the payload tells it, or as it was recorded."""
    recorded = (Trace(trace_id=run.trace_id) for run in reversed(attempts) if run.trace_id)
    return details.trace or next(recorded, None)


async def _panels(request: Request, v: View, site: Site, details: JobDetails) -> list[Card]:
    """The host's panels: they stand still, as the payload does, and are not asked with the news."""
    if REGION in request.headers:
        return []
    job, payload = details.row, details.payload
    shows = "view_payload" in v.may and bool(payload.text)
    shown = ShownJob(
        **{name: getattr(job, name) for name in _SHOWN},
        schema=site.schema,
        state=job.state.value,
        why=_sentence(details.why),
        payload=payload.text if shows else None,
        payload_is_cut=payload.is_cut,
        viewer=v.viewer_name,
        permissions=v.may,
    )
    return await site.extensions.panels.of(shown)


def _note(v: View, attempts: Sequence[JobRun], *, is_kept: bool) -> str:
    if attempts:
        return v.plural(len(attempts), "attempt") + " recorded"
    if is_kept:
        return "No attempt is recorded, yet or any more"
    return "Attempts are not recorded; `graphile-worker history install` begins"


def id_of(request: Request) -> int | None:
    """The number in the address; None when it can be no job's."""
    text = request.path_params["id"]
    if not text.isascii() or not text.isdigit() or len(text) > 19:  # noqa: PLR2004 - a bigint's digits
        return None
    return int(text) if int(text) <= _BIGGEST_ID else None


def _acts(v: View, job: JobRow) -> list[Button]:
    """The acts of its state; on running and stuck jobs Graphile Worker has none."""
    query: dict[str, object] = {"id": job.id}
    acts = [] if job.locked_at is not None else job_buttons(v, job.state.value, query)
    if allowed(v, "enqueue"):
        acts.append(Button("Enqueue a copy", v.url("jobs", "new", like=job.id)))
    if job.key is not None and allowed(v, "delete"):
        acts.append(Button("Remove by key", v.url("jobs", "remove", key=job.key), "danger"))
    return acts
