"""The process that owns one embedded server, and ends it when its last user is gone.

Run as a script, `python -I -S reaper.py ORDER`, so that it starts in milliseconds; it imports the
standard library only, and nothing of this package. That is why the names of the files in the
folder are defined here. It holds `reaper.lock`, which the starter took and passed on, from before
its first instruction: no other program can take the folder for a free one meanwhile.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import NoReturn, TypedDict

if sys.platform != "win32":
    import fcntl

START_LOCK = "start.lock"
USERS_LOCK = "users.lock"
REAPER_LOCK = "reaper.lock"
SERVER_LOCK = "server.lock"
RECORD = "server.json"
LOG = "postgres.log"
DATA = "data"
UNFINISHED = "data.new"

PORT = 5432
"""Part of the socket's name only: there is no TCP."""

SOCKET_PREFIX = "gw-pg-"

_START_SECONDS = 120.0
_LINGER_SECONDS = 0.3
_STOP = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
_PR_SET_PDEATHSIG = 1


class Order(TypedDict):
    """What the starter asks for.

    Attributes:
        folder: where the locks, the log and the data are.
        binaries: the folder of `initdb` and `postgres`.
        sockets: the folder to make the folder of the socket in.
        account: user and group to run PostgreSQL as; null for our own.
        temporary: the data need not survive the last user, nor a crash.
    """

    folder: str
    binaries: str
    sockets: str
    account: tuple[int, int] | None
    temporary: bool


class StartError(Exception):
    """The server did not start; the text is for the user."""


def open_lock(path: Path) -> int:
    """Open a lock file, creating it for the folder's owner; the caller closes the descriptor."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:  # in a user's folder that user must be able to lock it, too
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def try_lock(descriptor: int) -> bool:
    """Take the lock alone if nobody has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove_sockets(folder: Path) -> None:
    """Remove a socket folder and what PostgreSQL makes in one, and nothing else."""
    with contextlib.suppress(OSError):
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def main() -> NoReturn:
    """Leave the starter's process tree, then serve."""
    order: Order = json.loads(sys.argv[1])
    if os.fork():
        os._exit(0)  # the starter waits for this; the reaper itself belongs to nobody
    _shield()
    Reaper(order).run()
    sys.exit(0)


def _shield() -> None:
    """Only the last user's end ends us: a signal to a whole terminal or service is for the users.

    They may want the database for their own orderly end. Signals that the starter had blocked or
    ignored would otherwise stay so here, and in PostgreSQL.
    """
    os.umask(0o077)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave_it)  # unlike SIG_IGN, a handler does not outlive an exec


def _leave_it(_number: int, _frame: object) -> None:
    """The handler for signals that are not for us."""


class Reaper:
    """One server from its start to its end."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._folder = Path(order["folder"])
        self._data = self._folder / DATA
        self._users = open_lock(self._folder / USERS_LOCK)
        self._server = open_lock(self._folder / SERVER_LOCK)
        self._sockets: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Start, answer, wait, stop. Whatever happens, nothing temporary is left."""
        try:
            process = self._start()
        except (StartError, OSError, subprocess.SubprocessError) as error:
            print(error)  # noqa: T201 (the starter reads it)
            self._clean_up()
            return
        try:
            _hang_up()
            Thread(target=self._stop_when_unused, args=(process,), daemon=True).start()
            process.wait()  # ends after its last user, or by itself
        finally:
            self._clean_up()

    def _start(self) -> subprocess.Popen[bytes]:
        if not try_lock(self._server):
            self._end_orphan()
        if not self._data.exists():
            self._initialise()
        self._drop_foreign_pid()
        self._sockets = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=self._order["sockets"]))
        self._give_away(self._sockets)
        process = self._process = self._launch(self._sockets)
        self._await_ready(process)
        if self._order["account"]:
            # The server has its socket; from here on only root can go to it. Other programs of
            # the account (`nobody` has many) could have been superusers of this database.
            os.chown(self._sockets, 0, 0)
        self._publish(self._sockets)
        return process

    def _end_orphan(self) -> None:
        """Stop a server whose reaper was killed. The lock says that it lives, so its pid is right.

        On Linux it is on its way out already: the kernel told it of the reaper's death.
        """
        for number, seconds in _STOP:
            with contextlib.suppress(OSError, IndexError, ValueError):
                os.kill(int(self._pid_file()[0]), number)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if try_lock(self._server):
                    return
                time.sleep(0.01)
        raise StartError("a server whose owner was killed still runs there, and does not stop")

    def _initialise(self) -> None:
        """Make the data under another name first: an interrupted initdb must not pass for data."""
        unfinished = self._folder / UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._give_away(unfinished)
        command = [self._program("initdb"), "-D", str(unfinished), "-U", "postgres"]
        command += ["-A", "trust", "-E", "UTF8", "--locale=C"]
        if self._order["temporary"]:
            command.append("--no-sync")
        if self._spawn(command).wait(_START_SECONDS):
            raise StartError(self._last_word())
        unfinished.rename(self._data)

    def _drop_foreign_pid(self) -> None:
        """Remove a stale `postmaster.pid` whose number now belongs to some other program.

        PostgreSQL would wait for that program's end. In a container, where every start counts
        from 1 again, that is what happens after a crash.
        """
        with contextlib.suppress(OSError, IndexError):
            name = Path("/proc", self._pid_file()[0].strip(), "comm").read_text().strip()
            if name not in {"postgres", "postmaster"}:
                (self._data / "postmaster.pid").unlink()

    def _launch(self, sockets: Path) -> subprocess.Popen[bytes]:
        command = [self._program("postgres"), "-D", str(self._data), "-p", str(PORT)]
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{sockets}"',
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "logging_collector": "off",
            "log_destination": "stderr",
        }
        if self._order["temporary"]:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return self._spawn(command)

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        user, group = self._order["account"] or (None, None)
        kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
        log = self._folder / LOG
        log.unlink(missing_ok=True)  # a new file: the old one may be another user's
        with log.open("wb") as output:
            return subprocess.Popen(  # noqa: S603 (found by the starter)
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",  # the account may not be able to enter ours
                env={"TZ": "UTC", **{key: os.environ[key] for key in kept if key in os.environ}},
                user=user,
                group=group,
                extra_groups=None if user is None else [],
                pass_fds=(self._server,),
                preexec_fn=_end_with_reaper(os.getpid()),  # noqa: PLW1509 (one thread so far)
            )

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise StartError(self._last_word())
            lines = self._pid_file()
            if lines[:1] == [str(process.pid)] and lines[7:8] and lines[7].strip() == "ready":
                return
            time.sleep(0.005)
        raise StartError(f"it was not ready after {_START_SECONDS:.0f} seconds")

    def _publish(self, sockets: Path) -> None:
        """Tell later starters where the socket is; whole or not at all."""
        partial = self._folder / (RECORD + ".new")
        partial.unlink(missing_ok=True)
        partial.write_text(json.dumps({"sockets": str(sockets)}))
        partial.rename(self._folder / RECORD)

    def _stop_when_unused(self, process: subprocess.Popen[bytes]) -> None:
        unused = False
        while not unused:
            fcntl.flock(self._users, fcntl.LOCK_EX)
            unused = self._order["temporary"] or self._stays_unused()
        _stop(process)

    def _stays_unused(self) -> bool:
        """Wait a moment for the next command of a script, which then need not start a server."""
        fcntl.flock(self._users, fcntl.LOCK_UN)
        time.sleep(_LINGER_SECONDS)
        return try_lock(self._users)

    def _clean_up(self) -> None:
        (self._folder / RECORD).unlink(missing_ok=True)
        if self._process is not None:
            _stop(self._process)
        if self._sockets is not None:
            remove_sockets(self._sockets)
        shutil.rmtree(self._folder / UNFINISHED, ignore_errors=True)
        if self._order["temporary"]:
            self._throw_away()

    def _throw_away(self) -> None:
        """Remove the folder at one stroke: another program may be making it anew already."""
        removed = self._folder.with_name(f"{self._folder.name}.removed-{os.getpid()}")
        try:
            self._folder.rename(removed)
        except OSError:  # a parent that is not ours to change
            removed = self._folder
        shutil.rmtree(removed, ignore_errors=True)

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _last_word(self) -> str:
        """The line of the log that tells why: the last that names an error, else the last."""
        lines = (self._folder / LOG).read_text(errors="replace").splitlines()
        lines = [line.strip() for line in lines if line.strip()] or ["it ended without a word"]
        errors = [
            line for line in lines if any(mark in line for mark in ("error:", "FATAL:", "PANIC:"))
        ]
        return (errors or lines)[-1]

    def _program(self, name: str) -> str:
        return str(Path(self._order["binaries"], name))

    def _give_away(self, folder: Path) -> None:
        if account := self._order["account"]:
            os.chown(folder, *account, follow_symlinks=False)


def _end_with_reaper(reaper: int) -> Callable[[], None] | None:
    """Have the kernel stop PostgreSQL, fast but in order, if this process is killed (Linux)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != reaper:
            os._exit(1)

    return ask_kernel


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number, seconds in _STOP:
        if process.poll() is not None:
            return
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def _hang_up() -> None:
    """Close the pipe to the starter, which waits for its end: the server is ready."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


if __name__ == "__main__":
    main()
