"""Which options somebody said, and which are left to their defaults."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, TypeVar

C = TypeVar("C")

GIVEN = "_given"
"""The pseudo-field that carries them from an object to its variants."""


def remembers_given(options: type[C]) -> type[C]:
    """Let a dataclass know the keywords it was made with; to be put above `@dataclass`.

    A class that has the `InitVar` `_given` gets the names in its `__post_init__`. What
    `dataclasses.replace` changes counts as said too, unless it is the default that was there.
    """
    init = options.__init__

    @functools.wraps(init)
    def remembering(self: Any, *arguments: Any, **keywords: Any) -> None:
        before = keywords.pop(GIVEN, None)
        said = frozenset(keywords) if before is None else before | not_default(self, keywords)
        init(self, *arguments, **keywords, **{GIVEN: said})

    options.__init__ = remembering  # type: ignore[method-assign]
    return options


def not_default(options: Any, values: Mapping[str, Any]) -> frozenset[str]:
    """The fields that are not as they would be by themselves.

    All that can be told of a variant, since `replace` hands over every field, and of a subclass
    that is a dataclass of its own.
    """
    return frozenset(
        field.name
        for field in dataclasses.fields(options)
        if field.name in values and not _is_default(field, values[field.name])
    )


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    # Objects of the user's may compare in any way; those with a default of None are never asked.
    return value is field.default if field.default is None else bool(value == field.default)
