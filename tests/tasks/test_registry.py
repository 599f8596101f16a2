"""What a worker takes for tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec
import pydantic
import pytest

from graphile_worker.errors import ConfigurationError, DuplicateTaskError
from graphile_worker.jobs.definition import task_ref
from graphile_worker.tasks.context import SyncWorkerContext, WorkerContext
from graphile_worker.tasks.decorator import task
from graphile_worker.tasks.registry import TaskRegistry
from graphile_worker.tasks.task_class import as_task


@task
async def first(payload: dict) -> None: ...


@task
async def second(payload: dict) -> None: ...


@dataclass
class Dataclass:
    IDENTIFIER: ClassVar[str] = "dataclass"
    to: str

    async def run(self, _ctx: WorkerContext) -> str:
        return self.to


class Struct(msgspec.Struct):
    to: str
    IDENTIFIER: ClassVar[str] = "struct"

    async def run(self, _ctx) -> str:
        return self.to


class Model(pydantic.BaseModel):
    IDENTIFIER: ClassVar[str] = "model"
    to: str

    async def run(self, _ctx: WorkerContext) -> str:
        return self.to


@dataclass
class InThread:
    to: str
    IDENTIFIER = "in_thread"

    def run(self, _ctx: SyncWorkerContext) -> str:
        return self.to


@dataclass
class WithoutContext:
    to: str
    IDENTIFIER = "without_context"

    async def run(self) -> str:
        return self.to


def test_tasks_are_found_by_identifier():
    registry = TaskRegistry([first, second])
    assert list(registry) == ["first", "second"]
    assert registry["first"] is first
    assert registry.get("third") is None
    assert len(registry) == 2
    registry.resolve()


def test_the_same_task_twice_counts_once():
    assert len(TaskRegistry([first, first, Dataclass, Dataclass])) == 2


@pytest.mark.parametrize(
    "pair", [(first, task("first")(second.fn)), (Dataclass, task("dataclass")(first.fn))]
)
def test_two_tasks_with_one_identifier_are_refused(pair):
    with pytest.raises(DuplicateTaskError) as refused:
        TaskRegistry(pair)
    assert refused.value.identifier == pair[0].identifier if pair[0] is first else "dataclass"


def test_resolving_names_the_task_with_the_mistake():
    @task
    async def broken(payload: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ConfigurationError, match="the task 'broken': the annotation 'Missing'"):
        TaskRegistry([first, broken]).resolve()


@pytest.mark.parametrize(
    ("task_class", "executor", "takes_context"),
    [
        (Dataclass, "async", True),
        (Struct, "async", True),
        (Model, "async", True),
        (InThread, "thread", True),
        (WithoutContext, "async", False),
    ],
)
async def test_a_task_class_is_its_own_payload_and_handler(task_class, executor, takes_context):
    made = as_task(task_class)
    made.resolve()
    assert (made.identifier, made.executor) == (task_class.IDENTIFIER, executor)
    assert (made.takes_payload, made.takes_context) == (True, takes_context)
    payload = made.decode('{"to": "a"}')
    assert isinstance(payload, task_class)
    result = made.fn(payload, None) if takes_context else made.fn(payload)
    assert (await result if executor == "async" else result) == "a"


def plain(payload: dict) -> None: ...


class NoTask:
    pass


class Fieldless:
    IDENTIFIER = "fieldless"

    async def run(self, _ctx: WorkerContext) -> None: ...


class NumberedTask:
    IDENTIFIER = 7

    async def run(self, _ctx: WorkerContext) -> None: ...


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (plain, "expected a task, got the function plain: decorate it with @task"),
        (NoTask, "got the class NoTask, which lacks IDENTIFIER or a run method"),
        (Dataclass("a"), "got a Dataclass object: give its class"),
        (task_ref("far", dict), r"task_ref\('far', …\) has no handler"),
        ("first", "expected a task, got 'first'"),
        (None, "expected a task, got None"),
        (NumberedTask, "a task identifier must be a string, got 7"),
    ],
)
def test_other_things_are_refused(thing, message):
    with pytest.raises(ConfigurationError, match=message):
        TaskRegistry([thing])


def test_a_task_class_without_fields_is_told_to_be_a_dataclass():
    with pytest.raises(ConfigurationError, match="Fieldless cannot be a payload type"):
        as_task(Fieldless).resolve()
