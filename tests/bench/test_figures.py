import pytest
from bench.figures import Change, Spread, percentile, short, short_spread


def test_a_spread_is_the_median_between_the_least_and_the_most():
    assert Spread.of([5.0, 1.0, 9.0]) == Spread(5.0, 1.0, 9.0, 3)
    assert Spread.of([2.0, 4.0]).median == 3.0


def test_a_spread_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no values"):
        Spread.of([])


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (95, 95), (99, 99), (100, 100), (1, 1)])
def test_a_percentile_is_a_value_that_was_seen(percent, value):
    assert percentile(list(range(100, 0, -1)), percent) == value


def test_a_percentile_of_few_values_is_the_next_higher_one():
    assert percentile([3.0, 1.0, 2.0], 95) == 3.0
    assert percentile([7.0], 50) == 7.0


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_no_percentile_beyond_its_bounds(percent):
    with pytest.raises(ValueError, match="percent must be"):
        percentile([1.0], percent)
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (71_345.6, "71,300"),
        (812.4, "812"),
        (3.14159, "3.14"),
        (0.0523, "0.0523"),
        (1_234_567, "1,230,000"),
    ],
)
def test_figures_are_shown_with_three_digits(value, text):
    assert short(value) == text


def test_a_spread_of_one_round_has_no_range():
    assert short_spread(Spread.of([1_234.0])) == "1,230"
    assert short_spread(Spread.of([1_000.0, 2_000.0, 4_000.0])) == "2,000 (1,000…4,000)"


def test_a_change_is_told_with_what_chance_may_have_done():
    rounds = [100.0, 104.0, 98.0, 101.0]
    assert Change.of(rounds, rounds) == Change(0.0, 0.0, 0.0)
    change = Change.of(
        rounds, [value * factor for value, factor in zip(rounds, (1.2, 1.1) * 2, strict=True)]
    )
    assert change.low < 0.1 < change.mean < 0.2 < change.high
    assert str(Change(0.1, -0.02, 0.2)) == "+10.0% (-2.0%…+20.0%)"


@pytest.mark.parametrize("rounds", [1, 32])
def test_a_change_of_too_few_rounds_is_refused(rounds):
    with pytest.raises(ValueError, match="2 to 31 rounds"):
        Change.of([1.0] * rounds, [1.0] * rounds)
