"""Whether a handler would get what a producer gave: `read_back`, for pydantic's types.

pydantic keeps the trees of its types to itself, so values are held against each other along what
they are made of. The declared types are only asked whether they say `Any`: there, whatever could be
written is fine, as long as it does not come back as another value of its own type.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import deque
from collections.abc import Collection, Hashable, Iterator, Mapping
from datetime import UTC, datetime
from typing import (
    Any,
    Literal,
    NamedTuple,
    TypeGuard,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from graphile_worker.errors import PayloadError
from graphile_worker.payloads.faults import child
from graphile_worker.payloads.read_back import has_uncompared_fields, is_same_moment, mismatch
from graphile_worker.payloads.shapes import class_of, is_list, is_mapping

_RECORDS = ("__required_keys__", "_fields", "__attrs_attrs__")  # TypedDict, NamedTuple, attrs
_START = datetime(1, 1, 1, tzinfo=UTC)


class PydanticReadBack:
    """The check of one payload type; what it learns of classes is kept, and lives as long.

    Args:
        declared: the type.
        schema: what pydantic made of it, `TypeAdapter.core_schema`.
    """

    def __init__(self, declared: Any, schema: Any) -> None:
        self._excuse = _excuse(declared)
        self._has_uncompared = any(_may_hide(cls) for cls in _classes(schema, set()))
        self._fields: dict[type, tuple[_Field, ...] | None] = {}

    def check(self, given: Any, read: Any) -> None:
        """Refuse a value that is read back as something else.

        Args:
            given: the value to be added.
            read: what its JSON is decoded to.

        Raises:
            PayloadError: it names the place.
        """
        if self._has_uncompared or read != given:
            self.walk(given, read)

    def walk(self, given: Any, read: Any) -> None:
        """The same, whether or not the two are equal as a whole."""
        self._check(given, read, "$", self._excuse)

    def _check(self, given: Any, read: Any, place: str, excuse: _Excuse) -> None:
        if (fields := self._fields_of(class_of(read))) is not None:
            self._check_object(fields, given, read, place)
        elif is_mapping(read) and is_mapping(given):
            self._check_members(given, read, place, excuse)
        elif _are_ordered(given, read) and len(read) == len(given):
            for index, (before, after) in enumerate(zip(given, read, strict=True)):
                self._check(before, after, child(place, index), excuse)
        elif _is_set(read) and _is_set(given):
            self._check_set(given, read, place, excuse)
        else:
            _check_leaf(given, read, place, excuse)

    def _check_object(self, fields: tuple[_Field, ...], given: Any, read: Any, place: str) -> None:
        """A dict is not taken for a model, nor a subclass, whose own fields would be lost."""
        cls = class_of(read)
        if type(given) is not cls:
            raise mismatch(place, cls, given)
        for field in fields:
            if field.is_left_out(given):
                continue
            before, after = getattr(given, field.name, None), getattr(read, field.name, None)
            self._check(before, after, child(place, field.name), field.excuse)
        if more := getattr(given, "__pydantic_extra__", None):
            arrived: dict[str, Any] = getattr(read, "__pydantic_extra__", None) or {}
            self._check_members(more, arrived, place, _Excuse.ANY)

    def _check_members(
        self, given: Mapping[Any, Any], read: Mapping[Any, Any], place: str, excuse: _Excuse
    ) -> None:
        if any(key not in read for key in given):
            read = {self._stand_in(key): member for key, member in read.items()}
        for key, before in given.items():
            found = key if key in read else self._stand_in(key)
            if found not in read:
                raise PayloadError(f"{place}: the key {key!r} would not be read back")
            self._check(before, read[found], child(place, key), excuse)

    def _check_set(
        self, given: Collection[Any], read: Collection[Any], place: str, excuse: _Excuse
    ) -> None:
        arrived = {self._stand_in(item) for item in read}
        lost = [item for item in given if self._stand_in(item) not in arrived]
        if excuse is _Excuse.ANY:
            kinds = {class_of(item) for item in read}
            is_other = any(class_of(item) in kinds for item in lost)
        else:
            is_other = bool(lost) or len(given) != len(read)
        if is_other:
            raise _other(given, read, place)

    def _stand_in(self, value: Any) -> Any:
        """What is equal for any two values, hashed, of which one is the other read back."""
        cls = class_of(value)
        if (fields := self._fields_of(cls)) is not None:
            named = (
                getattr(value, each.name, None) for each in fields if not each.is_left_out(value)
            )
            return (cls, *map(self._stand_in, named))
        if is_list(value) or _is_deque(value):
            return tuple(map(self._stand_in, value))
        if is_mapping(value):
            return frozenset(map(self._stand_in, value.items()))
        if _is_set(value):
            return frozenset(map(self._stand_in, value))
        if isinstance(value, datetime) and (offset := value.utcoffset()) is not None:
            return value.replace(tzinfo=UTC) - _START - offset  # never out of range
        return cls if _cannot_be_compared(value) or not isinstance(value, Hashable) else value

    def _fields_of(self, cls: type) -> tuple[_Field, ...] | None:
        """None of what is neither a model nor a dataclass."""
        try:
            return self._fields[cls]
        except KeyError:
            return self._fields.setdefault(cls, _fields(cls) if _is_object(cls) else None)


def types_of_fields(cls: Any) -> dict[str, Any]:
    """The fields of a dataclass, TypedDict, NamedTuple or attrs class; none of what is neither."""
    is_record = dataclasses.is_dataclass(cls) or any(hasattr(cls, mark) for mark in _RECORDS)
    if not is_record:
        return {}
    try:
        return get_type_hints(cls, include_extras=True)
    except (NameError, TypeError):
        return {}  # reported when the codec is built


class _Excuse(enum.Enum):
    """Why a value may arrive as one of another type."""

    NONE = enum.auto()
    ANY = enum.auto()
    """Its type is `Any` or holds some."""
    ENUM_VALUE = enum.auto()
    """Its model keeps values of enums in place of members, but takes its defaults as they are."""


class _Field(NamedTuple):
    name: str
    excuse: _Excuse
    is_excluded: bool

    def is_left_out(self, given: Any) -> bool:
        """Whether nobody gave it a value, and none is written: each side makes its own."""
        was_set = getattr(given, "__pydantic_fields_set__", (self.name,))
        return self.is_excluded and self.name not in was_set


def _check_leaf(given: Any, read: Any, place: str, excuse: _Excuse) -> None:
    if given == read or is_same_moment(given, read):
        return
    if type(given) is type(read):
        is_fine = _cannot_be_compared(given)
    elif excuse is _Excuse.ENUM_VALUE:
        is_fine = isinstance(given, enum.Enum) and given.value == read
    else:  # an iterator arrives as one of pydantic's
        is_fine = excuse is _Excuse.ANY or _are_iterators(given, read)
    if not is_fine:
        raise _other(given, read, place)


def _cannot_be_compared(value: Any) -> bool:
    """Whether it may arrive and yet not be equal: it has no equality, or is a decimal NaN."""
    equality: object = class_of(value).__eq__
    if equality is object.__eq__:
        return not isinstance(value, enum.Enum)  # each member is there once
    return bool(value != value)  # noqa: PLR0124


def _other(given: object, read: object, place: str) -> PayloadError:
    what, kind = type(given).__name__, type(read).__name__
    return PayloadError(
        f"{place}: this {what} would be read back as {'another' if what == kind else kind}"
    )


def _are_ordered(given: Any, read: Any) -> bool:
    if is_list(read):
        return is_list(given)
    return _is_deque(read) and _is_deque(given)


def _are_iterators(given: object, read: object) -> bool:
    return isinstance(given, Iterator) and isinstance(read, Iterator)


def _is_deque(value: object) -> TypeGuard[deque[Any]]:
    return isinstance(value, deque)


def _is_set(value: object) -> TypeGuard[set[Any] | frozenset[Any]]:
    return isinstance(value, set | frozenset)


def _is_object(cls: type) -> bool:
    return hasattr(cls, "__pydantic_fields__") or dataclasses.is_dataclass(cls)


def _fields(cls: Any) -> tuple[_Field, ...]:
    """The fields of a model or dataclass."""
    config: dict[str, Any] = (
        getattr(cls, "model_config", None) or getattr(cls, "__pydantic_config__", None) or {}
    )
    usual = _Excuse.ENUM_VALUE if config.get("use_enum_values") else _Excuse.NONE
    of_pydantic = getattr(cls, "__pydantic_fields__", None)
    if of_pydantic is not None:
        return tuple(
            _Field(name, _excuse(field.annotation, usual), bool(field.exclude))
            for name, field in of_pydantic.items()
        )
    types = types_of_fields(cls)
    return tuple(
        _Field(field.name, _excuse(types.get(field.name, Any), usual), is_excluded=False)
        for field in dataclasses.fields(cls)
    )


def _classes(schema: Any, seen: set[int]) -> Iterator[type]:
    """The models and dataclasses of a schema of pydantic's, which is made of dicts and lists."""
    if id(schema) in seen:
        return
    seen.add(id(schema))
    if is_mapping(schema):
        cls = schema.get("cls")
        if isinstance(cls, type) and _is_object(cls):
            yield cls
        for part in schema.values():
            yield from _classes(part, seen)
    elif is_list(schema):
        for part in schema:
            yield from _classes(part, seen)


def _may_hide(cls: type) -> bool:
    """Whether two objects may be equal although a field is not: the class says what is compared."""
    if has_uncompared_fields(cls):
        return True
    equality: object = cls.__eq__
    if dataclasses.is_dataclass(cls):
        code = getattr(equality, "__code__", None)
        return code is not None and code.co_filename != "<string>"  # as generated methods have
    return not str(getattr(equality, "__module__", "")).startswith("pydantic.")


def _excuse(declared: Any, usual: _Excuse = _Excuse.NONE) -> _Excuse:
    return _Excuse.ANY if _says_any(declared, set()) else usual


def _says_any(part: Any, seen: set[int]) -> bool:
    """Whether a type is `Any` or holds some; models and dataclasses speak for themselves."""
    if id(part) in seen or get_origin(part) is Literal:
        return False
    seen.add(id(part))
    if part is Any or part is object or isinstance(part, TypeVar) or _is_bare(part):
        return True
    if isinstance(part, type) and _is_object(part):
        return False
    inner = [*get_args(part), *types_of_fields(get_origin(part) or part).values()]
    alias = getattr(get_origin(part) or part, "__value__", None)  # `type X = …`
    return any(_says_any(each, seen) for each in (inner if alias is None else [*inner, alias]))


def _is_bare(part: Any) -> bool:
    """Whether it is a `list` or the like that does not say of what."""
    if not isinstance(part, type) or get_args(part) or types_of_fields(part):
        return False
    return issubclass(part, Collection) and not issubclass(part, str | bytes | bytearray)
