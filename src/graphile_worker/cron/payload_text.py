"""The payload at the end of a crontab line: JSON5, an object, on one line."""

from __future__ import annotations

import re
from typing import Any, Final

from graphile_worker.errors import PayloadError
from graphile_worker.payloads.codec import from_json, to_json

_LONGEST_JSON5: Final = 32_768
"""Characters; beyond them only plain JSON is read, since JSON5 takes seconds for a megabyte."""
_PLACE: Final = re.compile(r"^<string>:1 (?P<what>.*) at column (?P<column>[0-9]+)$", re.DOTALL)


class PayloadTextError(ValueError):
    """The payload is wrong; `offset` is where in its text."""

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


def parse_payload(text: str) -> str:
    """JSON text of an object that is written in JSON5.

    Raises:
        PayloadTextError: it is not such an object, or holds what PostgreSQL cannot.
    """
    if not text.startswith("{"):
        raise PayloadTextError("expected ?options, or a payload, which is an object { … }")
    if not text.endswith("}"):
        raise PayloadTextError("the payload must be one object { … } that ends on the same line")
    try:
        value = from_json(text)
    except PayloadError:
        value = _json5(text)
    try:
        return to_json(value)
    except PayloadError as error:
        raise PayloadTextError(f"the payload: {error}") from None


def _json5(text: str) -> Any:
    if len(text) > _LONGEST_JSON5:
        raise PayloadTextError(
            f"a payload of more than {_LONGEST_JSON5} characters must be plain JSON"
        )
    import json5  # noqa: PLC0415 (slow to import, and seldom needed)

    try:
        return json5.loads(text)
    except RecursionError:
        raise PayloadTextError("the payload is nested too deep") from None
    except Exception as error:  # noqa: BLE001 (whatever a foreign parser makes of a user's text)
        match = _PLACE.match(str(error))
        if match is None:
            raise PayloadTextError(f"the payload is not JSON5: {str(error)[:100]}") from None
        what = match["what"][:1].lower() + match["what"][1:]
        offset = min(int(match["column"]), len(text)) - 1
        raise PayloadTextError(f"the payload is not JSON5: {what}", offset) from None
