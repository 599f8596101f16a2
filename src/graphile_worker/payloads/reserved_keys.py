"""Keys of a stored payload that are not the producer's: `_cron` and `_trace`."""

from __future__ import annotations

from typing import Final

import msgspec

CRON: Final = "_cron"
"""When a cron item fired; put into the payload by the scheduler of any worker."""
TRACE: Final = "_trace"
"""The trace a job belongs to; put into the payload, and into the items of a batch, by tracing."""

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])


def without_reserved_keys(text: str, *, keep_cron: bool) -> str:
    """The payload as its producer wrote it; other values stay as they are, byte by byte.

    Args:
        text: JSON text; what is not JSON is returned as it is.
        keep_cron: for handlers that take any object.
    """
    if '"_trace"' not in text and (keep_cron or '"_cron"' not in text):
        return text
    dropped = (TRACE,) if keep_cron else (CRON, TRACE)
    try:
        if text.lstrip().startswith("["):
            items = [_without(item, dropped) for item in _array.decode(text)]
            return msgspec.json.encode(items).decode()
        return bytes(_without(msgspec.Raw(text), dropped)).decode()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return text


def with_trace(text: str, trace: bytes) -> str:
    """The payload with a trace in it, and in each item of a batch; one that was there is replaced.

    Args:
        text: JSON text; what is no object, or an item that is none, stays as it is.
        trace: the value of the key, as JSON.
    """
    value = msgspec.Raw(trace)
    if text.lstrip().startswith("["):
        items = [_with(item, value) for item in _array.decode(text)]
        return msgspec.json.encode(items).decode()
    return bytes(_with(msgspec.Raw(text), value)).decode()


def _with(value: msgspec.Raw, trace: msgspec.Raw) -> msgspec.Raw:
    if not bytes(value).lstrip().startswith(b"{"):
        return value
    return msgspec.Raw(msgspec.json.encode({**_object.decode(value), TRACE: trace}))


def _without(value: msgspec.Raw, dropped: tuple[str, ...]) -> msgspec.Raw:
    if not bytes(value).lstrip().startswith(b"{"):
        return value
    members = _object.decode(value)
    if not any(key in members for key in dropped):
        return value
    for key in dropped:
        members.pop(key, None)
    return msgspec.Raw(msgspec.json.encode(members))
