"""What keeps open pages up to date: the stream of events, and the same for those that poll."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from graphile_worker.admin.live.stream import News
from graphile_worker.admin.pages.operations import moving
from graphile_worker.admin.pages.site import Site, Viewer, lost_since
from graphile_worker.admin.pages.view import Settings
from graphile_worker.admin.pages.words import clock
from graphile_worker.admin.service.samples import Sample
from graphile_worker.admin.web.mounting import is_wsgi
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.admin_samples import Pulse

Allowed = Callable[[Request], Awaitable[bool]]


class Follower:
    """What one open page was told last, and what is new since then."""

    def __init__(self, site: Site, settings: Settings) -> None:
        self._site = site
        self._settings = settings
        self._pulse: Pulse | None = None
        self._figures_at: object = None

    async def news(self) -> News:
        """What has changed; the kinds are those of `data-live` in the templates."""
        samples = self._site.samples
        try:
            pulse = await samples.pulse_now()
        except DatabaseError as error:
            return News((), 0, None, f"The database cannot be read: {error}")
        note = await samples.lost_counts()
        counted = samples.figures.last
        figures_at = None if counted is None else counted.at
        kinds = ["pulse"] if self._pulse is None or pulse.value.at != self._pulse.at else []
        changes = changes_between(self._pulse, pulse)
        kinds += ["jobs"] if changes else []
        kinds += ["groups"] if self._pulse is not None and self._figures_at != figures_at else []
        self._pulse, self._figures_at = pulse.value, figures_at
        at = clock(self._site.now(), self._settings.tzinfo)
        return News(tuple(kinds), changes, at, lost_since(pulse), note)


def changes_between(before: Pulse | None, after: Sample[Pulse]) -> int:
    """How many changes of jobs PostgreSQL counted.

    A connection that rests after a change tells of it only after ten seconds. What is due is seen
    at once, so that other than before is one change at least.
    """
    if before is None or before.at == after.value.at:
        return 0
    now = after.value
    counts = [
        (later or 0) - (earlier or 0)
        for earlier, later in (
            (before.inserted, now.inserted),
            (before.updated, now.updated),
            (before.deleted, now.deleted),
        )
    ]
    is_other = (before.ready, before.oldest_run_at) != (now.ready, now.oldest_run_at)
    return max(sum(counts), int(is_other)) if min(counts) >= 0 else 1


def events(allowed: Allowed) -> Callable[[Request, Site, Viewer], Awaitable[Response]]:
    """`GET /events`; `allowed` says whether who asked may still look."""

    async def stream(request: Request, site: Site, _viewer: Viewer) -> Response:
        if site.streams.full or is_wsgi(request.scope):
            return JSONResponse({"error": "too many streams; poll instead"}, 503)
        follower = Follower(site, Settings.of(request.cookies))
        body = site.streams.follow(
            follower.news, lambda: moving(site), lambda: allowed(request), site.announcements
        )
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(body, media_type="text/event-stream", headers=headers)

    return stream


async def poll(request: Request, site: Site, _viewer: Viewer) -> Response:
    """`GET /live`: the same once; all kinds, since nothing is remembered of who polls."""
    latest = await Follower(site, Settings.of(request.cookies)).news()
    body = {
        "kinds": ["pulse", "jobs", "groups", "operation"],
        "changes": 0,
        "at": latest.at,
        "lost": latest.lost,
        "note": latest.note,
    }
    has_no_room = site.streams.full or is_wsgi(request.scope)
    headers = {"Cache-Control": "no-store", "X-Stream": "full" if has_no_room else "free"}
    return JSONResponse(body, headers=headers)
