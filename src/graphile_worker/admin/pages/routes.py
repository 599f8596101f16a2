"""All pages: where they are, what a viewer needs to see them, and who answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import (
    acting,
    adding,
    audit,
    crons,
    failures,
    files,
    health,
    job,
    job_acts,
    job_list,
    live,
    operations,
    overview,
    pausing,
    preferences,
    queues,
    tasks,
    upkeep,
    workers,
)
from graphile_worker.admin.pages.site import Site, Viewer

Answer: TypeAlias = Callable[[Request, Site, Viewer], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One way into the pages.

    Attributes:
        method: of HTTP; what is not `GET` changes something, or shows a secret.
        path: within the application.
        permission: what a viewer needs; the pages themselves ask for more where it depends on what
            is sent.
        answer: makes the response.
    """

    method: str
    path: str
    permission: str
    answer: Answer


_UPKEEP: Final = (
    ("/jobs/remove", "delete", upkeep.ask_remove, upkeep.remove, "jobs"),
    ("/workers/unlock", "unlock", upkeep.ask_unlock, upkeep.unlock, "workers"),
    ("/workers/sweep", "sweep", upkeep.ask_sweep, upkeep.sweep, "workers"),
    ("/cron/run", "enqueue", upkeep.ask_cron, upkeep.run_cron, "cron"),
    ("/pause", "pause", pausing.ask_pause, pausing.pause, "queues"),
    ("/resume", "pause", pausing.ask_resume, pausing.resume, "queues"),
    ("/health/clean", "maintain", upkeep.ask_clean, upkeep.clean, "health"),
)


def pages(allowed: live.Allowed) -> list[Page]:
    """All of them; more exact paths stand first.

    Args:
        allowed: whether who opened a stream may still look.
    """
    return [
        Page("GET", "/", "view", overview.overview),
        Page("GET", "/events", "view", live.events(allowed)),
        Page("GET", "/live", "view", live.poll),
        Page("GET", "/jump", "view", job.jump),
        Page("GET", "/settings", "view", preferences.settings),
        Page("GET", "/jobs", "view", job_list.job_list),
        Page("GET", "/jobs/act", "view", job_acts.ask_jobs),
        Page("POST", "/jobs/act", "view", job_acts.act_on_jobs),
        Page("GET", "/jobs/new", "enqueue", adding.ask_job),
        Page("POST", "/jobs/new", "enqueue", adding.add_job),
        Page("GET", "/jobs/export", "export", files.export),
        *(
            page
            for path, permission, asks, does, section in _UPKEEP
            for page in (
                Page("GET", path, permission, acting.asking(asks, section)),
                Page("POST", path, permission, acting.acting(asks, does, section)),
            )
        ),
        Page("GET", "/jobs/{id}", "view", job.job_page),
        Page("POST", "/jobs/{id}", "reveal_payload", job.job_page),
        Page("GET", "/jobs/{id}/payload", "view_payload", job.job_payload),
        Page("GET", "/jobs/{id}/as/{form}", "view_payload", job.job_as),
        Page("GET", "/operations/{id}", "view", operations.operation),
        Page("POST", "/operations/{id}/cancel", "bulk", operations.cancel),
        Page("GET", "/failures", "view", failures.failures),
        Page("GET", "/tasks", "view", tasks.tasks),
        Page("GET", "/tasks/{identifier:path}", "view", tasks.task),
        Page("GET", "/queues", "view", queues.queues),
        Page("GET", "/queues/{name:path}", "view", queues.queue),
        Page("GET", "/workers", "view", workers.workers),
        Page("GET", "/cron", "view", crons.crons),
        Page("GET", "/health", "view", health.health),
        Page("GET", "/audit", "audit", audit.audit),
    ]


STATIC: Final = "/static/{digest}/{name}"
"""Files of ours: no secrets, open to all."""
static = files.static
