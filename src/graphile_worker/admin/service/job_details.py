"""One job."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from graphile_worker.admin.service.job_page import shown_row
from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.admin.service.why import why
from graphile_worker.queries.admin_jobs import JobRow
from graphile_worker.queries.admin_samples import Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A payload as it may be shown."""

    text: str
    """JSON, one value a line where it is for people; without what `hidden` counts."""
    hidden: int
    """How many values were taken out."""
    is_cut: bool
    """Whether there is more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetails:
    """A job with all that is known of it."""

    row: JobRow
    """Its `payload` is in the field below."""
    why: str
    """Why it is where it is, in one sentence."""
    holder: Holder | None
    """The job that keeps its queue locked, where one does."""
    payload: Payload
    error_hidden: int
    """How many values were taken out of its error."""


def details_of(row: JobRow, holder: Holder | None, redactor: Redactor, *, chars: int) -> JobDetails:
    """The job as it may be shown; takes time for a big payload."""
    stored = row.payload or ""
    payload = redactor.json(stored, chars=chars, indent=True)
    was_cut = len(stored) >= 4 * chars
    error = redactor.error(row.error or "")
    return JobDetails(
        row=shown_row(dataclasses.replace(row, payload=None), redactor, chars=0),
        why=why(row, holder),
        holder=holder,
        payload=Payload(text=payload.text, hidden=payload.hidden, is_cut=payload.is_cut or was_cut),
        error_hidden=error.hidden,
    )
