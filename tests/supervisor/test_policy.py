"""When processes are started again, and when they are replaced."""

from __future__ import annotations

from graphile_worker.supervisor.messages import Hello, Report, decode, encode
from graphile_worker.supervisor.policy import LONG_LIFE, LONGEST_PAUSE, Limits, Pauses


def report(jobs: int = 0, memory: int = 0) -> Report:
    return Report(is_ready=True, jobs=jobs, memory=memory, health={})


def test_pauses_double_up_to_a_limit_and_start_over_after_a_long_life():
    pauses = Pauses()
    assert [pauses.after(1) for _ in range(4)] == [0.1, 0.2, 0.4, 0.8]
    assert [pauses.after(1) for _ in range(10)][-1] == LONGEST_PAUSE
    assert [pauses.after(LONG_LIFE), pauses.after(1)] == [0.1, 0.2]


def test_a_process_is_worn_when_it_has_reached_a_limit():
    assert Limits().reached(report(10**9, 10**15)) is None
    limits = Limits(jobs=1000, memory=2**20 * 100)
    assert limits.reached(report(999, 2**20 * 99)) is None
    assert limits.reached(report(1000)) == "it has run 1,000 jobs (at most 1,000)"
    assert limits.reached(report(0, 2**20 * 150)) == "it holds 150 MiB (at most 100)"


def test_messages_come_over_as_they_were():
    hello = Hello(listen=":1", listen_beyond_loopback=True, grace_seconds=0.5)
    for message in (hello, report(3, 4)):
        assert decode(encode(message)) == message
