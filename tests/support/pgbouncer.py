"""A PgBouncer in transaction mode, in front of the server of a URL."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from support.eventually import eventually

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pgbouncer(url: str, *, server_connections: int = 2) -> Iterator[str]:
    """The URL that leads to the same database by way of a PgBouncer with few connections."""
    assert PROGRAM is not None
    with tempfile.TemporaryDirectory() as folder:
        yield from _started(PROGRAM, url, Path(folder), server_connections)


def _started(program: str, url: str, folder: Path, server_connections: int) -> Iterator[str]:
    place = psycopg.conninfo.conninfo_to_dict(url)
    port = free_port()
    users = folder / "users.txt"
    users.write_text(f'"{place["user"]}" ""\n')
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"""
        [databases]
        * = host={place["host"]} port={place["port"]} user={place["user"]}
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = {port}
        unix_socket_dir =
        auth_type = trust
        auth_file = {users}
        pool_mode = transaction
        default_pool_size = {server_connections}
        logfile = {folder / "pgbouncer.log"}
        """.replace("        ", "")
    )
    account: dict[str, int] = {}
    if os.geteuid() == 0:  # as which it refuses to run; the server's account reaches the server
        sockets = Path(str(place["host"]))
        sockets.chmod(0o711)
        owner = (sockets / f".s.PGSQL.{place['port']}").stat()
        account = {"user": owner.st_uid, "group": owner.st_gid}
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner.st_uid, owner.st_gid)
    process = subprocess.Popen(
        [program, str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **account
    )
    try:
        eventually(lambda: answers(port, process))
        yield f"postgresql://{place['user']}@127.0.0.1:{port}{urlsplit(url).path}"
    finally:
        process.terminate()
        process.wait(10)


def answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "pgbouncer ended"
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
