import json

from bench.enqueue import Rates
from bench.figures import Spread
from bench.latency import Latencies
from bench.results import Results
from bench.special import Idle
from bench.targets import verdicts
from bench.throughput import Run

from bench import tables


def run(rate: float, cpu_us: float | None = 10.0) -> Run:
    return Run(rate=rate, jobs=100, cpu_us=cpu_us, commits=1.0)


def measured() -> Results:
    return Results(
        runs={
            "ours_slots": [run(1_000.0), run(3_000.0), run(2_000.0)],
            "pgbench": [run(7.0, None)],
        },
        latencies={
            "floor": [Latencies(p50=1.0, p95=2.0, p99=3.0), Latencies(p50=0.5, p95=4.0, p99=9.0)]
        },
        rates={"ours_default": [Rates(one=10.0, many=1_000.0)]},
        idle=Idle(claims=1.1, cpu_percent=0.4),
        memory_mb=50.0,
        empty_table_seconds=3.5,
        empty_table_jobs=4_000,
        quarters=[10.0, 9.0, 8.0, 7.0],
    )


def test_rates_count_by_their_median_and_latencies_by_their_best_round():
    figures = measured().figures()
    assert figures["rate.ours_slots"] == 2_000.0
    assert (figures["latency.floor.p50"], figures["latency.floor.p95"]) == (0.5, 2.0)


def test_the_time_lost_is_what_the_usual_rate_does_not_explain():
    assert measured().figures()["empty_table.lost"] == 1.5


def test_the_first_and_the_last_quarter_count():
    figures = measured().figures()
    assert (figures["snapshot.first"], figures["snapshot.last"]) == (10.0, 7.0)


def test_what_a_contender_has_not_told_is_no_figure():
    assert measured().spread("pgbench", lambda each: each.cpu_us) is None
    assert "cpu.pgbench" not in measured().figures()


def test_the_file_holds_each_round_and_the_figures():
    stored = json.loads(measured().to_json())
    assert [each["rate"] for each in stored["runs"]["ours_slots"]] == [1_000, 3_000, 2_000]
    assert stored["figures"]["idle.claims"] == 1.1


def test_a_table_has_a_row_for_each_contender_that_was_measured():
    table = tables.throughput(measured(), {"ours_slots": "ours", "pgbench": "C", "node": "Node"})
    assert [row[:3] for row in table.rows] == [
        ["ours", "2,000 (1,000…3,000)", "1.00"],
        ["C", "7.00", tables.ABSENT],
    ]


def test_latencies_and_rates_have_their_tables():
    [row] = tables.latency(measured(), {"floor": "by hand"}).rows
    assert row == ["by hand", "0.750 (0.500…1.00)", "3.00 (2.00…4.00)", "6.00 (3.00…9.00)"]
    assert tables.enqueue(measured(), {"ours_default": "ours"}).rows == [["ours", "10.0", "1,000"]]


def test_targets_are_shown_with_their_bound_and_unit():
    rows = {
        row[0]: row[1:]
        for row in tables.targets(verdicts(measured().figures()), of_weight=True).rows
    }
    assert rows["local queue of 10,000 small jobs, resident"] == ["50.0 MB", "≤ 100 MB", "met"]
    assert rows["old snapshot: last quarter ÷ first"] == ["0.700", "≥ 0.700", "met"]
    assert rows["local queue ÷ pgqueuer"] == ["-", "≥ 3.00", "not measured"]


def test_a_table_is_markdown_too():
    table = tables.Table("Rates", ("", "jobs/s"), [["ours", "5"]])
    assert table.markdown() == "**Rates**\n\n|  | jobs/s |\n| --- | ---: |\n| ours | 5 |"


def test_a_table_is_shown_in_a_terminal():
    shown = tables.Table("Rates", ("", "jobs/s"), [["ours", "5"], ["bad", "MISSED"]]).rich()
    assert (shown.row_count, shown.rows[1].style) == (2, "red")


def test_spreads_of_rounds():
    assert measured().spread("ours_slots", lambda each: each.rate) == Spread(2e3, 1e3, 3e3, 3)
