"""Root and other accounts. As root every case is run; else only what an account can see of it."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from support.embedded_servers import postmaster_of, processes_of, query
from support.eventually import eventually

import graphile_worker.embedded
from graphile_worker.embedded import account as accounts
from graphile_worker.embedded.account import Account, server_account
from graphile_worker.embedded.binaries import find_binaries
from graphile_worker.embedded.server import EmbeddedPostgres
from graphile_worker.errors import ConfigurationError

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")
nobody = pwd.getpwnam("nobody")


@pytest.fixture
def state(place, monkeypatch):
    folder = place / "state"
    monkeypatch.setattr(accounts, "STATE", folder)
    return folder


@pytest.fixture
def closed(place):
    folder = place / "closed"
    folder.mkdir(mode=0o700)
    return folder


@pytest.mark.skipif(os.geteuid() == 0, reason="root is the exception")
def test_an_ordinary_user_runs_the_server_itself(place):
    assert server_account() is None
    with EmbeddedPostgres.start(f"embedded://{place}/pg") as server:
        assert postmaster_of(server.folder).uids().real == os.geteuid()


@only_root
def test_the_server_of_root_runs_as_another_and_only_root_can_go_to_it(place):
    with EmbeddedPostgres.start(f"embedded://{place}/pg") as server:
        account = server_account()
        assert postmaster_of(server.folder).uids().real == account.uid != 0
        assert postmaster_of(server.folder).gids().real == account.gid
        assert asyncio.run(query(server.url, "select 1")) == 1
        code = f"""
import socket, sys
try:
    socket.socket(socket.AF_UNIX).connect({str(server._sockets / ".s.PGSQL.5432")!r})
except PermissionError:
    sys.exit(7)
"""
        for user in (account.uid, nobody.pw_uid):
            as_user = {"user": user, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}
            command = ["/usr/bin/python3", "-c", code]
            assert subprocess.run(command, check=False, **as_user).returncode == 7


@only_root
def test_data_goes_to_our_own_place_where_the_server_cannot_reach_the_folder(closed, state):
    url = f"embedded://{closed}/pg"
    with EmbeddedPostgres.start(url) as server, EmbeddedPostgres.start(url) as same:
        assert server.folder.parent == state
        assert server.folder.name.startswith("pg-")
        assert (same.folder, same.url) == (server.folder, server.url)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert not list(closed.iterdir())


@only_root
def test_programs_the_server_cannot_reach_are_copied_with_their_libraries(
    closed, state, monkeypatch
):
    original = find_binaries().folder
    package = original.parent.parent
    for folder in (package, package.with_name(package.name + ".libs")):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    monkeypatch.setenv("GRAPHILE_WORKER_PG_BIN", str(closed / package.name / "pginstall" / "bin"))
    for _ in range(2):
        with EmbeddedPostgres.start() as server:
            program = Path(postmaster_of(server.folder).exe())
        assert program.is_relative_to(state)
        assert len(list(state.iterdir())) == 1
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@only_root
def test_root_serves_the_data_of_a_user_as_that_user(place, state, folder):
    owner = (nobody.pw_uid, nobody.pw_gid)
    home = place / "home"
    home.mkdir(mode=0o700)
    folder.rename(home / "pg")
    subprocess.run(["chown", "-R", "{}:{}".format(*owner), home], check=True)
    with EmbeddedPostgres.start(f"embedded://{home}/pg") as server:
        assert server.folder == home / "pg"
        assert postmaster_of(server.folder).uids().real == nobody.pw_uid
        locks = [path.stat().st_uid for path in server.folder.glob("*.lock")]
        assert locks == [nobody.pw_uid] * 4
    eventually(lambda: not processes_of(home))


@only_root
@pytest.mark.skipif(not shutil.which("/usr/bin/python3"), reason="needs a Python all may run")
def test_a_user_without_any_rights_can_have_a_server(program, place):
    version = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print(sys.version_info >= (3, 11))"],
        capture_output=True,
        text=True,
        check=True,
    )
    if version.stdout.strip() != "True":
        pytest.skip("the system's Python is too old")
    home = place / "home"
    home.mkdir(mode=0o700)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    # Of the package only what the server needs: that Python has none of our dependencies.
    source = Path(graphile_worker.embedded.__file__).parent
    (home / "graphile_worker").mkdir(mode=0o755)
    (home / "graphile_worker" / "__init__.py").touch()
    shutil.copy(source.parent / "errors.py", home / "graphile_worker")
    shutil.copytree(source, home / "graphile_worker" / "embedded")
    subprocess.run(["chown", "-R", f"{nobody.pw_uid}:{nobody.pw_gid}", home], check=True)
    binaries = find_binaries()
    if not Account(nobody.pw_uid, nobody.pw_gid).can_reach(binaries.folder / "postgres"):
        pytest.skip("our PostgreSQL lies where nobody else can run it")
    environment = {"HOME": str(home), "TMPDIR": os.environ["TMPDIR"], "PYTHONPATH": str(home)}
    environment["GRAPHILE_WORKER_PG_BIN"] = str(binaries.folder)
    user = program(
        "embedded:",
        python="/usr/bin/python3",
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        cwd=home,
        env=environment,
    )
    url, folder = user.told()
    assert folder == home / ".graphile-worker" / "pg"
    assert postmaster_of(folder).uids().real == nobody.pw_uid
    assert asyncio.run(query(url, "select 1")) == 1
    user.end()
    eventually(lambda: not processes_of(folder))


def test_root_without_another_user_is_told_to_make_one(monkeypatch):
    def unknown(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("pwd.getpwnam", unknown)
    with pytest.raises(ConfigurationError, match="no user 'postgres' or 'nobody'"):
        server_account()


def test_an_account_reaches_what_every_folder_above_lets_it_pass(place):
    (place / "a" / "b").mkdir(parents=True)
    owner = Account(os.geteuid(), os.getegid())
    group, other = Account(54321, os.getegid()), Account(54321, 54321)
    reached = {}
    for mode in (0o700, 0o710, 0o701, 0o755):
        (place / "a").chmod(mode)
        reached[mode] = [each.can_reach(place / "a" / "b" / "c") for each in (owner, group, other)]
    assert reached == {
        0o700: [True, False, False],
        0o710: [True, True, False],
        0o701: [True, False, True],
        0o755: [True, True, True],
    }
