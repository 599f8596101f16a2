"""The OpenAPI document, and an API that does what it says whatever it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks
from schemathesis.generation import GenerationMode

V1 = "/api/v1"
TOKEN = {"Authorization": "Bearer t"}


def not_too_often(_context: Any, response: Any, _case: Any) -> None:
    """429 is documented, and says nothing of what was sent: it would hide every other answer."""
    assert response.status_code != 429


CHECKED = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
    not_too_often,
]
"""Not: that everything of the right shape is accepted. Filters have a grammar of their own."""


def fuzz(url: str, examples: int, modes: Iterable[GenerationMode]) -> int:
    """Send generated requests to every operation; answers how many operations there are."""
    schema = schemathesis.openapi.from_url(f"{url}{V1}/openapi.json", headers=TOKEN)
    count = 0
    for found in schema.get_all_operations():
        operation: Any = found.ok()
        count += 1
        for mode in modes:
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy)
            def send(case: Any) -> None:
                case.call_and_validate(headers=TOKEN, checks=CHECKED)

            try:
                send()
            except schemathesis.errors.InvalidSchema:
                continue
    return count


def test_a_few_of_everything(served: str) -> None:
    assert fuzz(served, 1, [GenerationMode.POSITIVE]) > 40


@pytest.mark.full
@pytest.mark.timeout(900)
def test_very_much_of_everything(served: str) -> None:
    assert fuzz(served, 40, GenerationMode) > 40
