"""The benchmark of open pages, in small."""

from __future__ import annotations

from bench.viewers import PAGES, Sizes, measure, parse, prepare, tell

SMALL = Sizes(seconds=3, viewers=len(PAGES), rounds=2, jobs=200, waiting=25_000)


async def test_viewers_see_what_happens_and_what_they_cost_is_told(
    empty_database: str, capsys
) -> None:
    await prepare(empty_database, SMALL)
    cost = await measure(empty_database, SMALL)
    watched = cost.watched
    assert watched.viewed.open == len(PAGES)
    assert len(watched.viewed.refreshes) >= len(PAGES)
    assert min(watched.memory) > 10_000_000
    assert 0 < watched.samples < 1
    assert (len(cost.without), len(cost.with_)) == (2, 2)
    tell(cost, SMALL)
    assert "8 viewers for 3 s" in capsys.readouterr().out


def test_how_long_is_asked() -> None:
    assert parse([]) == Sizes()
    assert parse(["--seconds", "8", "--rounds", "2"]) == Sizes(seconds=8, rounds=2)
