"""Whether a handler would get what a producer gave.

JSON forgets types: a dict becomes a dataclass, a string a UUID, a subclass its base. So what is
given is held against what was read back, along the tree of the declared type. A tuple or set for a
list is fine, and where the type is `Any` whatever could be written is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, get_origin

import msgspec
from msgspec import inspect as types

from graphile_worker.errors import PayloadError
from graphile_worker.payloads.faults import child
from graphile_worker.payloads.shapes import class_of, is_list, is_mapping

_ITEMS = (list, tuple, set, frozenset)
_MARKS = ("__dataclass_fields__", "__struct_fields__", "__attrs_attrs__")
_OBJECTS = (types.StructType, types.DataclassType, types.NamedTupleType)


def check_read_back(node: types.Type, given: Any, read: Any, place: str = "$") -> None:
    """Refuse a value that is read back as something else.

    Args:
        node: the declared type, as `msgspec.inspect.type_info` describes it.
        given: the value to be added.
        read: what its JSON is decoded to.
        place: where it stands.

    Raises:
        PayloadError: it names the place.
    """
    if not _has_parts(read) and given == read:
        return
    match node:
        case types.AnyType() | types.CustomType() | types.RawType():
            _check_any(given, place)
        case types.UnionType():
            _check_union(node, given, read, place)
        case types.StructType() | types.DataclassType() | types.NamedTupleType():
            _check_object(node, given, read, place)
        case types.TypedDictType():
            _check_typed_dict(node, given, read, place)
        case types.DictType():
            _check_dict(node, given, read, place)
        case types.ListType() | types.VarTupleType() | types.SetType() | types.FrozenSetType():
            _check_items(node.item_type, given, read, place)
        case types.TupleType():
            _check_class(_ITEMS, given, read, place)
            for index, item_node in enumerate(node.item_types):
                check_read_back(item_node, given[index], read[index], child(place, index))
        case _:
            _check_leaf(given, read, place)


def has_uncompared_fields(cls: Any) -> bool:
    """Whether objects of a class may be equal although one of their fields is not."""
    cls = get_origin(cls) or cls
    of_attrs = getattr(cls, "__attrs_attrs__", ())
    if of_attrs or not dataclasses.is_dataclass(cls):
        return any(not attribute.eq for attribute in of_attrs)
    return any(not field.compare for field in dataclasses.fields(cls))


def expected_class(node: types.Type) -> type | None:
    """The class whose instances a type wants, where there is exactly one."""
    if not isinstance(node, _OBJECTS):
        return None
    return get_origin(node.cls) or node.cls


def mismatch(place: str, expected: type, given: object) -> PayloadError:
    """`$.item: expected Item, got dict`."""
    return PayloadError(f"{place}: expected {expected.__name__}, got {type(given).__name__}")


def is_same_moment(given: object, read: object) -> bool:
    """Whether these are two times that only differ in their zones.

    To Python no time of the hour that comes twice a year equals one in another zone.
    """
    if not isinstance(given, datetime) or not isinstance(read, datetime):
        return False
    if given.tzinfo is None or read.tzinfo is None:
        return False
    return given.astimezone(UTC) == read.astimezone(UTC)


def _has_parts(read: object) -> bool:
    """Whether it is looked at part by part: being equal, a whole may still hide what is not."""
    cls = class_of(read)
    if is_list(read):
        return not hasattr(cls, "_fields")  # a tuple may well stand for a NamedTuple
    return is_mapping(read) or any(hasattr(cls, mark) for mark in _MARKS)


def _check_any(given: Any, place: str) -> None:
    """Nobody named a type here, but keys that are no strings would become some."""
    if is_mapping(given):
        for key, member in given.items():
            if not isinstance(key, str):
                raise PayloadError(
                    f"{place}: the key {key!r} would be read back as a string; use str({key!r})"
                )
            _check_any(member, child(place, key))
    elif is_list(given):
        for index, item in enumerate(given):
            _check_any(item, child(place, index))


def _check_union(node: types.UnionType, given: Any, read: Any, place: str) -> None:
    errors: list[PayloadError] = []
    for member in node.types:
        try:
            return check_read_back(member, given, read, place)
        except PayloadError as error:
            errors.append(error)
    # The member that was meant is the one that was followed deepest.
    raise max(errors, key=lambda error: len(str(error).partition(": ")[0]))


def _check_object(
    node: types.StructType | types.DataclassType | types.NamedTupleType,
    given: Any,
    read: Any,
    place: str,
) -> None:
    wanted = expected_class(node)
    if wanted is None or type(read) is not wanted or type(given) is not wanted:
        raise mismatch(place, class_of(read), given)
    for field in node.fields:
        before = getattr(given, field.name, msgspec.UNSET)
        after = getattr(read, field.name, msgspec.UNSET)
        check_read_back(field.type, before, after, child(place, field.name))


def _check_typed_dict(node: types.TypedDictType, given: Any, read: Any, place: str) -> None:
    _check_class(Mapping, given, read, place)
    if lost := sorted(set(given) - set(read), key=str):
        raise PayloadError(f"{place}: the field {lost[0]!r} is not known")
    for field in node.fields:
        if field.name in given:
            after = read.get(field.name)
            check_read_back(field.type, given[field.name], after, child(place, field.name))


def _check_dict(node: types.DictType, given: Any, read: Any, place: str) -> None:
    _check_class(Mapping, given, read, place)
    if isinstance(node.key_type, types.AnyType):
        for key in given:
            _check_any({key: None}, place)
    if lost := [key for key in given if key not in read]:
        raise PayloadError(f"{place}: the key {lost[0]!r} would be read back as another one")
    for key, member in given.items():
        check_read_back(node.value_type, member, read[key], child(place, key))


def _check_items(node: types.Type, given: Any, read: Iterable[Any], place: str) -> None:
    _check_class(_ITEMS, given, read, place)
    if isinstance(read, set | frozenset):
        if any(item not in read for item in given) and not isinstance(node, types.AnyType):
            raise PayloadError(f"{place}: items that would be read back as others")
        return
    for index, (before, after) in enumerate(zip(given, read, strict=True)):
        check_read_back(node, before, after, child(place, index))


def _check_leaf(given: Any, read: Any, place: str) -> None:
    if is_same_moment(given, read):
        return
    if isinstance(given, type(read)):
        raise PayloadError(f"{place}: this {type(given).__name__} would be read back as another")
    raise mismatch(place, class_of(read), given)


def _check_class(wanted: type | tuple[type, ...], given: Any, read: Any, place: str) -> None:
    if not isinstance(given, wanted) or not isinstance(read, wanted):
        raise mismatch(place, class_of(read), given)
