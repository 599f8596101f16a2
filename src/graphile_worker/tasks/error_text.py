"""What stands in `last_error`."""

from __future__ import annotations

from typing import Final, cast

from graphile_worker.errors import PermanentFailure

LONGEST: Final = 64 * 1024
"""In bytes of UTF-8."""
_CUT: Final = " … (cut)"
_DEEPEST: Final = 20
"""Groups in groups beyond this are told without what they hold."""


def error_text(error: BaseException) -> str:
    """`Type: message`, the type alone when there is no message; a `PermanentFailure`'s reason.

    An exception group is told with what it holds. Never raises, whatever the exception does.
    """
    if isinstance(error, PermanentFailure):
        return storable(_message(error))
    return storable(_described(error))


def storable(text: str) -> str:
    """Text as PostgreSQL can hold it: no U+0000, no surrogates, at most 64 KiB."""
    text = text[: LONGEST + 1].replace("\0", "\N{REPLACEMENT CHARACTER}")
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= LONGEST:
        return data.decode()
    cut = data[: LONGEST - len(_CUT.encode())].decode("utf-8", "ignore")
    return cut + _CUT


def _described(error: BaseException, depth: int = 0) -> str:
    name, message = type(error).__name__, _message(error)
    text = f"{name}: {message}" if message else name
    if isinstance(error, BaseExceptionGroup) and depth < _DEEPEST:
        group = cast("BaseExceptionGroup[BaseException]", error)
        inner = "; ".join(_described(each, depth + 1) for each in group.exceptions)
        return f"{text} [{inner}]"
    return text


def _message(error: BaseException) -> str:
    try:
        return str.__str__(str(error))
    except BaseException as broken:  # noqa: BLE001 (a handler's exception may do anything)
        return f"(its message cannot be told: {type(broken).__name__})"
