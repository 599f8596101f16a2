from bench.targets import TARGETS, Target, Verdict, verdicts

RATIO = Target("a ÷ b", "rate.a", "rate.b", 2.0)
CEILING = Target("memory", "memory.a", None, 100.0, at_most=True)


def word(target: Target, **figures: float) -> str:
    named = {name.replace("_", "."): value for name, value in figures.items()}
    return Verdict(target, target.value(named)).word


def test_a_ratio_is_met_at_its_bound():
    assert word(RATIO, rate_a=4.0, rate_b=2.0) == "met"
    assert word(RATIO, rate_a=3.9, rate_b=2.0) == "MISSED"


def test_a_bound_from_above_is_met_at_it():
    assert word(CEILING, memory_a=100.0) == "met"
    assert word(CEILING, memory_a=100.1) == "MISSED"


def test_what_was_not_measured_is_neither_met_nor_missed():
    assert word(RATIO, rate_a=4.0) == "not measured"
    assert word(RATIO, rate_b=4.0) == "not measured"
    assert not Verdict(RATIO, None).is_missed


def test_nothing_is_divided_by_a_worker_that_did_nothing():
    assert word(RATIO, rate_a=4.0, rate_b=0.0) == "not measured"


def test_every_target_is_judged():
    assert [each.target for each in verdicts({})] == list(TARGETS)


def test_a_worker_may_take_as_much_more_than_the_sketch_as_was_agreed():
    figures = {"cpu.ours_local_queue": 9.0, "cpu.sketch": 3.0}
    [verdict] = [each for each in verdicts(figures) if each.value is not None]
    assert (verdict.value, verdict.word) == (3.0, "met")
