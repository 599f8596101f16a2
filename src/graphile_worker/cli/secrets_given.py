"""Secrets among the arguments of a command: hidden in what it says, and warned about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from graphile_worker.drivers.redact import HIDDEN, redact

_URLS: Final = dict.fromkeys(
    ("--database-url", "--direct-database-url"), "DATABASE_URL or a pass file"
)
_SECRETS: Final = {
    "--password": "GRAPHILE_WORKER_ADMIN_PASSWORD",
    "--bearer-token": "GRAPHILE_WORKER_ADMIN_BEARER_TOKEN",
    "--header-token": "GRAPHILE_WORKER_ADMIN_HEADER_TOKEN",
}
"""Options whose whole value is a secret."""
_INSTEAD: Final = {**_URLS, **_SECRETS}
"""Option → where its secret is better given."""
_URL: Final = re.compile(r"[a-z][\w+.-]*://[^/\s:]*:(.*)@", re.IGNORECASE)
_KEYWORD: Final = re.compile(r"\b(?:ssl)?password\s*=", re.IGNORECASE)
_SHORTEST: Final = 4
"""A shorter password is hidden with the string around it only: it may be part of any word."""


@dataclass(frozen=True, slots=True)
class SecretsGiven:
    """Connection strings with a password, and secrets of the admin page, on the command line."""

    options: tuple[str, ...]
    """Options that one was given to."""
    replacements: Mapping[str, str]
    """Such strings, misplaced ones too, their passwords, and secrets: what to show instead."""

    @classmethod
    def among(cls, arguments: Sequence[str]) -> SecretsGiven:
        """Look for them; a misspelt option or a forgotten one must not let them through either."""
        options: list[str] = []
        found: dict[str, str] = {}
        for before, argument in zip(["", *arguments], arguments, strict=False):
            option, _, value = argument.partition("=")
            if option not in _INSTEAD:
                option, value = before, argument
            if option in _SECRETS and value:
                options.append(option)
                found[f"{option}={value}"] = f"{option}={HIDDEN}"
                if len(value) >= _SHORTEST:
                    found[value] = HIDDEN
                continue
            is_given = option in _URLS and redact(value) != value
            if is_given:
                options.append(option)
            if is_given or _URL.search(argument) or _KEYWORD.search(argument):
                for text in (argument, argument.partition("=")[2] or argument):
                    found[text] = redact(text)
                found |= dict.fromkeys(_passwords(argument), HIDDEN)
        return cls(tuple(dict.fromkeys(options)), found)

    def warning(self) -> str | None:
        """What to say to who gave a password; None where nobody did."""
        if not self.options:
            return None
        instead = dict.fromkeys(_INSTEAD[option] for option in self.options)
        what = "password" if _SECRETS.keys().isdisjoint(self.options) else "secret"
        return (
            f"the {what} in {' and '.join(self.options)} can be read by everybody who lists the "
            f"processes of this machine; give it in {', and in '.join(instead)}"
        )

    def hide(self, text: str) -> str:
        """A text without them, also where it quotes them."""
        for secret in sorted(self.replacements, key=len, reverse=True):
            for form in (secret, repr(secret)[1:-1]):
                text = text.replace(form, self.replacements[secret])
        return text


def _passwords(argument: str) -> list[str]:
    """The passwords of a URL by themselves: errors may tell pieces of it.

    One that is also a user or a database, as `postgres`, is no secret, and a word of many errors.
    """
    shown = redact(argument)
    found: list[str] = _URL.findall(argument)
    return [text for text in found if len(text) >= _SHORTEST and text not in shown]
