"""What a worker counts, against a plain count."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from graphile_worker.history.histogram import bucket_of
from graphile_worker.history.tally import MOST, Counted, Tally, rows

LENGTHS = {"minute": 60, "hour": 3600, "day": 86400}

runs = st.lists(
    st.tuples(
        st.sampled_from(["completed", "failed", "dead"]),
        st.sampled_from(["a", "b"]),
        st.integers(min_value=0, max_value=3 * 86400),
        st.integers(min_value=0, max_value=10_000),
        st.none() | st.integers(min_value=0, max_value=10_000),
    ),
    max_size=60,
)


@given(runs, st.integers(min_value=0, max_value=60))
def test_rows_say_what_a_plain_count_says(
    told: list[tuple[Counted, str, int, int, int | None]], flush_after: int
) -> None:
    tally = Tally()
    kept = {}
    for number, (outcome, task, at, run, wait) in enumerate(told):
        if number == flush_after:  # taken, and not stored
            kept = tally.take()
        tally.add(outcome, task, at=at, run=run, wait=wait)
    tally.put_back(kept)

    plain: dict[tuple[str, int, str], Counter[str]] = defaultdict(Counter)
    for outcome, task, at, run, wait in told:
        for resolution, length in LENGTHS.items():
            counts = plain[resolution, at // length * length, task]
            counts[outcome] += 1
            if outcome == "completed":
                counts["run"] += run
                counts[f"run {bucket_of(run)}"] += 1
            if wait is not None:
                counts["wait"] += wait
                counts[f"wait {bucket_of(wait)}"] += 1

    found = {}
    for row in rows(tally.take()):
        counts = Counter({name: row[name] for name in ("completed", "failed", "dead")})
        counts += Counter({"run": int(row["run"]), "wait": int(row["wait"])})
        for kind in ("run", "wait"):
            counts += Counter({f"{kind} {n}": c for n, c in enumerate(row[f"{kind}_h"])})
        found[row["resolution"], row["at"], row["task"]] = +counts
    assert found == {key: +counts for key, counts in plain.items()}


def test_a_worker_without_a_database_does_not_grow() -> None:
    tally = Tally()
    for minute in range(MOST + 5):
        tally.add("completed", "t", at=minute * 60, run=0.1, wait=None)
    assert (len(tally), tally.missed) == (MOST, 5)
    tally.add("completed", "t", at=60, run=0.1, wait=None)
    assert tally.missed == 5
