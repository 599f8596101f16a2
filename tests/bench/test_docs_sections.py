import pytest
from bench.docs import PAGE, with_section

TEXT = "before\n<!-- a -->\nold\n<!-- end of a -->\nafter\n"


def test_what_stands_between_the_markers_is_replaced():
    assert with_section(TEXT, "a", "new\n") == TEXT.replace("old", "new")


def test_writing_twice_changes_nothing():
    once = with_section(TEXT, "a", "new")
    assert with_section(once, "a", "new") == once


def test_a_page_without_the_markers_is_left_alone():
    with pytest.raises(ValueError, match="no <!-- b -->"):
        with_section(TEXT, "b", "new")


@pytest.mark.parametrize("name", ["figures of all", "figures of scale", "set-ups"])
def test_the_page_of_benchmarks_has_its_sections(name):
    assert "new" in with_section(PAGE.read_text(), name, "new")
