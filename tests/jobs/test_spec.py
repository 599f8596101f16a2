"""When and how a job runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.new_job import RawJobSpec
from graphile_worker.jobs.spec import UNSET, JobKeyMode, JobSpec, check_identifier, given

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_field_not_given_is_unset():
    spec = JobSpec(queue_name=None)
    assert spec.queue_name is None
    assert spec.priority is UNSET
    assert repr(UNSET) == "UNSET"
    assert given(spec.priority) is given(spec.queue_name) is None
    assert given(JobSpec(priority=0).priority) == 0


@pytest.mark.parametrize(
    ("default", "call", "merged"),
    [
        (JobSpec(priority=1), JobSpec(), JobSpec(priority=1)),
        (JobSpec(priority=1), JobSpec(priority=2), JobSpec(priority=2)),
        (JobSpec(priority=1), JobSpec(priority=None), JobSpec(priority=None)),
        (JobSpec(priority=1), JobSpec(queue_name="q"), JobSpec(priority=1, queue_name="q")),
        (
            JobSpec(job_key="a", job_key_mode=JobKeyMode.UNSAFE_DEDUPE),
            JobSpec(job_key="b"),
            JobSpec(job_key="b"),
        ),
        (
            JobSpec(job_key="a", job_key_mode=JobKeyMode.UNSAFE_DEDUPE),
            JobSpec(priority=1),
            JobSpec(job_key="a", job_key_mode=JobKeyMode.UNSAFE_DEDUPE, priority=1),
        ),
        (
            JobSpec(job_key="a"),
            JobSpec(job_key_mode=JobKeyMode.PRESERVE_RUN_AT),
            JobSpec(job_key="a", job_key_mode=JobKeyMode.PRESERVE_RUN_AT),
        ),
        (JobSpec(flags=["a"]), JobSpec(flags=["b"]), JobSpec(flags=("b",))),
    ],
)
def test_a_spec_over_another_wins_where_it_is_given(default, call, merged):
    assert call.over(default) == merged


@pytest.mark.parametrize(
    "fields",
    [
        {"queue_name": "q" * 128},
        {"run_at": NOW},
        {"run_at": timedelta(minutes=-5)},
        {"run_at": timedelta(days=-365_000)},
        {"run_at": datetime.max.replace(tzinfo=UTC)},
        {"max_attempts": 1},
        {"max_attempts": 32767},
        {"job_key": "k" * 512},
        {"priority": -32768},
        {"priority": 32767},
        {"flags": iter(["a", "b"])},
        {"flags": ()},
    ],
)
def test_what_the_database_takes_is_taken(fields):
    JobSpec(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"queue_name": "q" * 129}, "queue_name must be at most 128 characters long, got 129"),
        ({"queue_name": "q\0"}, "queue_name must not contain a NUL"),
        ({"queue_name": "\ud800"}, "queue_name holds a lone surrogate"),
        ({"queue_name": 5}, "queue_name must be a string, got 5"),
        ({"job_key": ""}, "job_key must not be empty"),
        ({"job_key": "k" * 513}, "job_key must be at most 512"),
        ({"max_attempts": 0}, "max_attempts must be between 1 and 32767, got 0"),
        ({"max_attempts": 32768}, "max_attempts must be between 1 and 32767"),
        ({"max_attempts": True}, "max_attempts must be a whole number, got True"),
        ({"priority": 1.5}, "priority must be a whole number"),
        ({"priority": -32769}, "priority must be between -32768 and 32767"),
        ({"run_at": datetime(2026, 1, 2)}, "run_at must be an aware datetime, got the naive"),  # noqa: DTZ001
        (
            {"run_at": timedelta(days=9_999_999)},
            "run_at must be within 1000 years, got 9999999 days",
        ),
        ({"run_at": -timedelta(days=9_999_999)}, "run_at must be within 1000 years, got -9999999"),
        ({"run_at": 5}, "run_at must be a datetime or a timedelta, got 5"),
        (
            {"run_at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))},
            "run_at must be a time of the years 1 to 9999 in UTC, got datetime",
        ),
        ({"job_key_mode": "replace"}, "job_key_mode must be one of JobKeyMode.REPLACE"),
        ({"flags": "urgent"}, r"got the string 'urgent'; write \['urgent'\]"),
        ({"flags": [5]}, "flags must be strings, got 5"),
        ({"flags": [None]}, "flags must be strings, got None"),
        ({"flags": ["a", UNSET]}, "flags must be strings, got UNSET"),
        ({"flags": ["a\0"]}, "flags must not contain a NUL"),
        ({"flags": 5}, "flags must be a collection of strings, got 5"),
        ({"flags": b"a"}, "flags must be strings, got 97"),
    ],
)
def test_what_the_database_would_refuse_is_refused(fields, message):
    with pytest.raises(ConfigurationError, match=message):
        JobSpec(**fields)


def test_identifiers_have_1_to_128_characters():
    assert check_identifier("x" * 128) == "x" * 128
    for wrong in ("", "x" * 129, "a\0", 5, None):
        with pytest.raises(ConfigurationError, match="task identifier"):
            check_identifier(wrong)
    with pytest.raises(ConfigurationError, match="must not be empty"):
        RawJobSpec("")
