from __future__ import annotations

import asyncio
import socket as sockets
import subprocess
import sys
import textwrap
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from support.certificates import make_certificate
from support.relay import Relay

from graphile_worker.database.statement import Statement
from graphile_worker.drivers.connect import connect
from graphile_worker.errors import ConfigurationError, ConnectionLostError, DatabaseError

pytestmark = pytest.mark.usefixtures("no_environment")


def ask(sql: str, *args: object) -> Statement[list[tuple[object, ...]]]:
    return Statement("ask", sql, args, lambda rows: [tuple(row) for row in rows])


@pytest.fixture
def closed_port() -> int:
    with sockets.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


async def answer(url: str, sql: str = "select 1", **how: object) -> object:
    database = await connect(url, **how)
    try:
        return (await database.run(ask(sql)))[0][0]
    finally:
        await database.aclose()


async def refusal(url: str, **how: object) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught:
        await answer(url, **how)
    assert "\n" not in str(caught.value)
    return caught.value


async def test_a_socket_a_port_and_a_keyword_string_all_connect(url, socket_folder, relay):
    assert await answer(url) == 1
    assert await answer(url.replace("postgresql://", "postgresql+asyncpg://")) == 1
    assert await answer(f"postgres://postgres@127.0.0.1:{relay.port}/postgres") == 1
    assert await answer(f"host=127.0.0.1 port={relay.port} user=postgres") == 1
    port = url.rpartition("port=")[2]
    assert await answer(f"postgres://postgres@{quote(socket_folder, safe='')}:{port}/postgres") == 1


async def test_a_refused_connection_names_the_place_and_the_question(closed_port):
    error = await refusal(f"postgres://u:hunter2@127.0.0.1:{closed_port}/d")
    assert isinstance(error, ConnectionLostError)
    assert str(error) == (
        f"cannot connect to PostgreSQL at 127.0.0.1:{closed_port} (Connection refused); "
        "is PostgreSQL running there?"
    )


async def test_a_name_with_two_addresses_fails_for_one_reason(closed_port):
    error = await refusal(f"postgres://u@localhost:{closed_port}/d")
    assert f"at localhost:{closed_port} (Connection refused); is" in str(error)


async def test_a_socket_that_is_not_there_is_named(tmp_path):
    error = await refusal(f"postgres://u@/d?host={tmp_path}&port=1")
    assert str(tmp_path / ".s.PGSQL.1") in str(error)
    assert "is PostgreSQL running there?" in str(error)


async def test_an_unknown_host_is_named():
    error = await refusal("postgres://u@no-such-host.invalid/d")
    assert "no-such-host.invalid:5432 (unknown host name)" in str(error)


async def test_a_wrong_password_names_who_and_where(url, relay):
    for login in ("guarded:wrong", "guarded:", "guarded"):
        error = await refusal(f"postgres://{login}@127.0.0.1:{relay.port}/postgres")
        assert type(error) is DatabaseError
        assert error.sqlstate in {"28P01", "28000"}
        assert f"cannot log in as guarded@127.0.0.1:{relay.port}" in str(error)


async def test_a_password_with_every_odd_sign_logs_in_by_each_way(relay, password, tmp_path):
    passfile = tmp_path / "pass"
    passfile.write_text(f"*:*:*:guarded:{password.replace(':', chr(92) + ':')}\n")
    passfile.chmod(0o600)
    place = f"127.0.0.1:{relay.port}/postgres"
    who = "select current_user::text"
    for login in (
        f"postgres://guarded:{quote(password, safe='')}@{place}",
        f"postgres://guarded@{place}?passfile={passfile}",
        f"host=127.0.0.1 port={relay.port} dbname=postgres user=guarded password='{password}'",
    ):
        assert await answer(login, who) == "guarded"


async def test_an_unknown_database_comes_with_the_command_that_makes_it(url):
    error = await refusal(url.replace("/postgres?", "/nope?"))
    assert error.sqlstate == "3D000"
    assert "there is no database 'nope'" in str(error)
    assert str(error).endswith("createdb nope")


async def test_a_dead_first_host_is_passed_over(relay, closed_port):
    for hosts in (
        f"127.0.0.1:{closed_port},127.0.0.1:{relay.port}",
        f"no-such-host.invalid,127.0.0.1:{relay.port}",
        f"127.0.0.1:{relay.port},127.0.0.1:{closed_port}",
    ):
        assert await answer(f"postgres://postgres@{hosts}/postgres") == 1


async def test_a_silent_first_host_costs_its_own_time_only(relay, socket):
    async with Relay(socket) as silent:
        silent.freeze()
        hosts = f"127.0.0.1:{silent.port},127.0.0.1:{relay.port}"
        began = time.monotonic()
        assert await answer(f"postgres://postgres@{hosts}/postgres?connect_timeout=1") == 1
        assert time.monotonic() - began < 3


async def test_hosts_that_all_fail_are_all_named(closed_port, socket):
    async with Relay(socket) as silent:
        silent.freeze()
        hosts = f"127.0.0.1:{closed_port},127.0.0.1:{silent.port}"
        error = await refusal(f"postgres://u@{hosts}/d?connect_timeout=1")
    assert f"127.0.0.1:{closed_port} (Connection refused)" in str(error)
    assert f"127.0.0.1:{silent.port} (no answer in time)" in str(error)


async def test_the_wanted_kind_of_server_is_looked_for(url, relay):
    place = f"postgres://postgres@127.0.0.1:{relay.port}/postgres"
    for kind in ("any", "primary", "read-write", "prefer-standby"):
        assert await answer(f"{place}?target_session_attrs={kind}") == 1
    error = await refusal(f"{place}?target_session_attrs=standby")
    assert isinstance(error, ConnectionLostError)
    assert "target_session_attrs" in str(error)


async def test_hosts_may_be_tried_in_any_order(relay, socket):
    async with Relay(socket) as other:
        hosts = f"127.0.0.1:{relay.port},127.0.0.1:{other.port}"
        for _ in range(200):
            await answer(f"postgres://postgres@{hosts}/postgres?load_balance_hosts=random")
            if relay.accepted and other.accepted:
                return
    pytest.fail("one host was never tried first")


async def test_tls_that_the_server_lacks_is_said(relay):
    place = f"postgres://postgres@127.0.0.1:{relay.port}/postgres"
    assert await answer(f"{place}?sslmode=prefer") == 1
    error = await refusal(f"{place}?sslmode=require")
    assert "SSL" in str(error)


async def test_sslmode_does_not_matter_at_a_socket(url, monkeypatch):
    assert await answer(f"{url}&sslmode=verify-full") == 1
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert await answer(url) == 1


async def test_a_tls_file_that_cannot_be_read_is_named(relay):
    place = f"postgres://postgres@127.0.0.1:{relay.port}/postgres"
    with pytest.raises(ConfigurationError, match=r"sslrootcert: the file '/nope\.crt'"):
        await answer(f"{place}?sslmode=verify-full&sslrootcert=/nope.crt")
    assert await answer(f"{place}?sslmode=prefer&sslrootcert=/nope.crt") == 1
    with pytest.raises(ConfigurationError, match=r"root\.crt"):
        await answer(f"{place}?sslmode=verify-full")


async def test_the_names_of_a_url_reach_the_session(url):
    name = "select current_setting('application_name')"
    assert await answer(url, name) == "graphile-worker"
    assert await answer(f"{url}&application_name=billing", name) == "billing"
    assert await answer(f"{url}&fallback_application_name=b", name) == "b"
    options = quote("-c work_mem=5MB -c geqo=off")
    assert await answer(f"{url}&options={options}", "select current_setting('work_mem')") == "5MB"


async def test_keys_that_asyncpg_would_send_to_the_server_do_no_harm(url):
    keys = (
        "channel_binding=prefer&keepalives=1&keepalives_idle=5&connect_timeout=3&sslsni=1"
        "&tcp_user_timeout=1000&gssencmode=prefer&client_encoding=UTF8&load_balance_hosts=disable"
    )
    assert await answer(f"{url}&{keys}") == 1


async def test_waiting_ends_as_soon_as_the_server_is_there(socket, closed_port, caplog):
    waiting = asyncio.create_task(
        answer(f"postgres://postgres@127.0.0.1:{closed_port}/postgres", wait=timedelta(seconds=20))
    )
    async with asyncio.timeout(10):
        while not caplog.records:
            await asyncio.sleep(0)
    async with Relay(socket, port=closed_port):
        assert await waiting == 1


async def test_waiting_ends_with_the_last_error(closed_port):
    began = time.monotonic()
    url = f"postgres://u@127.0.0.1:{closed_port}/d"
    error = await refusal(url, wait=timedelta(milliseconds=300))
    assert isinstance(error, ConnectionLostError)
    assert time.monotonic() - began < 5


async def test_a_wrong_password_is_not_waited_for(relay):
    url = f"postgres://guarded:wrong@127.0.0.1:{relay.port}/postgres"
    assert (await refusal(url, wait=timedelta(hours=1))).sqlstate == "28P01"


async def test_a_pool_has_at_least_one_connection(url):
    with pytest.raises(ConfigurationError, match="max_connections must be at least 1"):
        await connect(url, max_connections=0)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


async def test_tls_is_checked_as_far_as_sslmode_says(socket, certificate):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with Relay(socket, tls=context) as relay:
        local = f"postgres://postgres@localhost:{relay.port}/postgres"
        number = f"postgres://postgres@127.0.0.1:{relay.port}/postgres"
        known = f"sslrootcert={certificate}"
        assert await answer(f"{number}?sslmode=require") == 1
        assert await answer(f"{number}?sslmode=verify-ca&{known}") == 1
        assert await answer(f"{local}?sslmode=verify-full&{known}") == 1
        for url in (
            f"{number}?sslmode=verify-full&{known}",
            f"{local}?sslrootcert=system",
        ):
            error = await refusal(url)
            assert isinstance(error, ConnectionLostError)
            assert "TLS failed" in str(error)
            assert "certificate verify failed" in str(error)


@pytest.mark.parametrize("unusable", ["gone", "half written"])
async def test_a_file_of_tls_that_cannot_be_read_later_is_an_outage(socket, certificate, unusable):
    """It is being renewed; those that try again do so for a lost connection."""
    text = certificate.read_text()

    def spoil() -> None:
        certificate.unlink()
        if unusable == "half written":
            certificate.write_text(text[:100])

    async with Relay(socket) as relay:
        url = f"postgres://postgres@127.0.0.1:{relay.port}/postgres?sslcert={certificate}"
        database = await connect(url, max_connections=1)
        spoil()
        with pytest.raises(ConnectionLostError):
            await database.dedicated("another")
        relay.hang_up()
        with pytest.raises(ConnectionLostError):
            await database.run(ask("select 1"))
        with pytest.raises(ConnectionLostError):
            await database.run(ask("select 1"))
        if unusable == "gone":
            with pytest.raises(ConfigurationError, match="sslcert"):
                await connect(url)
        certificate.write_text(text)
        assert await database.run(ask("select 1")) == [(1,)]
        await (await database.dedicated("another")).aclose()
        await database.aclose()


def test_a_connection_is_refused_in_a_forked_child(url):
    program = textwrap.dedent(
        f"""
        import asyncio, os, sys
        from graphile_worker.database.statement import Statement
        from graphile_worker.drivers.connect import connect
        from graphile_worker.errors import ConfigurationError
        one = Statement("one", "select 1", (), lambda rows: rows[0][0])

        async def child(database, connection):
            for used in (database.run(one), connection.run(one), database.dedicated("x")):
                try:
                    await used
                except ConfigurationError as error:
                    print(error, flush=True)
            await connection.aclose()
            await database.aclose()

        loop = asyncio.new_event_loop()
        database = loop.run_until_complete(connect({url!r}))
        connection = loop.run_until_complete(database.dedicated("mine"))
        pid = os.fork()
        if pid == 0:
            asyncio.run(child(database, connection))
            os._exit(0)
        os.waitpid(pid, 0)
        print(loop.run_until_complete(connection.run(one)), loop.run_until_complete(database.run(one)))
        loop.run_until_complete(connection.aclose())
        loop.run_until_complete(database.aclose())
        loop.close()
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == ""
    *refusals, last = done.stdout.splitlines()
    assert len(refusals) == 3
    assert all("open connections after forking" in line for line in refusals)
    assert last == "1 1"


async def test_a_pooler_that_refuses_settings_is_named_with_the_remedy(monkeypatch, url):
    async def refuse(**_how: object) -> None:
        raise asyncpg.ProtocolViolationError("unsupported startup parameter: search_path")

    monkeypatch.setattr(asyncpg, "connect", refuse)
    assert "prepared_statements=False" in str(await refusal(url))
