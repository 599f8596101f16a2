from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from support.embedded_servers import postmaster_of, processes_of, query, reaper_of
from support.eventually import eventually

from graphile_worker.embedded.server import EmbeddedPostgres, is_embedded_url
from graphile_worker.errors import ConfigurationError, DatabaseError

SETTINGS = """select concat_ws(' ', current_setting('fsync'), current_setting('server_encoding'),
              current_setting('listen_addresses'), current_setting('TimeZone'))"""


def sockets_of(url: str) -> Path:
    return Path(url.partition("host=")[2].partition("&")[0])


async def test_a_temporary_server_is_gone_once_closed():
    server = await asyncio.to_thread(EmbeddedPostgres.start)
    assert await query(server.url, SETTINGS) == "off UTF8  UTC"
    server.close()
    server.close()
    assert not server.folder.exists()
    assert not sockets_of(server.url).exists()
    eventually(lambda: not processes_of(server.folder))


async def test_a_named_folder_keeps_its_data_and_its_fsync(place):
    url = f"embedded://{place}/my%20data"
    with EmbeddedPostgres.start(url) as server:
        assert server.folder == place / "my data"
        assert await query(server.url, "create table t (n int)", SETTINGS) == "on UTF8  UTC"
        assert await query(server.url, "create database other", "select 1") == 1
    eventually(lambda: not processes_of(server.folder))
    assert not sockets_of(server.url).exists()
    with EmbeddedPostgres.start(url) as again:
        assert await query(again.url, "insert into t values (7) returning n") == 7
        assert await query(again.database_url("other"), "select current_database()") == "other"


async def test_the_default_folder_is_below_the_current_one_and_kept_out_of_git(place, monkeypatch):
    monkeypatch.chdir(place)
    with EmbeddedPostgres.start("embedded:") as server:
        assert server.folder == place / ".graphile-worker" / "pg"
    assert (place / ".graphile-worker" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("end", ["exit", "leave at once", signal.SIGTERM, signal.SIGKILL])
def test_however_the_program_ends_nothing_is_left(program, end):
    user = program("embedded:?temporary")
    url, folder = user.told()
    eventually(lambda: len(processes_of(folder)) == 2)  # a child just forked still has our name
    if isinstance(end, signal.Signals):
        user.process.send_signal(end)
    else:
        user.end(end)
    eventually(lambda: not folder.exists() and not processes_of(folder))
    assert not sockets_of(url).exists()


async def test_a_second_program_joins_and_keeps_the_server(program, folder):
    first, second = program(f"embedded://{folder}"), program(f"embedded://{folder}")
    url, _ = first.told()
    assert second.told() == (url, folder)
    first.end()
    assert await query(url, "select 1") == 1
    second.end()
    eventually(lambda: not processes_of(folder))


async def test_programs_that_start_at_once_share_one_server(program, place):
    users = [program(f"embedded://{place}/deep/down/pg") for _ in range(4)]
    assert len({user.told() for user in users}) == 1
    assert len(processes_of(place, "reaper.py")) == 1


async def test_one_program_can_use_a_folder_twice(folder):
    first = EmbeddedPostgres.start(f"embedded://{folder}")
    second = EmbeddedPostgres.start(f"embedded://{folder}")
    first.close()
    assert await query(second.url, "select 1") == 1
    second.close()


async def test_a_forked_child_that_closes_does_not_end_the_parents_use(folder):
    code = f"""
import os
from graphile_worker.embedded.server import EmbeddedPostgres
server = EmbeddedPostgres.start("embedded://{folder}")
if os.fork() == 0:
    server.close()
    os._exit(0)
os.wait()
print(server.url, flush=True)
input()
"""
    pipe = asyncio.subprocess.PIPE
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=pipe, stdout=pipe
    )
    url = (await parent.stdout.readline()).decode().strip()
    # Longer than the server waits for another user after its last one.
    assert await query(url, "select pg_sleep(0.6)", "select 1") == 1
    await parent.communicate(b"\n")


async def test_a_signal_to_all_processes_ends_the_users_only(folder):
    with EmbeddedPostgres.start(f"embedded://{folder}") as server:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            reaper_of(folder).send_signal(number)
        assert await query(server.url, "select 1") == 1
    eventually(lambda: not processes_of(folder))


async def test_a_killed_reaper_takes_the_server_along_and_the_folder_starts_again(folder):
    url = f"embedded://{folder}"
    with EmbeddedPostgres.start(url) as server:
        await query(server.url, "create table t ()", "select 1")
        reaper_of(folder).kill()
        eventually(lambda: not processes_of(folder, "reaper.py"))
        # At once, while PostgreSQL may still be on its way out.
        with EmbeddedPostgres.start(url) as again:
            assert again.url != server.url
            assert not sockets_of(server.url).exists()
            assert await query(again.url, "select count(*) from t") == 0
            eventually(lambda: len(processes_of(folder)) == 2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a killed parent")
def test_a_server_does_not_outlive_its_killed_reaper(folder):
    with EmbeddedPostgres.start(f"embedded://{folder}"):
        reaper_of(folder).kill()
        eventually(lambda: not processes_of(folder))


def test_a_server_that_dies_can_be_started_again(folder):
    url = f"embedded://{folder}"
    with EmbeddedPostgres.start(url):
        postmaster_of(folder).kill()
        eventually(lambda: not processes_of(folder))
        with EmbeddedPostgres.start(url):
            assert postmaster_of(folder).is_running()


async def test_the_socket_survives_the_crash_of_a_session(folder):
    with EmbeddedPostgres.start(f"embedded://{folder}") as server:
        with pytest.raises(Exception, match=r"connection was closed|reset"):
            await query(
                server.url,
                "create function crash() returns void language plpgsql as "
                "$$begin execute format('copy (select 1) to program %L', "
                "'kill -9 ' || pg_backend_pid()); end$$",
                "select crash()",
            )

        answer = None
        async with asyncio.timeout(15):
            while answer is None:
                with contextlib.suppress(asyncpg.PostgresError, OSError):
                    answer = await query(server.url, "select 1")


async def test_a_named_temporary_folder_is_shared_and_thrown_away(program, place):
    url = f"embedded://{place}/shared?temporary"
    users = [program(url), program(url)]
    assert users[0].told() == users[1].told()
    with EmbeddedPostgres.start(url) as server:
        assert await query(server.url, SETTINGS) == "off UTF8  UTC"
    for user in users:
        assert server.folder.exists()
        user.end()
    eventually(lambda: not server.folder.exists() and not processes_of(server.folder))


async def test_a_temporary_folder_can_be_asked_for_again_while_it_is_being_removed(place):
    url = f"embedded://{place}/shared?temporary"
    for _ in range(4):
        with EmbeddedPostgres.start(url) as server:
            assert await query(server.url, "select 1") == 1
    eventually(lambda: {path.name for path in place.iterdir()} == {"tmp"})


def test_kept_data_is_never_taken_for_temporary(folder):
    with pytest.raises(ConfigurationError, match="holds data that was to be kept"):
        EmbeddedPostgres.start(f"embedded://{folder}?temporary")
    assert (folder / "data" / "PG_VERSION").exists()


def test_a_start_that_is_killed_leaves_nothing(program, place):
    user = program("embedded:?temporary")
    eventually(lambda: processes_of(place, "reaper.py"))
    user.process.kill()
    eventually(lambda: not list((place / "tmp").iterdir()) and not processes_of(place))


def test_a_temporary_folder_of_a_killed_reaper_is_removed_by_a_later_start():
    with EmbeddedPostgres.start() as killed:
        reaper_of(killed.folder).kill()
        eventually(lambda: not processes_of(killed.folder))
        with EmbeddedPostgres.start():
            assert killed.folder.exists()  # too young to be judged
        os.utime(killed.folder, (0, 0))
        with EmbeddedPostgres.start():
            assert not killed.folder.exists()
        assert not sockets_of(killed.url).exists()


def test_a_pid_that_another_program_has_now_is_no_obstacle(folder):
    url = f"embedded://{folder}"
    with EmbeddedPostgres.start(url):
        pid_file = folder / "data" / "postmaster.pid"
        written = pid_file.read_text()
        owner = pid_file.stat()
        postmaster_of(folder).kill()
        eventually(lambda: not processes_of(folder))
    account = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **account) as other:
        pid_file.write_text("\n".join([str(other.pid), *written.splitlines()[1:]]))
        with EmbeddedPostgres.start(url):
            assert postmaster_of(folder).pid != other.pid
        other.kill()


def test_the_servers_own_words_are_the_error(folder):
    url = f"embedded://{folder}"
    with EmbeddedPostgres.start(url):
        configuration = folder / "data" / "postgresql.conf"
    eventually(lambda: not processes_of(folder))
    with configuration.open("a") as file:
        file.write("work_mem = lots\n")
    with pytest.raises(
        DatabaseError, match=r"FATAL:  configuration file .* contains errors"
    ) as told:
        EmbeddedPostgres.start(url)
    assert f"(log: {folder}/postgres.log)" in str(told.value)
    assert not processes_of(folder)


def test_data_of_another_major_version_is_not_touched(place):
    url = f"embedded://{place}/pg"
    (place / "pg" / "data").mkdir(parents=True)
    (place / "pg" / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(
        ConfigurationError, match=r"is of PostgreSQL 9, and .* GRAPHILE_WORKER_PG_BIN"
    ):
        EmbeddedPostgres.start(url)


def failing_initdb(folder: Path) -> str:
    for name, script in {
        "postgres": "echo postgres '(PostgreSQL)' 18.6",
        "initdb": "echo initdb: error: no space >&2; echo initdb: removing it all >&2; exit 1",
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_a_start_that_fails_leaves_nothing(place, monkeypatch):
    programs = place / "programs"
    programs.mkdir()
    programs.chmod(0o755)
    monkeypatch.setenv("GRAPHILE_WORKER_PG_BIN", failing_initdb(programs))
    with pytest.raises(DatabaseError, match=r"did not start: initdb: error: no space$"):
        EmbeddedPostgres.start("embedded:?temporary")
    with pytest.raises(DatabaseError, match=r"no space$"):
        EmbeddedPostgres.start(f"embedded://{place}/new/folder")
    (place / "old").mkdir()
    with pytest.raises(DatabaseError, match=r"no space$"):
        EmbeddedPostgres.start(f"embedded://{place}/old")
    assert {path.name for path in place.iterdir()} == {"programs", "old", "tmp"}
    assert not [*(place / "old").iterdir(), *(place / "tmp").iterdir()]


def test_a_folder_with_other_things_is_refused(place):
    (place / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="is not empty and holds no embedded server"):
        EmbeddedPostgres.start(f"embedded://{place}")
    assert {path.name for path in place.iterdir()} == {"thesis.txt", "tmp"}


def test_a_folder_that_cannot_be_made_is_a_configuration_error(place):
    (place / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot be kept there: .*/file"):
        EmbeddedPostgres.start(f"embedded://{place}/file/pg")


@pytest.mark.parametrize(
    ("url", "embedded"),
    [
        ("embedded:", True),
        ("EMBEDDED:?temporary", True),
        ("embedded", False),
        ("postgresql:///embedded:", False),
    ],
)
def test_the_scheme_tells_an_embedded_url(url, embedded):
    assert is_embedded_url(url) is embedded


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///x",
        "embedded:pg",
        "embedded:/pg",
        "embedded://host/pg",
        "embedded:///",
        "embedded:?",
        "embedded:?port=5433",
        "embedded:?temporary=yes",
        "embedded:///pg?",
        "embedded:///pg?temporary&fast",
        "embedded:///pg#here",
    ],
)
def test_any_other_form_is_refused_in_one_line(url):
    with pytest.raises(ConfigurationError) as refused:
        EmbeddedPostgres.start(url)
    assert url in str(refused.value)
    assert "\n" not in str(refused.value)


def test_windows_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(ConfigurationError, match="Windows; give the URL of a server"):
        EmbeddedPostgres.start()
