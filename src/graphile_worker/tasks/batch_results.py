"""What a batch handler returned, as the outcome of its job."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final, TypeGuard

import msgspec

from graphile_worker.errors import PermanentFailure
from graphile_worker.jobs.outcome import COMPLETED, Outcome, Unfinished, Verdict
from graphile_worker.tasks.error_text import error_text, storable

_items: Final = msgspec.json.Decoder(list[msgspec.Raw])


def batch_outcome(payload: str, results: object) -> Outcome:
    """The outcome of a batch.

    Args:
        payload: the stored JSON array.
        results: None when all is done, else one entry an item: None where it is done, an exception
            where it failed.

    Returns:
        Completed; or failed with what failed, and the failed items as they were stored as the new
        payload. Anything else than such results fails the whole batch. When every failed item is a
        `PermanentFailure`, so is the job.
    """
    if results is None:
        return COMPLETED
    items = _stored_items(payload)
    if not _is_list(results):
        return _all_failed(
            f"the batch handler returned {type(results).__name__}, expected None or a list with "
            "None or an exception for each item"
        )
    if len(results) != len(items):
        return _all_failed(
            f"batch handler returned {len(results)} results for {len(items)} payload items"
        )
    failures = {index: result for index, result in enumerate(results) if result is not None}
    for index, result in failures.items():
        if not _is_failure(result):
            return _all_failed(
                f"the batch handler returned {type(result).__name__} for item {index}, "
                "expected None or an exception"
            )
    return _of_failures(failures, items)


def _of_failures(failures: dict[int, object], items: Sequence[msgspec.Raw]) -> Outcome:
    if not failures:
        return COMPLETED
    errors = ", ".join(f"{index}: {_text(failure)}" for index, failure in failures.items())
    permanent = all(isinstance(failure, PermanentFailure) for failure in failures.values())
    left = msgspec.json.encode([items[index] for index in failures]).decode()
    return Unfinished(
        Verdict.EXHAUSTED if permanent else Verdict.SPENT,
        storable(f"{len(failures)} batch item(s) failed: {errors}"),
        payload=left,
    )


def _stored_items(payload: str) -> list[msgspec.Raw]:
    """Each item's JSON as it stands in the payload."""
    try:
        return _items.decode(payload)
    except msgspec.DecodeError:  # JSON that msgspec does not read, such as a lone surrogate
        return [msgspec.Raw(item) for item in _slices(payload)]


def _slices(array: str) -> Iterator[str]:
    decoder, position = json.JSONDecoder(), array.index("[") + 1
    while (position := _after_separator(array, position)) < array.rindex("]"):
        _, end = decoder.raw_decode(array, position)
        yield array[position:end]
        position = end


def _after_separator(array: str, position: int) -> int:
    while array[position] in " \t\r\n,":
        position += 1
    return position


def _all_failed(reason: str) -> Unfinished:
    return Unfinished(Verdict.SPENT, reason)


def _is_list(results: object) -> TypeGuard[Sequence[object]]:
    return isinstance(results, Sequence) and not isinstance(results, str | bytes)


def _is_failure(result: object) -> bool:
    """An exception; an exception class is one without message, as in `raise`."""
    kind = result if isinstance(result, type) else type(result)
    return issubclass(kind, BaseException)


def _text(failure: object) -> str:
    if isinstance(failure, BaseException):
        return error_text(failure)
    return getattr(failure, "__name__", "")
