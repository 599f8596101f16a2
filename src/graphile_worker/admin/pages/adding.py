"""Adding a job: a new one, or a copy of one that is there."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import typed
from graphile_worker.admin.pages.forms import fields_of
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.questions import Field, Question, Told, ask, tell
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import View
from graphile_worker.errors import ConfigurationError, DatabaseError, GraphileWorkerError
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import JobKeyMode, JobSpec, check_identifier
from graphile_worker.payloads.codec import from_json, to_json

_BIGGEST: Final = 19


async def ask_job(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /jobs/new`."""
    v = await site.view(request, viewer)
    try:
        return ask(request, v, await _question(v, site, dict(request.query_params)))
    except (ConfigurationError, DatabaseError) as error:
        return trouble(request, v, error)


async def add_job(request: Request, site: Site, viewer: Viewer) -> Response:
    """`POST /jobs/new`."""
    v = await site.view(request, viewer)
    given = dict(await fields_of(request))
    try:
        if site.changing is None:
            raise ConfigurationError("nothing can be changed here: it is read-only")
        new = await _copy(site, given) if given.get("like") else _new(v, given)
        job = await site.changing.add_job(viewer.name, new)
    except (GraphileWorkerError, ValueError) as error:
        if isinstance(error, DatabaseError):
            return trouble(request, v, error)
        question = await _question(v, site, given)
        return ask(request, v, question.filled(given), problem=str(error))
    link = {"url": v.url("jobs", job.id), "text": f"Job {job.id}"}
    return tell(request, v, Told(text=f"Job {job.id} was added.", links=[link]))


async def _question(v: View, site: Site, given: dict[str, str]) -> Question:
    if given.get("like"):
        return await _about_copy(v, site, given["like"])
    modes = [(mode.value, mode.value.replace("_", " ")) for mode in JobKeyMode]
    return Question(
        title="Add a job",
        text="It is stored as add_job in SQL does; no payload type is checked.",
        action=v.url("jobs", "new"),
        button="Add",
        fields=[
            Field(name="task", title="Task", value=given.get("task", ""), required=True),
            Field(name="payload", title="Payload (JSON)", value="{}", kind="area"),
            Field(name="queue", title="Queue", hint="none: runs in parallel"),
            Field(name="run_at", title="Run at", hint="at once; +10m, 2026-01-31 08:00"),
            Field(
                name="priority", title="Priority", kind="number", hint="0", note="Lower runs first"
            ),
            Field(name="max_attempts", title="Attempts at most", kind="number", hint="25"),
            Field(name="key", title="Key", hint="none"),
            Field(name="key_mode", title="If the key is there", kind="choice", choices=modes),
            Field(name="flags", title="Flags", hint="comma separated"),
        ],
    )


async def _about_copy(v: View, site: Site, like: str) -> Question:
    rows = await site.reading.jobs.rows([_id(like)])
    if not rows:
        raise ConfigurationError(f"job {like[:20]} is not in the table any more")
    return Question(
        title=f"Enqueue a copy of job {rows[0].id}?",
        text="A new job with the same task, payload, queue, priority, attempts at most and flags; "
        "without the key, and due at once.",
        action=v.url("jobs", "new"),
        button="Enqueue",
        hidden=[("like", str(rows[0].id))],
        samples=rows,
        back=v.url("jobs", rows[0].id),
    )


async def _copy(site: Site, given: dict[str, str]) -> NewJob:
    """The payload goes over as it is stored, secrets included, and is shown to nobody."""
    job_id = _id(given["like"])
    rows = await site.reading.jobs.rows([job_id])
    payload = await site.reading.jobs.payload(job_id, reveal=True, stored=True)
    if not rows or payload is None:
        raise ConfigurationError(f"job {job_id} is not in the table any more")
    if payload.is_cut:
        raise ConfigurationError(f"the payload of job {job_id} is too big to be copied here")
    job = rows[0]
    spec = JobSpec(
        queue_name=job.queue,
        priority=job.priority,
        max_attempts=job.max_attempts,
        flags=job.flags or None,
    )
    return NewJob(identifier=job.task, payload=payload.text, spec=spec)


def _new(v: View, given: dict[str, str]) -> NewJob:
    flags = [flag.strip() for flag in given.get("flags", "").split(",") if flag.strip()]
    key = given.get("key", "") or None
    return NewJob(
        identifier=check_identifier(given.get("task", "").strip()),
        payload=_json(given.get("payload", "")),
        spec=JobSpec(
            queue_name=given.get("queue", "") or None,
            run_at=typed.run_at(given, v.settings.tzinfo),
            priority=typed.whole_number("priority", given),
            max_attempts=typed.whole_number("max_attempts", given),
            job_key=key,
            job_key_mode=JobKeyMode(given.get("key_mode") or "replace") if key else None,
            flags=flags or None,
        ),
    )


def _json(text: str) -> str:
    """What was typed, checked, as it is: numbers keep their digits."""
    text = text.strip() or "{}"
    try:
        to_json(from_json(text))
    except (ValueError, GraphileWorkerError) as error:
        raise ConfigurationError(f"payload must be JSON: {error}") from None
    return text


def _id(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _BIGGEST:
        raise ConfigurationError(f"like must be the number of a job, got {text[:40]!r}")
    return int(text)
