"""Forms: their mark, and what comes back from them."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from markupsafe import Markup
from starlette.requests import Request

FORM_MARK: Final = "_from"
"""A field that every form of ours has; a form of another site may have it too, so it proves nothing
alone: where a request comes from is checked by its headers."""
FORM_PROOF: Final = Markup('<input type="hidden" name="{}" value="page">').format(FORM_MARK)


async def fields_of(request: Request) -> list[tuple[str, str]]:
    """The fields of a form that was sent, in order; those of forms with files are none."""
    body = await request.body()
    text = body.decode("utf-8", "replace")
    return parse_qsl(text, keep_blank_values=True, max_num_fields=5_000)
