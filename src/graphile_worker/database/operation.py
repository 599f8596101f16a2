"""Operations: statements out, results in; and the loops that carry them out."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar, cast

from graphile_worker.database.executor import Database, Executor, SyncDatabase, SyncExecutor
from graphile_worker.database.statement import Statement

T = TypeVar("T")

Operation: TypeAlias = Generator[Statement[Any], Any, T]
"""Yields statements, is sent what each of them decodes to, and returns the answer.

An error of a statement is raised where the statement was yielded.
"""


def ask(statement: Statement[T]) -> Operation[T]:
    """One statement and its answer; a bare `yield` would have the type of neither."""
    result: T = yield statement
    return result


async def perform(executor: Executor, operation: Operation[T]) -> T:
    """Carry an operation out, each statement for itself."""
    try:
        first = next(operation)
    except StopIteration as end:
        return cast("T", end.value)
    return await _carry_out(executor, operation, first)


async def perform_together(database: Database, operation: Operation[T]) -> T:
    """Carry an operation out in one transaction; one without statements borrows no connection."""
    try:
        first = next(operation)
    except StopIteration as end:
        return cast("T", end.value)
    async with database.connection() as connection, connection.transaction():
        return await _carry_out(connection, operation, first)


def perform_sync(executor: SyncExecutor, operation: Operation[T]) -> T:
    """`perform` without an event loop."""
    try:
        first = next(operation)
    except StopIteration as end:
        return cast("T", end.value)
    return _carry_out_sync(executor, operation, first)


def perform_together_sync(database: SyncDatabase, operation: Operation[T]) -> T:
    """`perform_together` without an event loop."""
    try:
        first = next(operation)
    except StopIteration as end:
        return cast("T", end.value)
    with database.connection() as connection, connection.transaction():
        return _carry_out_sync(connection, operation, first)


async def _carry_out(executor: Executor, operation: Operation[T], statement: Statement[Any]) -> T:
    try:
        while True:
            try:
                result = await executor.run(statement)
            except Exception as error:  # noqa: BLE001 (what it means is the operation's affair)
                statement = operation.throw(error)
            else:
                statement = operation.send(result)
    except StopIteration as end:
        return cast("T", end.value)


def _carry_out_sync(
    executor: SyncExecutor, operation: Operation[T], statement: Statement[Any]
) -> T:
    try:
        while True:
            try:
                result = executor.run(statement)
            except Exception as error:  # noqa: BLE001 (see above)
                statement = operation.throw(error)
            else:
                statement = operation.send(result)
    except StopIteration as end:
        return cast("T", end.value)
