"""The codec of a type."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from graphile_worker.payloads.codec import NoPayloadCodec, PayloadCodec
from graphile_worker.payloads.pydantic_models import PydanticCodec, is_pydantic
from graphile_worker.payloads.typed import TypedCodec

P = TypeVar("P")


@overload
def codec_for(payload_type: None) -> PayloadCodec[None]: ...
@overload
def codec_for(payload_type: type[P]) -> PayloadCodec[P]: ...
@overload
def codec_for(payload_type: Any) -> PayloadCodec[Any]: ...
def codec_for(payload_type: Any) -> PayloadCodec[Any]:
    """How payloads of this type are written and read.

    Args:
        payload_type: any annotation whose values JSON can hold; `None` for no payload at all.

    Raises:
        ConfigurationError: JSON cannot be read as this type, or a name in it is not defined.
    """
    if payload_type is None:
        return NoPayloadCodec()
    if is_pydantic(payload_type):
        return PydanticCodec(payload_type)
    return TypedCodec(payload_type)
