"""Secrets among the arguments of a command: hidden in what it says, and warned about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphile_worker.drivers.redact import redact

_OPTIONS: Final = ("--database-url", "--direct-database-url")
_LOOKS_SECRET: Final = re.compile(
    r"[a-z][\w+.-]*://[^/\s]*:.*@|\b(?:ssl)?password\s*=", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class SecretsGiven:
    """Connection strings with a password that stand on the command line."""

    options: tuple[str, ...]
    """Options that such a string was given to."""
    strings: tuple[str, ...]
    """All such strings, misplaced ones too."""

    @classmethod
    def among(cls, arguments: Sequence[str]) -> SecretsGiven:
        """Look for them; a misspelt option or a forgotten one must not let them through either."""
        options: list[str] = []
        strings: list[str] = []
        for before, argument in zip(["", *arguments], arguments, strict=False):
            option, _, value = argument.partition("=")
            if option not in _OPTIONS:
                option, value = before, argument
            if option in _OPTIONS and redact(value) != value:
                options.append(option)
                strings.append(value)
            elif _LOOKS_SECRET.search(argument):
                strings += [argument, argument.partition("=")[2] or argument]
        return cls(tuple(dict.fromkeys(options)), tuple(strings))

    def warning(self) -> str | None:
        """What to say to who gave a password; None where nobody did."""
        if not self.options:
            return None
        return (
            f"the password in {' and '.join(self.options)} can be read by everybody who lists the "
            "processes of this machine; give it in DATABASE_URL or a pass file"
        )

    def hide(self, text: str) -> str:
        """A text without them, also where it quotes them."""
        for string in sorted(self.strings, key=len, reverse=True):
            for form in (string, repr(string)[1:-1]):
                text = text.replace(form, redact(string))
        return text
