import re
from xml.etree import ElementTree as ET

import pytest
from bench.figures import Spread

from bench import plots

SVG = "{http://www.w3.org/2000/svg}"


def spread(value: float) -> Spread:
    return Spread(value, value * 0.9, value * 1.1, 3)


def test_a_bar_is_as_long_as_its_median():
    drawn = ET.fromstring(plots.bars("Rates", [("ours", spread(300)), ("b", spread(100))]))
    long, short = (float(bar.attrib["width"]) for bar in drawn.iter(f"{SVG}rect"))
    assert long == pytest.approx(3 * short, rel=0.01)
    assert long < plots.WIDTH


def test_names_are_escaped():
    drawn = plots.bars("a < b", [("<script>", spread(1))])
    assert "<script>" not in drawn
    assert ET.fromstring(drawn).find(f"{SVG}title").text == "a < b"


def test_a_curve_goes_from_left_to_right_over_a_logarithmic_axis():
    line = [(1, spread(100)), (10, spread(200)), (100, spread(50))]
    drawn = ET.fromstring(plots.curves("Rates", "jobs", {"ours": line}))
    places = [
        (float(point.attrib["cx"]), float(point.attrib["cy"]))
        for point in drawn.iter(f"{SVG}circle")
    ]
    across = [x for x, _ in places]
    assert across[1] - across[0] == pytest.approx(across[2] - across[1])
    assert places[1][1] < places[0][1] < places[2][1]


def test_nothing_stuck_has_a_place_left_of_one():
    line = [(0, spread(1)), (1, spread(1)), (1_000_000, spread(1))]
    drawn = plots.curves("Rates", "jobs", {"ours": line})
    assert re.findall(r'text-anchor="middle">([^<]*)<', drawn) == ["0", "1", "1M"]


def test_a_single_point_can_be_drawn():
    ET.fromstring(plots.curves("Rates", "jobs", {"ours": [(24, spread(5))]}))


def test_nothing_cannot_be_drawn():
    with pytest.raises(ValueError, match="no bars"):
        plots.bars("Rates", [])
    with pytest.raises(ValueError, match="no points"):
        plots.curves("Rates", "jobs", {"ours": []})
