"""Charts, drawn on the server."""

from __future__ import annotations

import re

from graphile_worker.admin.pages.charts import Series, bars, log_lines, round_up, spark
from graphile_worker.admin.pages.words import span

TIMES = ["10:00", "10:01", "10:02"]


def test_bars_stand_on_each_other_and_their_sentence_tells_totals_and_peak() -> None:
    chart = bars(
        "Throughput",
        stacked=[
            Series(name="completed", mark="c1", values=[100, None, 300]),
            Series(name="failed", mark="c2", values=[0, None, 100]),
        ],
        lines=[Series(name="enqueued", mark="l3 dash", values=[50, 60, 70])],
        times=TIMES,
        x_labels=TIMES,
    )
    assert chart.sentence == (
        "Throughput: completed 400, failed 100, enqueued 180. Peak 400 at 10:02."
    )
    assert chart.y_labels == ("500", "375", "250", "125", "0")
    completed, failed = re.findall(r'class="c\d" d="([^"]*)"', chart.picture)
    assert completed.count("M") == 2
    # 300 of 500 is three fifths of 150 high; what failed goes on from there up to four fifths.
    assert "150.0V60.0" in completed
    assert "60.0V30.0" in failed


def test_a_line_breaks_where_nothing_is_known_and_a_single_value_is_a_dot() -> None:
    chart = log_lines(
        "Wait",
        lines=[Series(name="p50", mark="l1", values=[0.1, None, 10.0], total=False)],
        times=TIMES,
        x_labels=TIMES,
        write=span,
    )
    path = re.findall(r'class="l1" d="([^"]*)"', chart.picture)[0]
    assert path.count("M") == 2
    assert path.count("h.1") == 2
    assert chart.y_labels == ("10 s", "1.0 s", "100 ms", "10 ms")
    assert chart.sentence == "Wait: now p50 10 s; highest 10 s."


def test_an_axis_of_durations_has_steps_that_people_have_words_for() -> None:
    lines = [Series(name="p95", mark="l1", values=[0.001, 600.0, 1e9], total=False)]
    chart = log_lines("Wait", lines=lines, times=TIMES, x_labels=TIMES, write=span)
    assert chart.y_labels[-7:] == ("1 h", "10 m", "1 m", "10 s", "1.0 s", "100 ms", "10 ms")
    heights = re.findall(r"[ML][\d.]+ ([\d.]+)", chart.picture.split('class="l1"')[1])
    assert (heights[0], heights[2]) == ("150.0", "0.0")


def test_nothing_known_is_no_chart() -> None:
    series = Series(name="x", mark="c1", values=[None, None, None])
    chart = bars("X", stacked=[series], times=TIMES, x_labels=TIMES)
    assert chart.empty
    assert chart.sentence == "X: x –."  # noqa: RUF001 - a dash for what is not known
    assert not bars(
        "X", stacked=[Series(name="x", mark="c1", values=[0, 0, 0])], times=TIMES, x_labels=TIMES
    ).empty


def test_axes_end_at_round_numbers() -> None:
    assert [round_up(value) for value in (0, 3, 5, 11, 26, 1640, 999_999)] == [
        *(4, 4, 5, 20, 50, 2000, 1_000_000),
    ]


def test_a_spark_draws_only_what_is_there() -> None:
    assert spark([0, 0, 3]).count("<rect") == 1
    assert spark([]).count("<rect") == 0
