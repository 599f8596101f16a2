"""Which kind of thing a caller hands us, found out without importing any library.

Whoever holds a psycopg connection has psycopg in `sys.modules`; a class of a module that is not
there cannot be the class of anything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """One kind of thing, and what becomes of it.

    Attributes:
        called: what it is called in errors.
        module: where its class is defined, or imported to.
        name: its class; subclasses are of the kind too.
        make: imports the adapter and makes one.
    """

    called: str
    module: str
    name: str
    make: Callable[[Any], T_co]

    def includes(self, thing: object) -> bool:
        """Whether the thing is of this kind."""
        found = getattr(sys.modules.get(self.module), self.name, None)
        return isinstance(found, type) and isinstance(thing, found)


def kind_of(thing: object, kinds: Iterable[Kind[T_co]]) -> Kind[T_co] | None:
    """The first kind that includes the thing."""
    return next((kind for kind in kinds if kind.includes(thing)), None)


def listed(kinds: Iterable[Kind[Any]]) -> str:
    """The kinds by name, for an error."""
    return ", ".join(dict.fromkeys(kind.called for kind in kinds))


def type_name(thing: object) -> str:
    """The type of a thing, with its module: several libraries have a `Connection`."""
    kind = type(thing)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"
