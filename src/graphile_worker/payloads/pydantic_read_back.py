"""Whether a handler would get what a producer gave: `read_back`, for pydantic's types.

pydantic keeps the trees of its types to itself, so values are held against each other along what
they are made of. The declared types are only asked whether they say `Any`: there, whatever could be
written is fine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from graphile_worker.errors import PayloadError
from graphile_worker.payloads.faults import child
from graphile_worker.payloads.read_back import is_same_moment, mismatch
from graphile_worker.payloads.shapes import class_of, is_list, is_mapping

_RECORDS = ("__required_keys__", "_fields", "__attrs_attrs__")  # TypedDict, NamedTuple, attrs


def check_pydantic_read_back(declared: Any, given: Any, read: Any) -> None:
    """Refuse a value that is read back as something else.

    Args:
        declared: its type.
        given: the value to be added.
        read: what its JSON is decoded to.

    Raises:
        PayloadError: it names the place.
    """
    _check(given, read, "$", is_loose=_says_any(declared, set()))


def types_of_fields(cls: Any) -> dict[str, Any]:
    """The fields of a dataclass, TypedDict, NamedTuple or attrs class; none of what is neither."""
    is_record = dataclasses.is_dataclass(cls) or any(hasattr(cls, mark) for mark in _RECORDS)
    if not is_record:
        return {}
    try:
        return get_type_hints(cls, include_extras=True)
    except (NameError, TypeError):
        return {}  # reported when the codec is built


def _check(given: Any, read: Any, place: str, *, is_loose: bool) -> None:
    if _is_object(class_of(read)):
        _check_object(given, read, place)
    elif is_mapping(read) and is_mapping(given):
        _check_members(given, read, place, is_loose=is_loose)
    elif is_list(read) and is_list(given) and len(read) == len(given):
        for index, (before, after) in enumerate(zip(given, read, strict=True)):
            _check(before, after, child(place, index), is_loose=is_loose)
    elif not is_loose:
        _check_leaf(given, read, place)


def _check_object(given: Any, read: Any, place: str) -> None:
    """A dict is not taken for a model, nor a subclass, whose own fields would be lost."""
    cls = class_of(read)
    if type(given) is not cls:
        raise mismatch(place, cls, given)
    for name, declared in _fields(cls).items():
        if _is_left_out(given, name):
            continue
        is_loose = _says_any(declared, set())
        before, after = getattr(given, name, None), getattr(read, name, None)
        _check(before, after, child(place, name), is_loose=is_loose)


def _check_members(
    given: Mapping[Any, Any], read: Mapping[Any, Any], place: str, *, is_loose: bool
) -> None:
    for key, before in given.items():
        if key not in read:
            raise PayloadError(f"{place}: the key {key!r} would not be read back")
        _check(before, read[key], child(place, key), is_loose=is_loose)


def _check_leaf(given: Any, read: Any, place: str) -> None:
    if given == read or is_same_moment(given, read):
        return
    equality: object = class_of(given).__eq__
    if equality is object.__eq__ or given != given:  # noqa: PLR0124 (a decimal NaN)
        return  # it says nothing
    what, kind = type(given).__name__, type(read).__name__
    raise PayloadError(
        f"{place}: this {what} would be read back as {'another' if what == kind else kind}"
    )


def _is_object(cls: type) -> bool:
    return hasattr(cls, "__pydantic_fields__") or dataclasses.is_dataclass(cls)


def _fields(cls: Any) -> dict[str, Any]:
    """The fields of a model or dataclass, and their types."""
    of_pydantic = getattr(cls, "__pydantic_fields__", None)
    if of_pydantic is not None:
        return {name: field.annotation for name, field in of_pydantic.items()}
    types = types_of_fields(cls)
    return {field.name: types.get(field.name, Any) for field in dataclasses.fields(cls)}


def _is_left_out(given: Any, name: str) -> bool:
    """Whether nobody gave this field a value, and none is written: each side makes its own."""
    field = getattr(class_of(given), "__pydantic_fields__", {}).get(name)
    is_excluded = field is not None and bool(field.exclude)
    return is_excluded and name not in getattr(given, "__pydantic_fields_set__", (name,))


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
