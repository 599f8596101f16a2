"""Starting an embedded PostgreSQL, or joining one that runs."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from graphile_worker.embedded.account import reachable_binaries
from graphile_worker.embedded.binaries import VARIABLE, Binaries, find_binaries
from graphile_worker.errors import ConfigurationError, DatabaseError

if sys.platform != "win32":
    from graphile_worker.embedded import reaper
    from graphile_worker.embedded.folder import (
        Place,
        find_place,
        forget,
        parse_url,
        socket_folder,
        starting,
    )

SCHEME = "embedded:"

_CLOSE_SECONDS = 5.0
_logger = logging.getLogger(__name__)


def is_embedded_url(url: str) -> bool:
    """Whether a database URL asks for an embedded server, in whatever form."""
    return url[: len(SCHEME)].lower() == SCHEME


class EmbeddedPostgres:
    """An embedded server that this program uses, started or joined.

    The server runs as long as any program uses it, and that needs no clean end: this program's
    exit, of whatever kind, counts as `close`. It may be kept for the life of the program.

    Example:
        with EmbeddedPostgres.start("embedded:?temporary") as server:
            print(server.url)

    Attributes:
        folder: where the data, the log and the locks are.
    """

    def __init__(self, *, folder: Path, sockets: Path, users: int, private: bool) -> None:
        self.folder = folder
        self._sockets = sockets
        self._users: int | None = users
        self._private = private

    @classmethod
    def start(cls, url: str = "embedded:?temporary") -> Self:
        """Start the server, or join the one that runs in this folder.

        Blocks: about half a second for a first start, 0.1 s for a later one, next to nothing to
        join. In a coroutine: `await asyncio.to_thread(EmbeddedPostgres.start, url)`.

        Raises:
            ConfigurationError: the URL, the folder or the system does not do.
            MissingDependencyError: there is no PostgreSQL on this machine.
            DatabaseError: PostgreSQL was started and gave up; the text has its reason.
        """
        if sys.platform == "win32":
            raise ConfigurationError(
                "embedded PostgreSQL does not run on Windows; give the URL of a server"
            )
        if not is_embedded_url(url):
            raise ConfigurationError(f"{url!r} does not start with {SCHEME!r}")
        asked = parse_url(url)
        try:
            place = find_place(asked)
            with starting(place) as users:
                sockets = _join_or_launch(place)
        except OSError as error:
            raise ConfigurationError(
                f"an embedded database cannot be kept there: {error}"
            ) from error
        private = asked.folder is None
        return cls(folder=place.folder, sockets=sockets, users=users, private=private)

    @property
    def url(self) -> str:
        """A libpq URL of the database `postgres`, through a socket that only we may use."""
        return self.database_url("postgres")

    def database_url(self, database: str) -> str:
        """The URL of another database of this server, which need not exist yet."""
        host = quote(str(self._sockets), safe="/")
        return f"postgresql://postgres@/{quote(database, safe='')}?host={host}&port={reaper.PORT}"

    def close(self) -> None:
        """Stop using the server, which ends soon after its last user; safe to call twice.

        One in a folder of our own choice, which nobody can share, is gone when this returns, unless
        a forked child still keeps it.
        """
        users, self._users = self._users, None
        if users is None:
            return
        os.close(users)  # not LOCK_UN, which would release it for a forked parent as well
        deadline = time.monotonic() + _CLOSE_SECONDS
        while self._private and self.folder.exists() and time.monotonic() < deadline:
            time.sleep(0.005)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _join_or_launch(place: Place) -> Path:
    """The folder of the server's socket. Whoever gets the reaper's lock has to start a reaper."""
    lock = reaper.open_lock(place.folder / reaper.REAPER_LOCK)
    try:
        while not reaper.try_lock(lock):
            if sockets := socket_folder(place.folder):
                return _usable(sockets)
            time.sleep(0.01)  # the starter was killed; its reaper goes on, and will be ready
        forget(place.folder)
        return _launch(place, lock)
    finally:
        os.close(lock)


def _usable(sockets: Path) -> Path:
    if not os.access(sockets, os.X_OK):
        raise ConfigurationError(
            "the embedded server of this folder runs for another user; run this program as that "
            "user, or name another folder"
        )
    return sockets


def _launch(place: Place, lock: int) -> Path:
    """Start a reaper, which inherits its lock, and wait for its word."""
    if place.temporary and (place.folder / reaper.DATA).exists():
        raise ConfigurationError(
            f"{place.folder} holds data that was to be kept; name another folder, or leave out "
            "'?temporary'"
        )
    binaries = find_binaries()
    _check_version(place.folder / reaper.DATA, binaries)
    order = reaper.Order(
        folder=str(place.folder),
        binaries=str(reachable_binaries(binaries, place.account).folder),
        sockets=str(place.sockets),
        account=(place.account.uid, place.account.gid) if place.account else None,
        temporary=place.temporary,
    )
    with subprocess.Popen(  # noqa: S603 (our own script)
        [sys.executable, "-I", "-S", reaper.__file__, json.dumps(order)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        start_new_session=True,  # out of reach of the terminal's Ctrl-C
        pass_fds=(lock,),
    ) as process:
        answer = process.communicate()[0]
    sockets = socket_folder(place.folder)
    if not sockets:
        raise DatabaseError(_failure(place, answer))
    _logger.info(
        "embedded PostgreSQL started",
        extra={"folder": str(place.folder), "version": binaries.version},
    )
    return sockets


def _failure(place: Place, answer: str) -> str:
    """One line: the reaper's reason, or the last line of what it printed as it fell."""
    said = answer.strip().splitlines() or ["its owner process ended without a word"]
    log = place.folder / reaper.LOG
    more = f" (log: {log})" if (place.folder / reaper.DATA).exists() and log.exists() else ""
    return f"the embedded PostgreSQL did not start: {said[-1]}{more}"


def _check_version(data: Path, binaries: Binaries) -> None:
    """PostgreSQL cannot read the data of another major version, and says so less helpfully."""
    try:
        written_by = int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return
    if written_by != binaries.major:
        raise ConfigurationError(
            f"the data in {data} is of PostgreSQL {written_by}, and {binaries.folder} has "
            f"{binaries.version}: set {VARIABLE} to the programs of a PostgreSQL {written_by}, "
            "or name another folder"
        )
