"""A PgBouncer in transaction mode, in front of the server of a URL."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from support.eventually import eventually

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pgbouncer(url: str, folder: Path, *, server_connections: int = 2) -> Iterator[str]:
    """The URL that leads to the same database by way of a PgBouncer with few connections."""
    assert PROGRAM is not None
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
    command = [PROGRAM, str(config)]
    if os.geteuid() == 0:  # it refuses to run as root
        owner = pwd.getpwnam("nobody")
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        for parent in folder.parents:
            if parent.owner() == "root" and parent.stat().st_mode & 0o077 == 0:
                parent.chmod(0o711)
        command = [*command[:1], "-u", "nobody", *command[1:]]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
