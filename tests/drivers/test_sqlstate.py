from __future__ import annotations

import pytest

from graphile_worker.drivers.sqlstate import database_error, is_lost, is_transient
from graphile_worker.errors import ConnectionLostError, DatabaseError


@pytest.mark.parametrize(
    "sqlstate", ["08000", "08003", "08006", "57P01", "57P02", "57P03", "25006", "53300", "57P05"]
)
def test_these_states_mean_that_the_connection_is_of_no_use(sqlstate):
    error = database_error("gone", sqlstate)
    assert isinstance(error, ConnectionLostError)
    assert isinstance(error, ConnectionError)
    assert error.sqlstate == sqlstate
    assert is_transient(error)


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03", "53200", "57014"])
def test_these_states_are_worth_another_try_on_the_same_connection(sqlstate):
    assert not is_lost(sqlstate)
    assert is_transient(database_error("again", sqlstate))


@pytest.mark.parametrize("sqlstate", ["42P01", "3F000", "23505", "28P01", "3D000", "22P02", None])
def test_these_states_stay_as_they_are_however_often_one_tries(sqlstate):
    error = database_error("no", sqlstate)
    assert type(error) is DatabaseError
    assert not is_transient(error)


def test_what_is_not_a_database_error_is_not_transient():
    assert not is_transient(ValueError())
    assert not is_transient(OSError())
    assert is_transient(ConnectionLostError("gone"))


def test_the_text_is_one_line_of_message_detail_and_hint():
    error = database_error("a\nb", "23505", detail="c\n  d", hint="e", constraint="f")
    assert str(error) == "a b; c d; e"
    assert error.constraint == "f"


@pytest.mark.parametrize("sqlstate", ["23502", "23514"])
def test_a_detail_that_repeats_the_row_is_left_out(sqlstate):
    assert "secret" not in str(database_error("m", sqlstate, detail="Failing row: secret"))
