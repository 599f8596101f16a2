"""Payloads of the types msgspec knows: dataclasses, Structs, attrs, TypedDicts, builtins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as types

from graphile_worker.errors import ConfigurationError, PayloadError
from graphile_worker.payloads.codec import (
    PayloadCodec,
    check_faults,
    encode_json,
    from_json,
)
from graphile_worker.payloads.faults import fault_in_plain, misfit
from graphile_worker.payloads.read_back import (
    check_read_back,
    expected_class,
    has_uncompared_fields,
    mismatch,
)
from graphile_worker.payloads.reserved_keys import without_reserved_keys
from graphile_worker.payloads.shapes import is_list

P = TypeVar("P")


class TypedCodec(PayloadCodec[P]):
    """One decoder of msgspec, and what makes adding strict.

    Most payloads are equal to what is read back, which proves at once that they are of the right
    type and hold no NaN; the type's tree is walked only where they differ, or where a class leaves
    fields out of its equality.

    Raises:
        ConfigurationError: JSON cannot be read as this type.
    """

    def __init__(self, payload_type: Any) -> None:
        self._type = payload_type
        try:
            self._decoder: msgspec.json.Decoder[P] = msgspec.json.Decoder(
                payload_type, dec_hook=_take_object
            )
            self._node = types.type_info(payload_type)
        except (TypeError, NameError, ValueError, AttributeError) as error:
            raise ConfigurationError(
                f"{_name(payload_type)} cannot be a payload type: {error}"
            ) from error
        nodes = list(_nodes(self._node, set()))
        if (unknown := next(_unknown_types(nodes), None)) is not None:
            raise ConfigurationError(
                f"{_name(payload_type)} cannot be a payload type: JSON cannot be read as "
                f"{_name(unknown)}"
            )
        self._is_untyped = _is_untyped(self._node)
        self._has_uncompared = any(
            has_uncompared_fields(node.cls)
            for node in nodes
            if isinstance(node, types.DataclassType)
        )

    def encode(self, value: P) -> str:
        """See `PayloadCodec.encode`."""
        data = encode_json(value)
        try:
            read = self._decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self._refusal(value, data, error) from None
        if self._has_uncompared or read != value:
            check_faults(value, data)
            check_read_back(self._node, value, read)
        elif b"\\u0000" in data:
            check_faults(value, data)
        return data.decode()

    def decode(self, text: str) -> P:
        """See `PayloadCodec.decode`."""
        if '"_trace"' in text or '"_cron"' in text:
            text = without_reserved_keys(text, keep_cron=self._is_untyped)
        try:
            return self._decoder.decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return self._decode_odd(text, error)

    def _refusal(self, value: P, data: bytes, error: Exception) -> PayloadError:
        try:
            check_faults(value, data)
        except PayloadError as fault:
            return fault
        wanted = expected_class(self._node)
        if wanted is not None and not isinstance(value, wanted):
            return mismatch("$", wanted, value)
        return misfit(error)

    def _decode_odd(self, text: str, error: Exception) -> P:
        """What is JSON, but not to msgspec, is good enough for handlers that take any."""
        if isinstance(error, msgspec.DecodeError) and not self._misses_the_type(error):
            value = from_json(text)
            if self._is_untyped:
                return self._converted(value)
            if fault := fault_in_plain(value):
                raise PayloadError(fault) from None
        raise misfit(error) from None

    @staticmethod
    def _misses_the_type(error: msgspec.DecodeError) -> bool:
        return isinstance(error, msgspec.ValidationError) and "out of range" not in str(error)

    def _converted(self, value: object) -> P:
        try:
            converted: P = msgspec.convert(value, self._type, dec_hook=_take_object)
        except msgspec.ValidationError as error:
            raise misfit(error) from None
        return converted


def _take_object(wanted: type, value: Any) -> Any:
    """`object` is `Any`; msgspec asks for it because it is a class it does not know."""
    if wanted is object:
        return value
    raise NotImplementedError(wanted)


def _is_untyped(node: types.Type) -> bool:
    """Whether the handler takes any object, so that `_cron` is of use to it."""
    match node:
        case types.AnyType() | types.CustomType():
            return True
        case types.DictType():
            return isinstance(node.value_type, types.AnyType | types.CustomType)
        case types.UnionType():
            return any(_is_untyped(member) for member in node.types)
        case _:
            return False


def _unknown_types(nodes: Iterable[types.Type]) -> Iterator[Any]:
    """Classes that msgspec cannot read."""
    for node in nodes:
        if isinstance(node, types.CustomType) and node.cls is not object:
            yield node.cls


def _nodes(part: object, seen: set[int]) -> Iterator[types.Type]:
    """All types in a type's tree; that of a recursive type is a ring."""
    if id(part) in seen:
        return
    seen.add(id(part))
    if is_list(part):
        for item in part:
            yield from _nodes(item, seen)
    elif isinstance(part, types.Type | types.Field):
        if isinstance(part, types.Type):
            yield part
        for name in part.__struct_fields__:
            if name != "cls":
                yield from _nodes(getattr(part, name), seen)


def _name(payload_type: Any) -> str:
    return payload_type.__qualname__ if isinstance(payload_type, type) else str(payload_type)
