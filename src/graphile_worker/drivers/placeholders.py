"""Our `$1` placeholders, for libraries that write parameters as `%(name)s`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_PLACEHOLDER: Final = re.compile(r"%|\$(\d+)")


@lru_cache(maxsize=1024)
def pyformat(text: str) -> str:
    """The same statement with `%(p1)s` in place of `$1`, and every `%` of its own doubled.

    Statements of ours hold no `$1` within a literal or comment, so that no SQL has to be parsed.
    """
    return _PLACEHOLDER.sub(lambda m: f"%(p{m[1]})s" if m[1] else "%%", text)


def named(args: tuple[object, ...]) -> dict[str, object]:
    """The arguments by the names that `pyformat` gives them."""
    return {f"p{position}": value for position, value in enumerate(args, 1)}
