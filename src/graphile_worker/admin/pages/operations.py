"""Operations on many jobs: how far they are, what they left alone, and how to end them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages.buttons import JOB_ACTS
from graphile_worker.admin.pages.forms import FORM_PROOF
from graphile_worker.admin.pages.messages import not_there
from graphile_worker.admin.pages.questions import Told, tell
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.bulk import BulkOperation

_SHOWN = 50
_TITLES = {act.name: act.title for act in JOB_ACTS}
_BADGES = {
    "running": ("running", "▶", "Running"),
    "done": ("ok", "✓", "Done"),
    "cancelled": ("retrying", "‖", "Cancelled"),
    "failed": ("failed", "✕", "Failed"),
}


async def operation(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /operations/{id}`."""
    v = await site.view(request, viewer)
    found = _find(request, site, viewer)
    if found is None:
        return _unknown(request, v)
    return render(
        request,
        "operation.html",
        v,
        title=f"{_TITLES[found.act.action.value]} jobs",
        section="jobs",
        operation=found,
        badge=v.badge(*_BADGES[found.state]),
        filter=" · ".join(f"{name} {value}" for name, value in found.filter.items()) or "all jobs",
        skipped_jobs=found.skipped_jobs[:_SHOWN],
        form_proof=FORM_PROOF,
    )


async def cancel(request: Request, site: Site, viewer: Viewer) -> Response:
    """`POST /operations/{id}/cancel`: ends it after the chunk that is under way."""
    v = await site.view(request, viewer)
    found = _find(request, site, viewer)
    if found is None or site.changing is None:
        return _unknown(request, v)
    await site.changing.cancel(viewer.name, found.id)
    text = f"Ended after {v.plural(found.changed, 'job')}; what is done stays done."
    return tell(request, v, Told(text=text), back=v.url("operations", found.id))


def moving(site: Site) -> int:
    """A number that changes whenever an operation gets on."""
    if site.changing is None:
        return 0
    return hash(tuple((one.state, one.requested) for one in site.changing.operations.all()))


def _find(request: Request, site: Site, viewer: Viewer) -> BulkOperation | None:
    """An operation of this viewer, or of anybody for those who may read the audit."""
    if site.changing is None:
        return None
    found = site.changing.operations.get(request.path_params["id"])
    if found is None or (found.actor != viewer.name and "audit" not in viewer.permissions):
        return None
    return found


def _unknown(request: Request, v: View) -> Response:
    return not_there(
        request,
        v,
        "This process knows no such operation of yours: it may have been another one, "
        "or one before a restart. What it did is in the audit.",
    )
