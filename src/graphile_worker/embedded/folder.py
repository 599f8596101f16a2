"""The folder of an embedded server: which one a URL means, making it, and taking it back."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from graphile_worker.embedded import account as accounts
from graphile_worker.embedded import reaper
from graphile_worker.embedded.account import Account, server_account
from graphile_worker.embedded.throwaway import throwaway_folder
from graphile_worker.errors import ConfigurationError

DEFAULT = Path(".graphile-worker", "pg")
TEMPORARY_PREFIX = "gw-pg-data-"

_OURS = frozenset(
    {
        reaper.START_LOCK,
        reaper.USERS_LOCK,
        reaper.REAPER_LOCK,
        reaper.SERVER_LOCK,
        reaper.RECORD,
        reaper.RECORD + ".new",
        reaper.LOG,
        reaper.DATA,
        reaper.UNFINISHED,
    }
)
_PARENT_BYTES = 103 - len("/gw-pg-12345678/.s.PGSQL.5432")
"""The path of a socket may have 107 bytes on Linux and 103 on macOS."""

_ABANDONED_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server lives, and whose it is.

    Attributes:
        folder: absolute and resolved.
        account: the system user PostgreSQL runs as; None for ours.
        sockets: the folder to make socket folders in, with a short path.
        temporary: the folder is thrown away with the server.
    """

    folder: Path
    account: Account | None
    sockets: Path
    temporary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a URL says.

    Attributes:
        folder: absolute; None for one of our own choice.
        temporary: the folder is to be thrown away after its last user.
    """

    folder: Path | None
    temporary: bool


def parse_url(url: str) -> Asked:
    """Read the part after `embedded:`.

    Raises:
        ConfigurationError: the URL has none of the forms there are.
    """
    rest, mark, option = url.partition(":")[2].partition("?")
    path = unquote(rest.removeprefix("//"))
    is_path = rest.startswith("///") and path.strip("/") and "#" not in rest and "\0" not in path
    if (rest and not is_path) or (mark and option != "temporary"):
        raise ConfigurationError(
            f"{url!r} is none of 'embedded:', 'embedded:///absolute/path' and either of them with "
            "'?temporary'"
        )
    if rest:
        return Asked(folder=Path(path), temporary=bool(mark))
    return Asked(folder=None if mark else Path.cwd() / DEFAULT, temporary=bool(mark))


def find_place(asked: Asked) -> Place:
    """Choose the folder; one of our own choice is made, one that is asked for is not yet.

    Raises:
        ConfigurationError: there is no folder for sockets, or no account, that would do.
        OSError: the folder cannot be.
    """
    if asked.folder is None:
        account = server_account()
        sockets = _short_folder(account)
        parent = throwaway_folder()
        if account and not account.can_reach(parent):
            parent = sockets
        for each in {parent, sockets}:
            _remove_abandoned(each)
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=parent))
        if account:
            folder.chmod(0o711)
    else:
        folder = _refuse_file(asked.folder.resolve())
        account = server_account(folder / reaper.DATA)
        if account and not account.can_reach(folder):
            folder = _substitute(folder)
            account = server_account(folder / reaper.DATA)
        sockets = _short_folder(account)
    return Place(folder=folder, account=account, sockets=sockets, temporary=asked.temporary)


@contextlib.contextmanager
def starting(place: Place) -> Generator[int]:
    """Become a user of the folder, and hold its start lock while the context is open.

    Gives the descriptor that makes us a user. From then on a server that runs, or starts, does not
    go away; the caller keeps it open as long. If the start fails it is closed, and what was made
    is removed.

    Raises:
        ConfigurationError: the folder is used for something else.
        OSError: it cannot be made, or not be used by us.
    """
    users = None
    while users is None:
        made = _make(place)
        with contextlib.ExitStack() as held:
            users = _take_locks(place.folder, held)
            if users is None:
                continue
            had_data = (place.folder / reaper.DATA).exists()
            try:
                yield users
            except BaseException as error:
                os.close(users)
                if isinstance(error, Exception) and not had_data:
                    _take_back(place, made)
                raise


def _take_locks(folder: Path, held: contextlib.ExitStack) -> int | None:
    """Wait for both locks; None if the folder they were in has been removed meanwhile."""
    try:
        start = reaper.open_lock(folder / reaper.START_LOCK)
        held.callback(os.close, start)
        fcntl.flock(start, fcntl.LOCK_EX)
        users = reaper.open_lock(folder / reaper.USERS_LOCK)
    except FileNotFoundError:
        return None
    fcntl.flock(users, fcntl.LOCK_SH)  # waits while a reaper is stopping its server
    if _is_still_there(folder / reaper.START_LOCK, start):
        return users
    os.close(users)
    return None


def socket_folder(folder: Path) -> Path | None:
    """Where the server of this folder has its socket; None when it is not ready yet."""
    try:
        record = json.loads((folder / reaper.RECORD).read_text())
    except FileNotFoundError:
        return None
    return Path(record["sockets"])


def forget(folder: Path) -> None:
    """Remove what a killed reaper could not remove; call it with the reaper's lock held."""
    if sockets := socket_folder(folder):
        reaper.remove_sockets(sockets)
    (folder / reaper.RECORD).unlink(missing_ok=True)


def _refuse_file(folder: Path) -> Path:
    """A file on the way would look like a folder that is closed to the server."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(nearest))
    return folder


def _short_folder(account: Account | None) -> Path:
    """A folder for temporary files that a socket's path has room in, and the server can reach."""
    for name in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 (mkdtemp makes private ones in it)
        folder = Path(name).resolve()
        fits = len(os.fsencode(folder)) <= _PARENT_BYTES and not set(',"') & set(str(folder))
        if fits and (account is None or account.can_reach(folder)):
            return folder
    raise ConfigurationError(
        f"no folder for the socket of the embedded server: {tempfile.gettempdir()} has too long "
        "a path, or the server's user cannot reach it; set TMPDIR to another folder"
    )


def _substitute(folder: Path) -> Path:
    """The one place that stands for a folder the server's account cannot reach."""
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return accounts.STATE / f"{folder.name}-{digest}"


def _make(place: Place) -> Path | None:
    """Make the folder; returns the topmost folder that was not there before."""
    _refuse_foreign(place.folder)
    missing = [path for path in (place.folder, *place.folder.parents) if not path.exists()]
    if place.folder.parent == accounts.STATE:
        accounts.make_state_folder()
    for path in reversed(missing):
        path.mkdir(mode=0o711 if place.account else 0o700, exist_ok=True)
        if place.account:
            path.chmod(0o711)  # whatever the umask: the server's account passes through it
        if path.name == DEFAULT.parts[0]:
            (path / ".gitignore").write_text("*\n")
    if place.temporary:
        return place.folder
    return missing[-1] if missing else None


def _refuse_foreign(folder: Path) -> None:
    """Never take over a folder that holds other things, least of all somebody's cluster."""
    if (folder / reaper.DATA / "PG_VERSION").exists():
        return
    names = set[str]()
    with contextlib.suppress(FileNotFoundError):
        names = {path.name for path in folder.iterdir()}
    if names - _OURS:
        raise ConfigurationError(
            f"{folder} is not empty and holds no embedded server; name another folder"
        )


def _is_still_there(path: Path, descriptor: int) -> bool:
    """Whether a lock file was not removed, nor replaced, while we waited for it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _take_back(place: Place, made: Path | None) -> None:
    if (place.folder / reaper.DATA).exists() and not place.temporary:
        return
    if made:
        shutil.rmtree(made, ignore_errors=True)
        return
    for name in _OURS:
        (place.folder / name).unlink(missing_ok=True)


def _remove_abandoned(parent: Path) -> None:
    """Remove our temporary folders whose reaper was killed, so that nothing piles up."""
    for folder in parent.glob(TEMPORARY_PREFIX + "*"):
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
            status = folder.stat()
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _ABANDONED_SECONDS:
                continue
            for name in (reaper.REAPER_LOCK, reaper.SERVER_LOCK):
                lock = reaper.open_lock(folder / name)
                stack.callback(os.close, lock)
                if not reaper.try_lock(lock):
                    break
            else:
                forget(folder)
                shutil.rmtree(folder, ignore_errors=True)
