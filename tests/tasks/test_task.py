"""What is known of a handler once its annotations are resolved."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Protocol

import pytest

from graphile_worker.errors import ConfigurationError, PayloadError
from graphile_worker.jobs.spec import JobSpec
from graphile_worker.tasks.context import SyncWorkerContext, WorkerContext
from graphile_worker.tasks.decorator import batch_task, task

if TYPE_CHECKING:
    import elsewhere
    from elsewhere import Unimported

Ctx = WorkerContext
EitherContext = WorkerContext | SyncWorkerContext


class CanAdd(Protocol):
    async def add_job(self, task: Any) -> Any: ...


class OwnContext(WorkerContext):
    pass


@dataclass
class Email:
    to: str


async def both(payload: Email, ctx: WorkerContext) -> None: ...
async def payload_alone(payload: Email) -> None: ...
async def context_alone(ctx: WorkerContext) -> None: ...
async def neither() -> None: ...
async def unannotated(payload, ctx): ...
async def unannotated_ctx(ctx): ...
async def unannotated_payload(data): ...
async def other_name(data: Email, context) -> None: ...
async def by_alias(c: Ctx) -> None: ...
async def by_union(payload: Email, c: EitherContext) -> None: ...
async def by_optional(payload: Email, c: Optional[WorkerContext] = None) -> None: ...  # noqa: UP045
async def by_default(payload: Email, ctx=None) -> None: ...
async def by_protocol(payload: Email, c: CanAdd) -> None: ...
async def by_any(payload: Email, c: Any) -> None: ...
async def by_object(payload: Email, c: object) -> None: ...
async def by_subclass(payload: Email, c: OwnContext) -> None: ...
async def by_module(payload: Email, c: elsewhere.WorkerContext) -> None: ...
async def unimported_context(payload: Email, c: Unimported) -> None: ...
async def unimported_return(payload: Email) -> Unimported: ...
async def own_default(payload: Email, retries: int = 3) -> None: ...
async def own_defaults(
    payload: Email, ctx: WorkerContext, retries: int = 3, *rest: Any, k: int = 1
) -> None: ...
async def positional_only(payload: Email, ctx: WorkerContext, /) -> None: ...
def in_thread(payload: Email, ctx: SyncWorkerContext) -> None: ...
def in_thread_alone(ctx: SyncWorkerContext) -> None: ...


@pytest.mark.parametrize(
    ("fn", "takes_payload", "takes_context"),
    [
        (both, True, True),
        (payload_alone, True, False),
        (context_alone, False, True),
        (neither, False, False),
        (unannotated, True, True),
        (unannotated_ctx, False, True),
        (unannotated_payload, True, False),
        (other_name, True, True),
        (by_alias, False, True),
        (by_union, True, True),
        (by_optional, True, True),
        (by_default, True, True),
        (by_protocol, True, True),
        (by_any, True, True),
        (by_object, True, True),
        (by_subclass, True, True),
        (by_module, True, True),
        (unimported_context, True, True),
        (unimported_return, True, False),
        (own_default, True, False),
        (own_defaults, True, True),
        (positional_only, True, True),
        (in_thread, True, True),
        (in_thread_alone, False, True),
    ],
)
def test_payload_and_context_are_told_apart(fn, takes_payload, takes_context):
    made = task(fn)
    assert (made.takes_payload, made.takes_context) == (takes_payload, takes_context)
    made.resolve()


def render(payload: Email) -> None: ...
def render_with_optional_ctx(payload: Email, ctx: SyncWorkerContext | None = None) -> None: ...


@pytest.mark.parametrize("fn", [render, render_with_optional_ctx])
def test_a_handler_in_a_process_has_no_context(fn):
    made = task(executor="process")(fn)
    made.resolve()
    assert made.takes_payload
    assert not made.takes_context


@pytest.mark.parametrize(
    ("fn", "kind"),
    [(both, Email), (unannotated, Any), (unannotated_payload, Any), (context_alone, None)],
)
def test_the_payload_type_comes_from_the_annotation(fn, kind):
    assert task(fn).payload_type is kind


def test_the_payload_type_given_wins_over_the_annotation():
    async def handler(payload: Unimported, ctx: WorkerContext) -> None: ...

    assert task(payload=Email)(handler).job(Email("a")).payload == '{"to":"a"}'
    assert task(payload=int | str)(handler).job(5).payload == "5"
    assert task(payload=list["int"])(handler).identifier == "handler"  # resolved later


def test_no_payload():
    made = task(payload=None)(context_alone)
    assert not made.takes_payload
    assert made.takes_context
    assert made.job().payload == made.job(None).payload == "{}"
    assert made.decode('{"_cron": {"ts": 1}}') is None
    assert not task(payload=None)(neither).takes_context
    with pytest.raises(PayloadError, match="takes no payload, got Email"):
        made.job(Email("a"))


def test_names_of_the_defining_function_are_found():
    @dataclass
    class Local:
        n: int

    @task
    async def handler(payload: list[Local], ctx: WorkerContext) -> None: ...

    def deeper():
        @task
        async def inner(payload: Local) -> None: ...

        return inner

    assert handler.job([Local(1)]).payload == '[{"n":1}]'
    assert deeper().job(Local(1)).payload == '{"n":1}'


def test_names_of_the_defining_function_are_let_go():
    class Big:
        pass

    def define():
        big = Big()

        @task
        async def handler(payload: Email) -> None: ...

        return handler, weakref.ref(big)

    handler, big = define()
    handler.resolve()
    gc.collect()
    assert big() is None


def test_a_type_defined_after_the_task_is_found():
    assert early.job(Late(1)).payload == '{"n":1}'


@task
async def early(payload: Late) -> None: ...


@dataclass
class Late:
    n: int


async def unresolvable(payload: Unimported, ctx: WorkerContext) -> None: ...
async def unresolvable_part(payload: dict[str, elsewhere.Thing]) -> None: ...
async def no_expression(payload: "1 +") -> None: ...  # type: ignore # noqa: F722, PGH003
async def not_json(payload: complex) -> None: ...
async def wrong_context(payload: Email, ctx: SyncWorkerContext) -> None: ...
def wrong_context_in_thread(payload: Email, ctx: WorkerContext) -> None: ...
async def session(payload: Email, session: Email) -> None: ...
async def three(payload: Email, ctx: WorkerContext, session) -> None: ...
async def context_first(ctx: WorkerContext, payload: Email) -> None: ...
async def keyword_only(payload: Email, *, ctx: WorkerContext) -> None: ...
async def only_args(*args: Any) -> None: ...


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (
            unresolvable,
            "the task 'unresolvable': the annotation 'Unimported' of the parameter 'payload' cannot be resolved",
        ),
        (
            unresolvable_part,
            r"the annotation 'dict\[str, elsewhere.Thing\]' of .* \(NameError: name 'elsewhere' is not defined\)",
        ),
        (no_expression, "cannot be resolved"),
        (not_json, "the task 'not_json': complex cannot be a payload type"),
        (
            wrong_context,
            "an async handler is given a WorkerContext, but its parameter 'ctx' is annotated SyncWorkerContext",
        ),
        (
            wrong_context_in_thread,
            "a handler in a thread is given a SyncWorkerContext, but its parameter 'ctx' is annotated WorkerContext",
        ),
        (
            session,
            "the parameter 'session' is where the handler is given its WorkerContext, but it is annotated Email",
        ),
        (three, "nothing is known of the parameter 'session'"),
        (
            context_first,
            "nothing is known of the parameter 'payload': a handler takes its payload, then ctx",
        ),
        (keyword_only, "the parameter 'ctx' can only be given by keyword"),
        (only_args, r"\*args does not tell"),
    ],
)
def test_what_cannot_be_called_is_told_at_first_use(fn, message):
    made = task(fn)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=message):
            made.resolve()


def test_a_required_context_in_a_process_is_refused():
    with pytest.raises(ConfigurationError, match="a handler in another process has no context"):
        task(executor="process")(in_thread).resolve()
    with pytest.raises(ConfigurationError, match="has no context"):
        task(executor="process", payload=None)(in_thread_alone).resolve()


def test_a_payload_type_without_parameter_is_refused():
    with pytest.raises(ConfigurationError, match="no parameter for its payload"):
        task(payload=Email)(neither).resolve()


def test_a_producer_learns_of_the_mistake_too():
    with pytest.raises(ConfigurationError, match="the annotation 'Unimported'"):
        task(unresolvable).job(1)


def test_a_job_is_made_of_payload_and_spec():
    made = task("send", spec=JobSpec(queue_name="mail", priority=1))(both)
    job = made.job(Email("a"), JobSpec(priority=2))
    assert (job.identifier, job.payload) == ("send", '{"to":"a"}')
    assert (job.spec.queue_name, job.spec.priority) == ("mail", 2)
    assert made.job(Email("a")).spec == made.spec


def test_payloads_cross_as_text():
    made = task(both)
    assert made.decode(made.codec.encode(Email("a"))) == Email("a")
    with pytest.raises(PayloadError, match=r"\$: the field 'to' is missing"):
        made.decode("{}")


async def batch(items: list[Email], ctx: WorkerContext) -> None: ...
def batch_in_thread(items: list[Email]) -> None: ...
def batch_sequence(items: Sequence[Email]) -> None: ...
def batch_iterable(items: Iterable[Email], ctx: SyncWorkerContext) -> None: ...
def batch_unannotated(items) -> None: ...
def batch_bare(items: list) -> None: ...  # type: ignore[type-arg]


@pytest.mark.parametrize(
    ("fn", "item", "takes_context"),
    [
        (batch, Email, True),
        (batch_in_thread, Email, False),
        (batch_sequence, Email, False),
        (batch_iterable, Email, True),
        (batch_unannotated, Any, False),
        (batch_bare, Any, False),
    ],
)
def test_a_batch_handler_takes_a_list(fn, item, takes_context):
    made = batch_task(fn)
    made.resolve()
    assert made.is_batch
    assert made.item is item
    assert made.takes_context is takes_context
    assert made.decode('[{"to": "a"}]') == ([Email("a")] if item is Email else [{"to": "a"}])


def test_a_batch_refuses_what_is_no_list_of_its_items():
    made = batch_task(batch)
    assert made.job([Email("a")]).payload == '[{"to":"a"}]'
    with pytest.raises(PayloadError, match=r"\$\[1\]: expected Email, got dict"):
        made.job([Email("a"), {"to": "b"}])
    with pytest.raises(PayloadError, match=r"\$: expected array, got object"):
        made.decode('{"to": "a"}')


def batch_of_one(item: Email) -> None: ...
def batch_of_nothing() -> None: ...
def batch_of_context(ctx: SyncWorkerContext) -> None: ...
def batch_of_tuple(items: tuple[Email, ...]) -> None: ...


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (batch_of_one, r"annotate its first parameter list\[Item\], not Email"),
        (batch_of_tuple, r"annotate its first parameter list\[Item\], not tuple"),
        (batch_of_nothing, "a batch handler takes a list of items first"),
        (batch_of_context, "a batch handler takes a list of items first"),
    ],
)
def test_a_batch_handler_without_a_list_is_refused(fn, message):
    with pytest.raises(ConfigurationError, match=message):
        batch_task(fn).resolve()
