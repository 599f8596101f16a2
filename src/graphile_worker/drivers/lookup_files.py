"""The two files of libpq that fill in what a connection string leaves out.

Both are read as libpq reads them (PostgreSQL documentation, "The Password File", "The Connection
Service File"). Reading text is pure; `read_passfile` looks at the disk.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from pathlib import Path

from graphile_worker.drivers.conninfo import known
from graphile_worker.errors import ConfigurationError
from graphile_worker.runtime.log_fields import log_fields

_log = logging.getLogger(__name__)

_FIELD = r"((?:[^:\\]|\\.)*)"
_PASSFILE_LINE = re.compile(":".join([_FIELD] * 5) + r"\\?(?::|$)")


def password_in(passfile: str, *, host: str, port: int, database: str, user: str) -> str | None:
    """The password of the first line that fits; a `*` fits everything.

    A line is `host:port:database:user:password`; a backslash stands before a ':' or a backslash
    that belongs to the text. A socket's folder may also be called localhost.
    """
    hosts = (host, "localhost") if host.startswith("/") else (host,)
    wanted = (hosts, (str(port),), (database,), (user,))
    for line in passfile.split("\n"):
        found = _PASSFILE_LINE.match(line.rstrip("\r"))
        if found is None or line.startswith("#"):
            continue
        *place, password = (re.sub(r"\\(.)", r"\1", text) for text in found.groups())
        if all(text == "*" or text in fit for text, fit in zip(place, wanted, strict=True)):
            return password
    return None


def read_passfile(path: Path) -> str:
    """The text of a pass file; nothing where there is none, or where others could read it too."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return ""
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            text = "the password file is ignored: others may read it; chmod 600 it"
            log_fields(_log, logging.WARNING, text, fields={"passfile": str(path)})
            return ""
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def service_in(text: str, name: str) -> dict[str, str] | None:
    """The keys of one section of a service file; None when it has no such section.

    Raises:
        ConfigurationError: the section has a line that is not `key=value`, or an unknown key.
    """
    section = None
    pairs: list[tuple[str, str]] | None = None
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if pairs is not None:
                break
            section = line[1:].partition("]")[0]
            pairs = [] if section == name else None
        elif pairs is not None:
            key, separator, value = line.partition("=")
            if not separator or key == "service":
                raise ConfigurationError(f"the service {name!r} has a line that is no key=value")
            pairs.append((key, value))
    return None if pairs is None else known(pairs)
