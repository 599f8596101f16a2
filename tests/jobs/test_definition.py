"""What a producer needs to know of a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from graphile_worker.errors import ConfigurationError, PayloadError
from graphile_worker.jobs.definition import JobDefinition, as_definition, task_ref
from graphile_worker.jobs.new_job import RawJobSpec
from graphile_worker.jobs.spec import JobKeyMode, JobSpec


@dataclass
class SendEmail:
    to: str


@dataclass
class Ship:
    IDENTIFIER: ClassVar[str] = "ship"
    order: int

    async def run(self, ctx: Any) -> None: ...


def test_a_reference_makes_jobs_without_handler_code():
    send_email = task_ref("send_email", SendEmail, spec=JobSpec(priority=3))
    job = send_email.job(SendEmail("a"))
    assert (job.identifier, job.payload, job.spec) == (
        "send_email",
        '{"to":"a"}',
        JobSpec(priority=3),
    )
    with pytest.raises(PayloadError, match=r"\$: expected SendEmail, got dict"):
        send_email.job({"to": "a"})  # type: ignore[arg-type]


def test_references_without_payload_and_with_any():
    assert task_ref("refresh", None).job().payload == "{}"
    assert task_ref("anything").job({"a": [None]}).payload == '{"a":[null]}'
    assert task_ref("notify", list[SendEmail]).job([SendEmail("a")]).payload == '[{"to":"a"}]'
    assert task_ref("either", int | None).job(None).payload == "null"


def test_a_bad_reference_is_refused_when_it_is_used():
    with pytest.raises(ConfigurationError, match="must not be empty"):
        task_ref("", SendEmail)
    with pytest.raises(ConfigurationError, match="spec must be a JobSpec"):
        task_ref("x", SendEmail, spec={})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="the task 'x': complex cannot be a payload type"):
        task_ref("x", complex).job(1j)


def test_a_dict_is_no_spec_of_a_call():
    fields: Any = {"queue_name": "q"}
    with pytest.raises(ConfigurationError, match=r"spec must be a JobSpec, got \{'queue_name'"):
        task_ref("x", dict).job({}, fields)
    with pytest.raises(ConfigurationError, match="spec must be a JobSpec, got"):
        RawJobSpec("x", {}, fields)


def test_a_call_s_spec_goes_over_the_task_s_field_by_field():
    task = task_ref(
        "x",
        dict,
        spec=JobSpec(queue_name="q", job_key="k", job_key_mode=JobKeyMode.PRESERVE_RUN_AT),
    )
    assert task.job({}).spec is task.spec
    merged = task.job({}, JobSpec(priority=1)).spec
    assert (merged.queue_name, merged.priority, merged.job_key) == ("q", 1, "k")
    assert task.job({}, JobSpec(queue_name=None)).spec.queue_name is None
    assert task.job({}, JobSpec(job_key="other")).spec == JobSpec(queue_name="q", job_key="other")


def test_one_spec_for_many_jobs_is_merged_once():
    task, spec = task_ref("x", dict, spec=JobSpec(queue_name="q")), JobSpec(priority=1)
    first, second = task.job({}, spec), task.job({}, spec)
    assert first.spec is second.spec
    assert task.job({}, JobSpec(priority=2)).spec.priority == 2
    assert task.job({}, spec).spec == first.spec


def test_a_definition_stays_what_it_is():
    task = task_ref("x", dict)
    assert as_definition(task) is task


def test_a_task_class_names_its_task():
    definition = as_definition(Ship)
    assert definition is as_definition(Ship)
    job = definition.job(Ship(5))
    assert (job.identifier, job.payload) == ("ship", '{"order":5}')
    with pytest.raises(PayloadError, match=r"\$: expected Ship, got dict"):
        definition.job({"order": 5})  # type: ignore[arg-type]


def handler(payload: SendEmail) -> None: ...


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (
            "send_email",
            r"got the string 'send_email': use add_raw_job .* or task_ref\('send_email', PayloadType\)",
        ),
        (handler, "got the function handler: decorate it with @task"),
        (SendEmail, "got the class SendEmail, which lacks IDENTIFIER"),
        (Ship(1), "got a Ship object: give its class"),
        (None, "got None"),
    ],
)
def test_other_things_are_told_what_to_be(thing, message):
    with pytest.raises(ConfigurationError, match=message):
        as_definition(thing)


def test_a_definition_without_codec_is_abstract():
    with pytest.raises(NotImplementedError):
        _ = JobDefinition[Any]("x").codec
