"""Lines of JSON as jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from graphile_worker import ConfigurationError, JobKeyMode, JobSpec, PayloadError
from graphile_worker.cli.ndjson import LineReader
from graphile_worker.jobs.new_job import NewJob

JOBS = LineReader(None, JobSpec(queue_name="mail", priority=4))
PAYLOADS = LineReader("greet", JobSpec(priority=4))


def test_a_line_is_a_whole_job():
    line = (
        b'{"identifier": "greet", "payload": {"a": [1]}, "queue_name": "q", "run_at": "+5m",'
        b' "max_attempts": 3, "job_key": "k", "job_key_mode": "preserve-run-at", "priority": -1,'
        b' "flags": ["x", "y"]}'
    )
    assert JOBS.job(line) == NewJob(
        "greet",
        '{"a":[1]}',
        JobSpec(
            queue_name="q",
            run_at=timedelta(minutes=5),
            max_attempts=3,
            job_key="k",
            job_key_mode=JobKeyMode.PRESERVE_RUN_AT,
            priority=-1,
            flags=("x", "y"),
        ),
    )


def test_what_a_line_leaves_out_the_options_say():
    job = JOBS.job(b'{"identifier": "greet", "queue_name": null, "flags": {"x": true}}\r\n')
    assert job == NewJob("greet", "{}", JobSpec(queue_name="mail", priority=4, flags=("x",)))
    assert JOBS.job(b'{"identifier": "t"}').spec is JOBS.spec
    at = JOBS.job(b'{"identifier": "t", "run_at": "2030-01-01T00:00:00Z"}').spec.run_at
    assert at == datetime(2030, 1, 1, tzinfo=UTC)


def test_with_a_task_a_line_is_its_payload():
    assert PAYLOADS.job(b"7") == NewJob("greet", "7", PAYLOADS.spec)
    assert PAYLOADS.job(b"null").payload == "null"
    assert PAYLOADS.job(b'{"identifier": "x"}').payload == '{"identifier":"x"}'
    assert PAYLOADS.job(b"123456789012345678901234567890").payload == "1234567890" * 3
    assert PAYLOADS.job(b" \t\r\n") is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "invalid JSON|truncated|Expecting"),
        (b'"\xff"', "not UTF-8"),
        (b"[1]", "expected an object with `identifier` and `payload`; name the task before"),
        (b"{}", "a task identifier must be a string, got None"),
        (b'{"identifier": ""}', "task identifier must not be empty"),
        (b'{"identifier": "t", "queue": "q"}', "unknown field `queue`; there are identifier, pay"),
        (b'{"identifier": "t", "run_at": 5}', "run_at must be a string, got 5"),
        (b'{"identifier": "t", "run_at": "soon"}', "run_at: `soon` is neither RFC 3339"),
        (b'{"identifier": "t", "priority": 1.5}', "priority must be a whole number, got 1.5"),
        (b'{"identifier": "t", "max_attempts": 0}', "max_attempts must be between 1 and 32767"),
        (b'{"identifier": "t", "job_key_mode": "replace"}', "job_key_mode needs job_key"),
        (
            b'{"identifier": "t", "job_key": "k", "job_key_mode": "unsafe_dedupe"}',
            "job_key_mode must be replace or preserve_run_at where many are added",
        ),
        (b'{"identifier": "t", "flags": "x"}', "flags must be a list of strings, got 'x'"),
        (b'{"identifier": "t", "flags": {"x": false}}', "flags must be a list of strings"),
        (b'{"identifier": "t", "flags": [1]}', "flags must be strings, got 1"),
        (b'{"identifier": "t", "payload": "\\u0000"}', "NUL|u0000"),
    ],
)
def test_what_is_no_job_is_told(line, message):
    with pytest.raises((ConfigurationError, PayloadError), match=message):
        JOBS.job(line)
