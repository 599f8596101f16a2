"""Batch results (first version)."""

from typing import Any

import msgspec

from graphile_worker.jobs.outcome import COMPLETED, Outcome, Unfinished, Verdict


def batch_outcome(payload: str, results: Any) -> Outcome:
    if results is None:
        return COMPLETED
    items = msgspec.json.decode(payload, type=list[msgspec.Raw])
    if len(items) != len(results):
        return Unfinished(Verdict.SPENT, f"batch handler returned {len(results)} results for {len(items)} payload items")
    failed = [i for i, r in enumerate(results) if r is not None]
    if not failed:
        return COMPLETED
    text = ", ".join(f"{i}: {results[i]!r}" for i in failed)
    rest = msgspec.json.encode([items[i] for i in failed]).decode()
    return Unfinished(Verdict.SPENT, f"{len(failed)} batch item(s) failed: {text}", None, rest)
