"""One job."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from graphile_worker.admin.service.decoding import Decoded
from graphile_worker.admin.service.job_page import shown_row
from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.admin.service.traces import Trace, trace_of
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
    problem: str | None = None
    """Why it could not be decoded; then there is no text, or what is stored, with secrets shown."""


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
    trace: Trace | None = None
    """In which it was added, where its payload tells."""


def details_of(
    row: JobRow, holder: Holder | None, decoded: Decoded, redactor: Redactor, *, chars: int
) -> JobDetails:
    """The job as it may be shown; takes time for a big payload.

    Args:
        row: the job.
        holder: of its queue.
        decoded: its payload; of one that is longer than four times `chars` the beginning will do.
        redactor: takes secrets out.
        chars: of the payload that are shown.
    """
    error = redactor.error(row.error or "")
    return JobDetails(
        row=shown_row(dataclasses.replace(row, payload=None), redactor, chars=0),
        why=why(row, holder),
        holder=holder,
        payload=payload_of(
            decoded, redactor, is_cut=len(decoded.text) >= 4 * chars, chars=chars, indent=True
        ),
        error_hidden=error.hidden,
        trace=trace_of(decoded.text),
    )


def payload_of(
    decoded: Decoded,
    redactor: Redactor,
    *,
    is_cut: bool,
    chars: int | None = None,
    indent: bool = False,
) -> Payload:
    """The payload as it may be shown; takes time for a big one.

    One that could not be decoded may be plain, for all we know, and is shown with secrets only.

    Args:
        decoded: the payload.
        redactor: takes secrets out.
        is_cut: whether it is the beginning of one.
        chars: that are shown of it.
        indent: one value a line.
    """
    text = decoded.text if decoded.problem is None or redactor.shows_all else ""
    shown = redactor.json(text, chars=chars, indent=indent)
    return Payload(
        text=shown.text,
        hidden=shown.hidden,
        is_cut=shown.is_cut or is_cut,
        problem=decoded.problem,
    )
