"""The text of a connection string as keys and values; the two forms of libpq, nothing looked up.

Forms: `postgresql://user:password@host:port,host:port/dbname?key=value` and `host=... user=...`
(PostgreSQL documentation, "Connection Strings"). Errors never repeat a value: it may be, or hold
a piece of, a password.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from graphile_worker.drivers.redact import redact
from graphile_worker.errors import ConfigurationError

VARIABLES: Final[dict[str, str | None]] = {
    "service": "PGSERVICE",
    "servicefile": "PGSERVICEFILE",
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "options": "PGOPTIONS",
    "application_name": "PGAPPNAME",
    "fallback_application_name": None,
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
    "keepalives": None,
    "keepalives_idle": None,
    "keepalives_interval": None,
    "keepalives_count": None,
    "tcp_user_timeout": None,
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslpassword": None,
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "sslcertmode": "PGSSLCERTMODE",
    "sslsni": "PGSSLSNI",
    "sslcompression": "PGSSLCOMPRESSION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "min_protocol_version": "PGMINPROTOCOLVERSION",
    "max_protocol_version": "PGMAXPROTOCOLVERSION",
    "krbsrvname": "PGKRBSRVNAME",
    "gsslib": "PGGSSLIB",
    "gssencmode": "PGGSSENCMODE",
    "gssdelegation": "PGGSSDELEGATION",
    "channel_binding": "PGCHANNELBINDING",
    "require_auth": "PGREQUIREAUTH",
    "requirepeer": "PGREQUIREPEER",
    "client_encoding": "PGCLIENTENCODING",
}
"""Every key that is understood, and the environment variable that stands in for it."""

_ALIASES: Final = {"database": "dbname", "ssl": "sslmode"}

_ELSEWHERE: Final = {
    "pgbouncer": "say prepared_statements=False instead",
    "statement_cache_size": "say prepared_statements=False instead",
    "prepared_statement_cache_size": "say prepared_statements=False instead",
    "schema": "the schema is an option of its own, not a part of the URL",
    "sslcrldir": "name one file with sslcrl instead",
}
"""Keys that other libraries read from a URL, and what to do instead."""

_FORMS: Final = "write postgresql://user@host/database, or host=... dbname=..."
_ENCODE: Final = "in a user name or password, write '@' as %40, ':' as %3A, '/' as %2F, '?' as %3F"


def parse(text: str) -> dict[str, str]:
    """Read either form. A key with an empty value counts as not given, as in libpq.

    Raises:
        ConfigurationError: it is neither form, or has a key nobody knows.
    """
    text = text.strip()
    if not text:
        raise ConfigurationError(f"the database URL is empty; {_FORMS}")
    if "\0" in text:
        raise ConfigurationError("the database URL contains a NUL character")
    scheme, separator, rest = text.partition("://")
    if separator and re.fullmatch(r"[A-Za-z][\w+.-]*", scheme):
        if scheme.partition("+")[0] not in {"postgresql", "postgres"}:
            raise ConfigurationError(f"{scheme!r} URLs are not for PostgreSQL; {_FORMS}")
        pairs = _url(rest)
    elif "=" in text:
        pairs = _keywords(text)
    else:
        raise ConfigurationError(f"{redact(text)!r} is not a PostgreSQL URL; {_FORMS}")
    return known(pairs)


def known(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The pairs with the spellings of others translated; later ones win, empty ones go.

    Raises:
        ConfigurationError: a key nobody knows.
    """
    values: dict[str, str] = {}
    for name, value in pairs:
        key = _ALIASES.get(name, name)
        if key not in VARIABLES:
            raise _unknown(name)
        # JDBC says ssl=true.
        values[key] = "require" if name == "ssl" and value.lower() == "true" else value
    return {key: value for key, value in values.items() if value}


def _unknown(key: str) -> ConfigurationError:
    if not re.fullmatch(r"[\w.-]{1,63}", key):
        return ConfigurationError(f"the database URL has a part that is no key=value; {_ENCODE}")
    if key in _ELSEWHERE:
        return ConfigurationError(f"the database URL has the key {key!r}; {_ELSEWHERE[key]}")
    from difflib import get_close_matches  # noqa: PLC0415 (for this error alone)

    close = get_close_matches(key, VARIABLES, n=3)
    advice = (
        f"did you mean {' or '.join(close)}?"
        if close
        else f"a setting of the server is written options=-c%20{key}%3D..."
    )
    return ConfigurationError(f"the database URL has an unknown key {key!r}; {advice}")


def _url(rest: str) -> list[tuple[str, str]]:
    """What follows the `://`."""
    location, _, query = rest.partition("?")
    authority, _, dbname = location.partition("/")
    # Host names hold no '@', so the last one ends the password even where it was not encoded.
    login, _, hosts = authority.rpartition("@")
    if not login and "@" in dbname:
        raise ConfigurationError(f"the database URL's host and port cannot be read; {_ENCODE}")
    user, _, password = login.partition(":")
    host, port = _hosts(hosts)
    pairs = [
        ("user", _decoded(user)),
        ("password", _decoded(password)),
        ("host", host),
        ("port", port),
        ("dbname", _decoded(dbname)),
    ]
    for part in filter(None, query.split("&")):
        key, separator, value = part.partition("=")
        if not separator:
            raise ConfigurationError(f"the database URL has a part that is no key=value; {_ENCODE}")
        pairs.append((_decoded(key), _decoded(value)))
    return pairs


def _hosts(text: str) -> tuple[str, str]:
    """`a:1,b:2` as the two lists that the keys host and port hold: `a,b` and `1,2`."""
    hosts: list[str] = []
    ports: list[str] = []
    for part in text.split(","):
        found = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^\[\]:]*))(?::(\d*))?", part)
        if found is None:
            raise ConfigurationError(
                "the database URL's host and port cannot be read: a port is a number, an IPv6 "
                f"address stands in brackets; {_ENCODE}"
            )
        hosts.append(_decoded(found[1] or found[2] or ""))
        ports.append(found[3] or "")
    # An empty list means: not given; but in a list of several, an empty place is a default.
    return _joined(hosts), _joined(ports)


def _joined(parts: list[str]) -> str:
    return ",".join(parts) if any(parts) else ""


def _decoded(text: str) -> str:
    """Percent-decoding, strict as libpq's; a plus stays a plus."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ConfigurationError(
            "the database URL has a '%' that is not followed by two hex digits"
        )
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise ConfigurationError("the database URL has a %-sequence that is not UTF-8") from None
    if "\0" in decoded:
        raise ConfigurationError("the database URL must not contain %00")
    return decoded


_PAIR: Final = re.compile(
    r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'(?=\s|$)|((?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*)?)(?=\s|$)",
    re.DOTALL,
)


def _keywords(text: str) -> list[tuple[str, str]]:
    """`key=value` words; quotes around values with spaces, a backslash before quotes in them."""
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        found = _PAIR.match(text, position)
        if found is None:
            raise ConfigurationError(
                "the connection string cannot be read: a value with spaces needs quotes, as in "
                "password='two words', and a quote or backslash in it a backslash before it"
            )
        value = found[2] if found[2] is not None else found[3] or ""
        pairs.append((found[1], re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)))
        position = found.end()
    return pairs
