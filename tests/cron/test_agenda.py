"""Which runs are owed, and that none is owed twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from graphile_worker import Crontab, parse_crontab
from graphile_worker.cron.agenda import Agenda, first_owed
from graphile_worker.queries.cron import KnownCrontab

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def entry(text: str) -> Crontab:
    [found] = parse_crontab(text)
    return found


def taken(agenda: Agenda, now: datetime) -> list[str]:
    """All that is owed, scheduled one by one."""
    found = []
    while (due := agenda.due(now)) is not None:
        found.append(f"{due.minute:%H:%M} {' '.join(c.identifier for c in due.crontabs)}")
        agenda.done()
    return found


def test_entries_of_one_minute_come_together_and_in_order():
    entries = [entry("*/2 * * * * a"), entry("* * * * * b"), entry("3 12 * * * c")]
    agenda = Agenda((item, NOON) for item in entries)
    assert taken(agenda, NOON - MINUTE / 60) == []
    assert taken(agenda, NOON + 4 * MINUTE) == [
        "12:00 a b",
        "12:01 b",
        "12:02 a b",
        "12:03 b c",
        "12:04 a b",
    ]
    assert taken(agenda, NOON + 4 * MINUTE) == []


def test_what_is_not_done_stays_owed():
    agenda = Agenda([(entry("* * * * * a"), NOON)])
    first = agenda.due(NOON)
    assert first == agenda.due(NOON) == agenda.due(NOON + MINUTE)
    agenda.done()
    second = agenda.due(NOON + MINUTE)
    assert second is not None
    assert second.minute == NOON + MINUTE


def test_a_clock_that_is_put_back_repeats_nothing_and_skips_nothing():
    agenda = Agenda([(entry("* * * * * a"), NOON)])
    assert taken(agenda, NOON + MINUTE) == ["12:00 a", "12:01 a"]
    assert taken(agenda, NOON - HOUR) == []
    assert taken(agenda, NOON + MINUTE) == []
    assert taken(agenda, NOON + 2 * MINUTE) == ["12:02 a"]


def test_a_clock_that_jumps_ahead_owes_five_minutes_or_the_fill():
    agenda = Agenda([(entry("* * * * * a"), NOON), (entry("*/10 * * * * b ?fill=30m"), NOON)])
    assert taken(agenda, NOON + 2 * HOUR) == [
        "13:30 b",
        "13:40 b",
        "13:50 b",
        "13:55 a",
        "13:56 a",
        "13:57 a",
        "13:58 a",
        "13:59 a",
        "14:00 a b",
    ]


def test_a_minute_that_grew_too_old_while_the_database_was_away_is_passed_over():
    agenda = Agenda([(entry("* * * * * a"), NOON)])
    assert agenda.due(NOON) is not None
    later = agenda.due(NOON + HOUR)
    assert later is not None
    assert later.minute == NOON + HOUR - 5 * MINUTE


def test_an_entry_that_never_runs_owes_nothing():
    assert Agenda([(entry("0 0 30 2 * a"), NOON)]).due(NOON + 10**4 * HOUR) is None


def owed(text: str, known: KnownCrontab | None, start: datetime = NOON) -> str:
    return f"{first_owed(entry(text), known, start):%H:%M}"


def test_what_is_owed_at_the_start():
    since = NOON - 10 * HOUR
    never = KnownCrontab("a", since, None)
    ran = KnownCrontab("a", since, NOON - HOUR)
    assert owed("* * * * * a ?fill=2h", None) == "12:00", "nobody knew it"
    assert owed("* * * * * a", ran) == "12:00", "without fill"
    assert owed("* * * * * a", ran, NOON + MINUTE / 2) == "12:01"
    assert owed("* * * * * a ?fill=2h", never) == "10:00"
    assert owed("* * * * * a ?fill=2h", never, NOON + MINUTE / 2) == "10:01"
    assert owed("* * * * * a ?fill=20h", never) == "02:00", "not before it was known"
    assert owed("* * * * * a ?fill=2h", ran) == "11:01", "after its last one"
    ahead = KnownCrontab("a", since, NOON + HOUR)
    assert owed("* * * * * a ?fill=2h", ahead) == "12:00", "the database refuses the rest"
    old = KnownCrontab("a", NOON - timedelta(days=5000), None)
    years = first_owed(entry("* * * * * a ?fill=9999w"), old, NOON)
    assert years == NOON - timedelta(days=366)
