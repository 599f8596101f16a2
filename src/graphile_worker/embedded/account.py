"""Who runs the server. PostgreSQL refuses root, so root needs another account for it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from graphile_worker.embedded.binaries import Binaries
from graphile_worker.errors import ConfigurationError

if sys.platform != "win32":
    import pwd

STATE = Path("/var/lib/graphile-worker")
"""Where root keeps what the server's account cannot reach in its own place."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that PostgreSQL is run as when we are root."""

    uid: int
    gid: int

    def can_reach(self, path: Path) -> bool:
        """Whether this user may pass through every folder of a path, and run it if it is a file.

        Looks at the mode bits only: where an access list grants more, we are too careful, and
        keep the data or a copy of the programs in a place of our own.
        """
        resolved = path.resolve()
        return all(self._may_pass(part) for part in (resolved, *resolved.parents) if part.exists())

    def _may_pass(self, path: Path) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def server_account(data: Path | None = None) -> Account | None:
    """The account to run the server as: None means ours, which is right for all but root.

    Data that exists already is served by its owner, as PostgreSQL demands.

    Raises:
        ConfigurationError: we are root, and there is neither a user `postgres` nor `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if data and data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(
        "PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run "
        "the embedded server as; create one of them, or run this program as another user"
    )


def reachable_binaries(binaries: Binaries, account: Account | None) -> Binaries:
    """The same programs where the account can run them: a copy, if they lie in a closed folder.

    The copy is kept for the next start. The folders above the original stay as closed as they are:
    a virtual environment below root's home must not open that home.
    """
    if account is None or account.can_reach(binaries.folder / "postgres"):
        return binaries
    root = _installation(binaries.folder)
    copy = STATE / f"postgresql-{binaries.version}-{_fingerprint(binaries.folder)}"
    try:
        if not copy.exists():
            _copy_installation(root, copy)
    except OSError as error:
        raise ConfigurationError(
            f"the server's user cannot reach {binaries.folder}, and the programs could not be "
            f"copied to {STATE}: {error}"
        ) from error
    return Binaries(copy / binaries.folder.relative_to(root.parent), binaries.version)


def _installation(folder: Path) -> Path:
    """What belongs to the programs: a wheel's package with its libraries, else one prefix.

    Wheels put the libraries into a sibling, `<package>.libs`, and find them by relative path.
    """
    for parent in folder.parents:
        if parent.with_name(parent.name + ".libs").is_dir():
            return parent
    return folder.parent


def _fingerprint(folder: Path) -> str:
    """Changes when the programs do, so that an upgrade is not hidden by an older copy."""
    status = (folder / "postgres").stat()
    seen = f"{folder.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"
    return hashlib.sha256(seen.encode()).hexdigest()[:12]


def _copy_installation(root: Path, copy: Path) -> None:
    """Make the copy under another name first: a half one must never be taken for whole."""
    make_state_folder()
    partial = Path(tempfile.mkdtemp(prefix="copy-", dir=STATE))
    try:
        shutil.copytree(root, partial / root.name, symlinks=True)
        libraries = root.with_name(root.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        _open_to_all(partial)
        try:
            partial.rename(copy)
        except OSError:  # another program was faster, with the same programs
            if not copy.exists():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _open_to_all(folder: Path) -> None:
    """Let everyone read our copy, as an installation is read: root's umask may be a closed one."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if path.is_symlink():
            continue
        runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runs else 0o644)


def make_state_folder() -> None:
    """Create `STATE`, so that the server's account can pass through it."""
    if not STATE.exists():
        STATE.mkdir(parents=True, exist_ok=True)
        STATE.chmod(0o755)
