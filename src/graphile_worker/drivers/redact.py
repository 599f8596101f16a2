"""Connection strings without their secrets, for logs and errors.

Written for strings that may be wrong: a '/' or '?' that somebody forgot to encode in a password
must not let the rest of it through. Where it is not clear what is what, all of it is hidden.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

HIDDEN: Final = "***"

_SHOWN: Final = frozenset(
    {
        *("host", "hostaddr", "port", "dbname", "database", "user", "service", "servicefile"),
        *("passfile", "options", "application_name", "fallback_application_name"),
        *("connect_timeout", "target_session_attrs", "load_balance_hosts", "client_encoding"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
        *("tcp_user_timeout", "ssl", "sslmode", "sslnegotiation", "sslcert", "sslkey"),
        *("sslrootcert", "sslcrl", "channel_binding", "gssencmode", "require_auth", "requirepeer"),
        "temporary",
    }
)
"""Keys whose values are no secret; a key that is not here may be a misspelt `password`."""

_SECRET: Final = frozenset({"password", "sslpassword"})

_HOST: Final = re.compile(r"(?:\[[^\[\]]*\]|[^\[\]:@]*)(?::\d*)?")


def redact(text: str) -> str:
    """The connection string with every password replaced by `***`."""
    scheme, separator, rest = text.partition("://")
    if separator and re.fullmatch(r"[A-Za-z][\w+.-]*", scheme):
        return f"{scheme}://{_url(rest)}"
    if "=" in text:
        return _keywords(text)
    # A URL whose scheme was forgotten, perhaps.
    return f"{HIDDEN}{text[text.rindex('@') :]}" if "@" in text else text


def _url(rest: str) -> str:
    location, mark, query = rest.partition("?")
    if "@" in query:
        return HIDDEN  # the '?' may stand inside a password
    pairs = [part.partition("=") for part in query.split("&")] if mark else []
    if not all(unquote(key) in _SHOWN | _SECRET for key, _, _ in pairs):
        return f"{_location(location)}?{HIDDEN}"
    shown = "&".join(
        f"{key}={HIDDEN if unquote(key) in _SECRET else value}" for key, _, value in pairs
    )
    return f"{_location(location)}{mark}{shown}"


def _location(text: str) -> str:
    """`user:password@host:port/database`; the last '@' ends the password, wherever it stands."""
    login, at, rest = text.rpartition("@")
    authority, slash, database = rest.partition("/")
    if not all(_HOST.fullmatch(host) for host in authority.split(",")):
        authority = HIDDEN
    user = re.split(r"[:/?#@]", login, maxsplit=1)[0]
    if user != login:
        user = f"{user}:{HIDDEN}"
    return f"{user}{at}{authority}{slash}{database}"


def _keywords(text: str) -> str:
    """Words up to the first that is not plainly `key=value` with a key that may be shown."""
    words: list[str] = []
    for word in text.split():
        key, separator, value = word.partition("=")
        if not separator or key not in _SHOWN or re.search(r"['\\]", value):
            words.append(f"{key}={HIDDEN}" if separator and key.isidentifier() else HIDDEN)
            break
        words.append(word)
    return " ".join(words)
