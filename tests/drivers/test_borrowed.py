"""Which objects callers may hand us, and what is said to the others."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from support.roads import alchemy_url

from graphile_worker.database.statement import Statement
from graphile_worker.drivers.adopt import adopt, adopt_sync
from graphile_worker.drivers.borrowed import executor_for, sync_executor_for
from graphile_worker.errors import ConfigurationError

ONE = Statement("one", "select 1", (), lambda rows: rows[0][0])


class Connection:
    """Looks like somebody's."""


@pytest.mark.parametrize("thing", [None, "postgres://", 1, Connection(), object])
@pytest.mark.parametrize("ask", [executor_for, sync_executor_for, adopt, adopt_sync])
def test_an_unknown_kind_is_told_its_type_and_the_kinds_that_work(ask, thing):
    with pytest.raises(ConfigurationError) as caught:
        ask(thing)
    assert type(thing).__qualname__ in str(caught.value)
    for library in ("psycopg", "SQLAlchemy"):
        assert library in str(caught.value)


async def test_the_wrong_colour_is_told_the_right_one(gw_database):
    connection = psycopg.Connection.connect(gw_database)
    with connection, pytest.raises(ConfigurationError, match="use SyncWorkerUtils"):
        executor_for(connection)
    engine = create_async_engine(alchemy_url(gw_database, "asyncpg"))
    with pytest.raises(ConfigurationError, match="use WorkerUtils"):
        sync_executor_for(AsyncSession(engine))
    with pytest.raises(ConfigurationError, match="as WorkerUtils does"):
        adopt_sync(engine)
    with pytest.raises(ConfigurationError, match="as SyncWorkerUtils does"):
        adopt(create_engine(alchemy_url(gw_database, "psycopg")))
    pool = AsyncConnectionPool(gw_database, open=False)
    with pytest.raises(ConfigurationError, match="as WorkerUtils does"):
        adopt_sync(pool)
    with pytest.raises(ConfigurationError, match="as SyncWorkerUtils does"):
        adopt(ConnectionPool(gw_database, open=False))


def test_databases_of_other_kinds_are_refused_by_name():
    engine = create_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(ConfigurationError, match="sqlite"):
        sync_executor_for(connection).run(ONE)
    engine.dispose()
    with pytest.raises(ConfigurationError, match="sqlite"):
        adopt_sync(engine)
    with pytest.raises(ConfigurationError, match=r"psycopg2; what works: postgresql\+psycopg$"):
        adopt_sync(create_engine("postgresql+psycopg2://"))


def test_a_django_connection_to_something_else_is_refused_by_name():
    from django.db.backends.sqlite3.base import DatabaseWrapper

    wrapper = DatabaseWrapper({"NAME": ":memory:", "OPTIONS": {}}, alias="other")
    with pytest.raises(ConfigurationError, match="'other' leads to SQLite"):
        sync_executor_for(wrapper).run(ONE)


def test_django_without_psycopg_3_is_told_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['psycopg'] = None\n"
        "from support.django_settings import configure_django\n"
        "configure_django()\n"
        "from django.db.backends.postgresql.base import Database, DatabaseWrapper\n"
        "from graphile_worker import MissingDependencyError, SyncWorkerUtils\n"
        "assert Database.__name__ == 'psycopg2'\n"
        "try:\n"
        "    SyncWorkerUtils(DatabaseWrapper({'OPTIONS': {}}))\n"
        "except MissingDependencyError as error:\n"
        "    print(error)\n"
    )
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, env=os.environ | paths
    )
    assert ran.stdout.decode() == (
        "sending statements through Django (it takes psycopg 3) needs the extra 'django': "
        "pip install 'graphile-worker[django]'\n"
    )


def in_another_loop(call: Any) -> Any:
    return asyncio.to_thread(lambda: asyncio.run(call))


async def test_another_event_loop_is_a_clear_error_and_does_no_harm(gw_database):
    connection = await asyncpg.connect(gw_database)
    with pytest.raises(ConfigurationError, match="another event loop"):
        await in_another_loop(executor_for(connection).run(ONE))
    assert await executor_for(connection).run(ONE) == 1
    await connection.close()


async def test_another_event_loop_is_a_clear_error_for_a_session_too(gw_database):
    engine = create_async_engine(alchemy_url(gw_database, "asyncpg"))
    async with AsyncSession(engine) as session:
        assert await executor_for(session).run(ONE) == 1
        with pytest.raises(ConfigurationError, match="another event loop"):
            await in_another_loop(executor_for(session).run(ONE))
        assert await executor_for(session).run(ONE) == 1
    await engine.dispose()


def test_no_library_is_imported_to_find_out_what_something_is():
    program = """
import sys
from graphile_worker.drivers.adopt import adopt
from graphile_worker.drivers.borrowed import executor_for, sync_executor_for
for ask in (executor_for, sync_executor_for, adopt):
    try:
        ask(object())
    except ValueError:
        pass
print([name for name in ("asyncpg", "psycopg", "psycopg_pool", "sqlalchemy", "django")
       if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
