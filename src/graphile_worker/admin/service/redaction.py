"""Payloads and errors without their secrets; JSON part by part, so that its text stays so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

HIDDEN: Final = "[redacted]"

SECRETS: Final = frozenset(
    {"password", "passwd", "passphrase", "secret", "token", "authorization", "apikey", "privatekey"}
    | {"credential", "accesskey", "sessionid"}
)
"""Names that hide a value wherever they stand in its key."""
WORDS: Final = frozenset(
    {"auth", "bearer", "card", "cookie", "cvc", "cvv", "iban", "jwt", "otp", "pan", "pin", "pwd"}
    | {"ssn", "signature"}
)
"""Names that hide a value where they are a whole word of its key: `card_number`, not `discard`."""

_FAULTS: Final = frozenset(
    {
        "declined",
        "denied",
        "error",
        "exception",
        "exceeded",
        "expired",
        "failed",
        "failure",
        "fault",
    }
    | {"found", "invalid", "mismatch", "missing", "refused", "rejected", "required", "timeout"}
)
"""What the names of errors end with: `CardDeclined: insufficient funds` hides nothing."""

# Texts are cut before they come here: what a quote opens may be closed by the end.
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[{}\[\],:]|[^\s{}\[\],:"]+|\s+', re.DOTALL)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LOGIN: Final = re.compile(
    r"(://[^\s:/@\[]{0,200}:)(?:[^\s@/]{1,500}(?=@)|(?!\d{1,5}\W*\Z)[^\s@/]{1,500}\Z)"
)
_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")

# Whatever may be long is matched possessively: no text takes longer than its length allows.
_PAIR: Final = re.compile(
    r"""(?<![\w-])(?P<key>[\w-]{2,}+)(?P<between>(?:\\*+["'])?\s{0,3}(?:=>|[=:])\s{0,3})"""
    r"""(?P<value>[bB]?(?P<escapes>\\*+)(?P<quote>["'])|"""
    r"""(?:(?:Bearer|Basic)\s+)?(?:[^\s,;&)\]}"'\\]|\\++(?!["']))++)"""
)
"""As `password=x`, `"token": "x"`, `api_key: x`, and the same where JSON was quoted once more:
`\"token\": \"x\"`. Of a value in quotes this is the beginning."""
_QUOTES: Final = {quote: re.compile(rf"(?<!\\)(\\*+){quote}") for quote in "\"'"}
_HOLDS_JSON: Final = re.compile(r"""(?:\s|\\+[nrt]|\\*+["'])*+[{\[]""")


@dataclass(frozen=True, slots=True)
class Shown:
    """A text that may be shown.

    Attributes:
        text: without secrets.
        hidden: how many values were taken out.
        is_cut: whether there is more than this.
    """

    text: str
    hidden: int = 0
    is_cut: bool = False


class Redactor:
    """Takes out what stands under names that sound like secrets.

    Args:
        names: more names, which hide wherever they stand in a key, whatever its case, underscores
            and dashes.
        enabled: False shows everything.
    """

    def __init__(self, names: Iterable[str] = (), *, enabled: bool = True) -> None:
        self._secrets = SECRETS | {_squeezed(name) for name in names if _squeezed(name)}
        self._enabled = enabled

    @property
    def shows_all(self) -> bool:
        """Whether nothing is taken out."""
        return not self._enabled

    def unless(self, *, reveal: bool) -> Redactor:
        """This one, or, for who may see secrets and wants to, one that shows everything."""
        return Redactor(enabled=False) if reveal else self

    def is_secret(self, key: str) -> bool:
        """Whether the value of this key is not for everybody."""
        if not self._enabled:
            return False
        squeezed = _squeezed(key)
        if any(name in squeezed for name in self._secrets):
            return True
        words = [word.lower() for word in _WORD.findall(key)]
        if key[:1].isupper() and words[-1:] and words[-1] in _FAULTS:
            return False
        return any(word in WORDS or word.removesuffix("s") in WORDS for word in words)

    def json(self, text: str, *, chars: int | None = None, indent: bool = False) -> Shown:
        """JSON, or the beginning of it, without secrets, also of JSON in its texts.

        Args:
            text: as it is stored; where it was cut, what stands open is left open.
            chars: end after so many characters.
            indent: one value a line. Otherwise spaces stay as they are.
        """
        parts: list[str] = []
        length = hidden = 0
        for part, more_hidden in self._parts(text, indent=indent):
            hidden += more_hidden
            parts.append(part)
            length += len(part)
            if chars is not None and length > chars:
                return Shown("".join(parts)[:chars], hidden, is_cut=True)
        return Shown("".join(parts), hidden)

    def error(self, text: str) -> Shown:
        """An error without the values of `password=…`, `"token": "…"` and logins in URLs.

        However often what it quotes was quoted before.
        """
        if not self._enabled:
            return Shown(text)
        text, hidden = _LOGIN.subn(rf"\g<1>{HIDDEN}", text)
        parts: list[str] = []
        end = 0
        while (found := _PAIR.search(text, end)) is not None:
            if self.is_secret(found["key"]):
                parts += [text[end : found.start("value")], HIDDEN]
                end = _end_of_value(text, found)
                hidden += 1
            else:  # what looks like its value may be a pair itself, as in `no: token=x`
                parts.append(text[end : found.start("value")])
                end = found.start("value")
        return Shown("".join([*parts, text[end:]]), hidden)

    def _parts(self, text: str, *, indent: bool) -> Iterator[tuple[str, int]]:
        """The text in parts, each with how many secrets were in its place."""
        scan = _Scan(self, indent=indent)
        return (
            part for found in _TOKEN.finditer(text) if (part := scan.take(found[0])) is not None
        )


class _Scan:
    """Where in a JSON text we are; no stack of Python's, so any depth will do."""

    def __init__(self, redactor: Redactor, *, indent: bool) -> None:
        self._redactor = redactor
        self._indent = indent
        self._open: list[str] = []
        self._key: str | None = None
        self._at_key = False
        self._is_fresh = False
        """Whether the last part opened something."""
        self._skipping = 0

    def take(self, part: str) -> tuple[str, int] | None:  # noqa: PLR0911 (one a kind of part)
        """What stands for a part of the text; None for nothing."""
        if self._skipping:
            self._skipping += (part in "{[") - (part in "}]")
            return None
        if part.isspace():
            return None if self._indent else (part, 0)
        match part:
            case "{" | "[":
                return self._opened(part)
            case "}" | "]":
                return self._closed(part)
            case ",":
                self._key, self._at_key = None, self._open[-1:] == ["{"]
                return part + self._line(), 0
            case ":":
                self._at_key = False
                return (": " if self._indent else part), 0
            case _:
                return self._scalar(part)

    def _opened(self, part: str) -> tuple[str, int]:
        start = self._start()
        if self._hides():
            self._skipping = 1
            return f'{start}"{HIDDEN}"', 1
        self._open.append(part)
        self._key, self._at_key, self._is_fresh = None, part == "{", True
        return start + part, 0

    def _closed(self, part: str) -> tuple[str, int]:
        if self._open:
            self._open.pop()
        start = "" if self._is_fresh else self._line()
        self._key, self._at_key, self._is_fresh = None, False, False
        return start + part, 0

    def _scalar(self, part: str) -> tuple[str, int]:
        start = self._start()
        if self._at_key:
            self._key = _plain(part)
        elif self._hides():
            return f'{start}"{HIDDEN}"', 1
        elif part[0] == '"' and _HOLDS_JSON.match(part, 1):
            text = part[1:].removesuffix('"')  # it may be cut, and have none
            inner = self._redactor.error(text)
            return f'{start}"{inner.text}{part[1 + len(text) :]}', inner.hidden
        return start + part, 0

    def _hides(self) -> bool:
        return self._key is not None and not self._at_key and self._redactor.is_secret(self._key)

    def _start(self) -> str:
        start = self._line() if self._is_fresh else ""
        self._is_fresh = False
        return start

    def _line(self) -> str:
        return "\n" + "  " * len(self._open) if self._indent else ""


def _end_of_value(text: str, found: re.Match[str]) -> int:
    """Where a value ends: at a quote like its own, with as many backslashes before it.

    With more of them it is part of the value. With fewer it ends the text that quotes all this.
    Backslashes at the end of a value may hide more than it, up to the next quote.
    """
    if found["quote"] is None:
        return found.end()
    for end in _QUOTES[found["quote"]].finditer(text, found.end()):
        if len(end[1]) <= len(found["escapes"]):
            return end.end() if end[1] == found["escapes"] else end.start()
    return len(text)


def _plain(part: str) -> str:
    """A key without its quotes, however it is escaped."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), part.strip('"'))


def _squeezed(text: str) -> str:
    return re.sub(r"[\s_.-]", "", text).lower()
