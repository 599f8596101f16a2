"""`@task` and `@batch_task`: what they make, and what they refuse."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.spec import JobSpec
from graphile_worker.tasks.decorator import batch_task, task


@dataclass
class SendEmail:
    to: str


@task
async def send_email(payload: SendEmail) -> str:
    """Send it."""
    return payload.to


@task(
    "reports:daily", spec=JobSpec(queue_name="reports"), timeout=120, backoff=lambda _: timedelta(1)
)
def build_report(payload: SendEmail) -> str:
    return payload.to


def plain(payload: SendEmail) -> None: ...


async def asynchronous(payload: SendEmail) -> None: ...


def test_the_identifier_is_the_function_s_name():
    assert send_email.identifier == "send_email"
    assert task()(plain).identifier == "plain"
    assert task(executor="thread")(plain).identifier == "plain"


def test_options_are_kept():
    assert build_report.identifier == "reports:daily"
    assert build_report.spec.queue_name == "reports"
    assert build_report.timeout == timedelta(minutes=2)
    assert build_report.backoff(1) == timedelta(1)
    assert build_report.is_batch is False
    assert (send_email.spec, send_email.timeout, send_email.backoff) == (JobSpec(), None, None)


async def test_calling_a_task_calls_the_function():
    assert build_report(SendEmail("a")) == "a"
    assert build_report(payload=SendEmail("a")) == "a"
    assert await send_email(SendEmail("b")) == "b"
    assert inspect.iscoroutinefunction(send_email.fn)


def test_a_task_looks_like_its_function():
    assert send_email.__name__ == "send_email"
    assert send_email.__doc__ == "Send it."
    assert send_email.__module__ == __name__
    assert inspect.signature(send_email) == inspect.signature(send_email.fn)
    assert repr(send_email) == "<FunctionTask 'send_email'>"


@pytest.mark.parametrize(
    ("fn", "asked", "executor"),
    [
        (plain, "auto", "thread"),
        (plain, "thread", "thread"),
        (plain, "process", "process"),
        (asynchronous, "auto", "async"),
        (asynchronous, "async", "async"),
    ],
)
def test_where_a_handler_runs(fn, asked, executor):
    assert task(executor=asked)(fn).executor == executor


class CallableObject:
    async def __call__(self, payload: SendEmail) -> None: ...


class Bound:
    async def method(self, payload: SendEmail) -> None: ...

    @staticmethod
    def static(payload: SendEmail) -> None: ...


@pytest.mark.parametrize(
    ("fn", "executor"),
    [
        (CallableObject(), "async"),
        (functools.partial(asynchronous), "async"),
        (functools.partial(plain), "thread"),
        (Bound().method, "async"),
        (Bound.static, "thread"),
        (lambda _: None, "thread"),
    ],
)
def test_any_callable_can_be_a_handler_if_it_gets_a_name(fn, executor):
    made = task("named")(fn)
    made.resolve()
    assert made.executor == executor
    assert made.takes_payload


def test_a_static_method_can_be_decorated_below_and_above():
    class Jobs:
        @task
        @staticmethod
        def one(payload: SendEmail) -> str:
            return payload.to

        @staticmethod
        @task
        def two(payload: SendEmail) -> str:
            return payload.to

    assert Jobs.one(SendEmail("a")) == Jobs.two(SendEmail("a")) == "a"
    assert Jobs.two.job(SendEmail("a")).payload == '{"to":"a"}'


def wrapping_async(fn):
    @functools.wraps(fn)
    def wrapper(*args: Any):
        return fn(*args)

    return wrapper


def test_a_plain_wrapper_of_an_async_function_must_say_what_it_is():
    with pytest.raises(ConfigurationError, match="a plain function that wraps an async one"):
        task(wrapping_async(asynchronous))
    wrapped = task(executor="async")(wrapping_async(asynchronous))
    assert wrapped.executor == "async"
    assert wrapped.payload_type is SendEmail
    assert task(executor="thread")(wrapping_async(asynchronous)).executor == "thread"


def generator(payload: SendEmail):
    yield


async def async_generator(payload: SendEmail):
    yield


class Handler:
    def run(self, payload: SendEmail) -> None: ...


@pytest.mark.parametrize(
    ("decorate", "message"),
    [
        (lambda: task(generator), "the task 'generator': a handler must not yield"),
        (lambda: task(async_generator), "the task 'async_generator': a handler must not yield"),
        (lambda: task(lambda _: None), 'has no name: give the task one, @task\\("name"\\)'),
        (lambda: task(functools.partial(plain)), "has no name"),
        (lambda: task(Handler.run), "Handler.run is a method, and nobody gives it a self"),
        (lambda: batch_task(Handler.run), "is a method"),
        (lambda: task(Handler), "for functions, got the class Handler: give it IDENTIFIER"),
        (lambda: task(send_email), "'send_email' is a task already"),
        (lambda: task(5), "@task is for functions, got 5"),
        (lambda: task("x")(5), "@task is for functions, got 5"),
        (lambda: task("")(plain), "identifier must not be empty"),
        (lambda: task("x" * 129)(plain), "at most 128"),
        (
            lambda: task(executor="fork")(plain),
            "executor must be one of 'auto', 'async', 'thread', 'process', got 'fork'",
        ),
        (
            lambda: task(executor="thread")(asynchronous),
            "an async function cannot run with executor='thread'",
        ),
        (
            lambda: task(executor="process")(asynchronous),
            "an async function cannot run with executor='process'",
        ),
        (
            lambda: task(executor="async")(plain),
            "a plain function cannot run with executor='async'",
        ),
        (lambda: task(timeout=0)(plain), "the task 'plain': timeout must be more than 0 seconds"),
        (lambda: task(timeout=timedelta(-1))(plain), "timeout must be more than 0"),
        (lambda: task(timeout="2m")(plain), "timeout must be a timedelta or a number of seconds"),
        (lambda: task(timeout=True)(plain), "timeout must be"),
        (lambda: task(backoff=3)(plain), "backoff must be a function"),
        (lambda: task(spec={"priority": 1})(plain), "spec must be a JobSpec"),
    ],
)
def test_mistakes_are_told_where_the_task_is_defined(decorate, message):
    with pytest.raises(ConfigurationError, match=message):
        decorate()


def test_defining_a_task_resolves_nothing():
    @task
    async def later(payload: NotThereYet) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert later.identifier == "later"
    assert later.executor == "async"


def test_defining_tasks_imports_neither_client_nor_drivers():
    code = (
        "import sys\n"
        "from graphile_worker.tasks.decorator import task\n"
        "@task\n"
        "async def t(payload: dict, ctx: 'WorkerContext'): ...\n"
        "t.resolve()\n"
    )
    code += "assert t.takes_context\n"
    subprocess.run([sys.executable, "-c", code], check=True)
