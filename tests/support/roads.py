"""Every kind of connection a caller may hold, each with its own way to begin, commit and undo.

A road is opened on a URL and driven in the same way whatever it is: those without an event loop
live in a thread of their own, since Django refuses a thread with a loop, and keeps its connections
apart by thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import psycopg
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from support.django_settings import configure_django

from graphile_worker.database.statement import Statement
from graphile_worker.drivers.borrowed import executor_for, sync_executor_for


class Road:
    """One connection of a caller.

    Attributes:
        held: what the caller would hand to `with_executor`.
    """

    held: Any

    async def run(self, statement: Statement[Any]) -> Any:
        """Send a statement of ours on it."""
        return await executor_for(self.held).run(statement)

    async def begin(self) -> None:
        """Begin a transaction, for those that have to say so."""

    async def commit(self) -> None:
        raise NotImplementedError

    async def rollback(self) -> None:
        raise NotImplementedError

    def nested(self) -> Any:
        """A savepoint: undone by an exception."""
        raise NotImplementedError

    async def sql(self, text: str) -> None:
        """SQL of the caller's."""
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class Asyncpg(Road):
    def __init__(self, held: Any) -> None:
        self.held = held

    async def begin(self) -> None:
        self.block = self.held.transaction()
        await self.block.start()

    async def commit(self) -> None:
        await self.block.commit()

    async def rollback(self) -> None:
        await self.block.rollback()

    def nested(self) -> Any:
        return self.held.transaction()

    async def sql(self, text: str) -> None:
        await self.held.execute(text)

    async def close(self) -> None:
        await self.held.close()


class Psycopg(Road):
    def __init__(self, held: Any) -> None:
        self.held = held

    async def commit(self) -> None:
        await self.held.commit()

    async def rollback(self) -> None:
        await self.held.rollback()

    def nested(self) -> Any:
        return self.held.transaction()

    async def sql(self, text: str) -> None:
        await self.held.execute(text)

    async def close(self) -> None:
        await self.held.close()


class Alchemy(Psycopg):
    def nested(self) -> Any:
        return self.held.begin_nested()

    async def sql(self, words: str) -> None:
        await self.held.execute(text(words))


class InThread(Road):
    """Drives a synchronous connection, all of it in one thread."""

    def __init__(self, thread: ThreadPoolExecutor, held: Any) -> None:
        self.thread = thread
        self.held = held

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.thread, function, *args)

    async def run(self, statement: Statement[Any]) -> Any:
        return await self.call(sync_executor_for(self.held).run, statement)

    async def commit(self) -> None:
        await self.call(self.held.commit)

    async def rollback(self) -> None:
        await self.call(self.held.rollback)

    @asynccontextmanager
    async def nested(self) -> AsyncIterator[None]:
        block = await self.call(self.savepoint)
        await self.call(block.__enter__)
        try:
            yield
        except BaseException as error:
            await self.call(block.__exit__, type(error), error, error.__traceback__)
            raise
        else:
            await self.call(block.__exit__, None, None, None)

    def savepoint(self) -> Any:
        return self.held.transaction()

    async def sql(self, words: str) -> None:
        await self.call(self.held.execute, words)

    async def close(self) -> None:
        await self.call(self.held.close)


class SyncAlchemy(InThread):
    def savepoint(self) -> Any:
        return self.held.begin_nested()

    async def sql(self, words: str) -> None:
        await self.call(self.held.execute, text(words))


class Django(InThread):
    def atomic(self) -> Any:
        from django.db import transaction

        return transaction.atomic(using="gw")

    async def begin(self) -> None:
        self.block = self.atomic()
        await self.call(self.block.__enter__)

    async def commit(self) -> None:
        await self.call(self.block.__exit__, None, None, None)

    async def rollback(self) -> None:
        error = RuntimeError("undo")
        await self.call(self.block.__exit__, RuntimeError, error, None)

    def savepoint(self) -> Any:
        return self.atomic()

    async def sql(self, words: str) -> None:
        def execute() -> None:
            with self.held.cursor() as cursor:
                cursor.execute(words)

        await self.call(execute)


def alchemy_url(url: str, driver: str) -> str:
    return f"postgresql+{driver}://{url.partition('://')[2]}"


@asynccontextmanager
async def asyncpg_connection(url: str) -> AsyncIterator[Road]:
    connection = await asyncpg.connect(url)
    try:
        yield Asyncpg(connection)
    finally:
        connection.terminate()


@asynccontextmanager
async def asyncpg_proxy(url: str) -> AsyncIterator[Road]:
    async with asyncpg.create_pool(url, min_size=0, max_size=1) as pool:
        async with pool.acquire() as proxy:
            yield Asyncpg(proxy)
        pool.terminate()


@asynccontextmanager
async def psycopg_async(url: str, **options: Any) -> AsyncIterator[Road]:
    connection = await psycopg.AsyncConnection.connect(url, **options)
    try:
        yield Psycopg(connection)
    finally:
        await connection.close()


def alchemy_connection(driver: str) -> Any:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Road]:
        engine = create_async_engine(alchemy_url(url, driver), poolclass=NullPool)
        connection = await engine.connect()
        yield Alchemy(connection)
        await connection.close()

    return opened


def alchemy_session(driver: str) -> Any:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Road]:
        engine = create_async_engine(alchemy_url(url, driver), poolclass=NullPool)
        session = AsyncSession(engine)
        yield Alchemy(session)
        await session.close()

    return opened


@asynccontextmanager
async def alchemy_scoped(url: str) -> AsyncIterator[Road]:
    engine = create_async_engine(alchemy_url(url, "asyncpg"), poolclass=NullPool)
    session = async_scoped_session(async_sessionmaker(engine), scopefunc=lambda: 1)
    yield Alchemy(session)
    await session.close()


def in_thread(open_one: Callable[[str], Any], kind: Callable[..., InThread]) -> Any:
    """The road over what `open_one`, a context manager, opens in a thread."""

    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Road]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as thread:
            context = open_one(url)
            held = await loop.run_in_executor(thread, context.__enter__)
            yield kind(thread, held)
            await loop.run_in_executor(thread, context.__exit__, None, None, None)

    return opened


@contextmanager
def _psycopg(url: str) -> Any:
    connection = psycopg.Connection.connect(url)
    yield connection
    connection.close()


@contextmanager
def _connection(url: str, driver: str = "psycopg") -> Any:
    engine = create_engine(alchemy_url(url, driver), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@contextmanager
def _psycopg2_connection(url: str) -> Any:
    with _connection(url, "psycopg2") as connection:
        yield connection


@contextmanager
def _session(url: str) -> Any:
    with Session(create_engine(alchemy_url(url, "psycopg"), poolclass=NullPool)) as session:
        yield session


@contextmanager
def _scoped(url: str) -> Any:
    engine = create_engine(alchemy_url(url, "psycopg"), poolclass=NullPool)
    session = scoped_session(sessionmaker(engine))
    yield session
    session.remove()


@contextmanager
def django_connection(url: str) -> Any:
    from django.db import connections
    from django.db.backends.postgresql.base import DatabaseWrapper

    configure_django()
    parts = psycopg.conninfo.conninfo_to_dict(url)
    wrapper = DatabaseWrapper(
        {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts["dbname"],
            "USER": parts.get("user", ""),
            "PASSWORD": parts.get("password", ""),
            "HOST": parts.get("host", ""),
            "PORT": str(parts.get("port", "")),
            "OPTIONS": {},
            "TIME_ZONE": None,
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": False,
            "AUTOCOMMIT": True,
            "ATOMIC_REQUESTS": False,
            "TEST": {"NAME": None},
        },
        alias="gw",
    )
    connections["gw"] = wrapper
    yield wrapper
    wrapper.close()
    del connections["gw"]


ROADS: dict[str, Any] = {
    "asyncpg": asyncpg_connection,
    "asyncpg-proxy": asyncpg_proxy,
    "psycopg": psycopg_async,
    "sqlalchemy-asyncpg-connection": alchemy_connection("asyncpg"),
    "sqlalchemy-asyncpg-session": alchemy_session("asyncpg"),
    "sqlalchemy-asyncpg-scoped": alchemy_scoped,
    "sqlalchemy-psycopg-connection": alchemy_connection("psycopg"),
    "sqlalchemy-psycopg-session": alchemy_session("psycopg"),
    "psycopg-sync": in_thread(_psycopg, InThread),
    "sqlalchemy-sync-connection": in_thread(_connection, SyncAlchemy),
    "sqlalchemy-sync-session": in_thread(_session, SyncAlchemy),
    "sqlalchemy-sync-scoped": in_thread(_scoped, SyncAlchemy),
    "sqlalchemy-psycopg2": in_thread(_psycopg2_connection, SyncAlchemy),
    "django": in_thread(django_connection, Django),
}
