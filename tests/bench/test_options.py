from pathlib import Path

import pytest
from bench.options import QUICK, Sizes, parse_all, parse_scale


def test_without_options_everything_is_measured_and_checked():
    options = parse_all([])
    assert (options.sizes, options.check, options.write_docs) == (Sizes(), True, False)
    assert options.json == Path(".bench/all.json")


def test_quick_figures_are_too_small_to_be_judged():
    options = parse_all(["--quick"])
    assert (options.sizes, options.check) == (QUICK, False)


def test_sizes_can_be_chosen_one_by_one():
    options = parse_all(["--rounds", "5", "--seconds", "0.5", "--jobs", "10", "--no-check"])
    assert (options.sizes.rounds, options.sizes.seconds, options.sizes.jobs) == (5, 0.5, 10)
    assert options.sizes.samples == Sizes().samples
    assert not options.check


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--jobs", "-1"], ["--no-such"]])
def test_nonsense_ends_the_program(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        parse_all(arguments)
    assert "./dev bench all" in capsys.readouterr().err


def test_curves_are_all_or_those_that_are_named():
    assert parse_scale([], ("a", "b")).curves == ("a", "b")
    assert parse_scale(["b"], ("a", "b")).curves == ("b",)


def test_a_curve_that_there_is_not_is_named(capsys):
    with pytest.raises(SystemExit):
        parse_scale(["c"], ("a", "b"))
    assert "no curve 'c'; there are: a, b" in capsys.readouterr().err


def test_points_have_two_rounds_or_a_short_one():
    assert (parse_scale([], ("a",)).rounds, parse_scale(["--quick"], ("a",)).rounds) == (2, 1)
    assert parse_scale(["--quick", "--seconds", "3"], ("a",)).seconds == 3
