import dataclasses

from bench.all import condition_labels, conditions, setups
from bench.contenders import contenders, everybody
from bench.installing import _FINDERS
from bench.options import Sizes
from bench.scale import CURVES
from bench.targets import TARGETS

from bench import docs
from graphile_worker import WorkerOptions


def test_every_contender_has_a_name_of_its_own_and_a_program_that_can_be_found():
    names = [each.name for each in everybody()]
    assert len(set(names)) == len(names)
    assert {each.program for each in everybody()} <= set(_FINDERS)


def test_the_turbo_claim_runs_where_there_is_one():
    has = "claim_mode" in {option.name for option in dataclasses.fields(WorkerOptions)}
    assert ("ours_turbo" in {each.name for each in contenders()}) == has


def test_every_target_is_about_something_that_is_measured():
    measured = {each.name for each in everybody()} | set(conditions(Sizes()))
    named = [name for target in TARGETS for name in (target.figure, target.by) if name]
    assert {name.split(".")[1] for name in named if name.startswith("rate.")} <= measured


def test_every_other_table_has_a_label():
    assert set(conditions(Sizes())) < set(condition_labels(Sizes()))


def test_the_page_tells_how_each_contender_is_set_up():
    page = docs.PAGE.read_text()
    assert docs.with_section(page, "set-ups", setups()) == page


def test_the_quick_form_of_a_curve_is_a_small_one():
    assert all(max(curve.quick) <= max(curve.xs) for curve in CURVES.values())
