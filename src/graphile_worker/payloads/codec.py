"""What a codec is, and the JSON of payloads whose type nobody named."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import Any, Final, Generic, TypeVar

import msgspec

from graphile_worker.errors import PayloadError
from graphile_worker.payloads.faults import fault_in, fault_in_plain, misfit
from graphile_worker.payloads.shapes import is_mapping

P = TypeVar("P")


class PayloadCodec(Generic[P]):
    """Writes and reads the payloads of one type. Built once, used by any thread."""

    __slots__ = ()

    @abstractmethod
    def encode(self, value: P) -> str:
        """JSON text that is read back as this value.

        Raises:
            PayloadError: it would not be: the wrong type, or a value JSON or PostgreSQL cannot
                hold.
        """
        raise NotImplementedError

    @abstractmethod
    def decode(self, text: str) -> P:
        """The value in stored JSON text.

        Raises:
            PayloadError: the text does not fit the type; the message names the place.
        """
        raise NotImplementedError


class NoPayloadCodec(PayloadCodec[None]):
    """For tasks without payload: stored as `{}`, as `add_job` in SQL does; anything is ignored."""

    __slots__ = ()

    def encode(self, value: None) -> str:
        """`{}`, unless there is a payload after all."""
        if value is not None:
            raise PayloadError(f"$: the task takes no payload, got {type(value).__name__}")
        return "{}"

    def decode(self, text: str) -> None:  # noqa: ARG002 (ignored on purpose)
        """Nothing."""
        return


def to_json(value: object) -> str:
    """JSON text of a raw payload: JSON values, and what msgspec writes as such.

    Raises:
        PayloadError: the value holds something that is not JSON (NaN, infinity) or that PostgreSQL
            cannot hold (NUL, lone surrogates); the message names the place.
    """
    data = encode_json(value)
    try:
        _decoder.decode(data)  # a msgspec.Raw may hold anything
    except (msgspec.MsgspecError, RecursionError) as error:
        raise misfit(error) from None
    check_faults(value, data)
    return data.decode()


def from_json(text: str) -> Any:
    """The value of stored JSON text; whole numbers stay exact.

    What another producer stored may be odd and still be JSON: a lone surrogate stays one, and a
    number too large for a float is infinite.

    Raises:
        PayloadError: the text is not JSON, or Python cannot hold it: nested about a thousand
            levels deep, or a whole number of more than 4300 digits.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, ValueError):
        return _odd_json(text)
    except RecursionError as error:
        raise misfit(error) from None


def encode_json(value: object) -> bytes:
    """JSON as msgspec writes it; NaN and NUL are still to be looked for (`check_faults`).

    Raises:
        PayloadError: something in it cannot be written.
    """
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise PayloadError(fault_in(value, write_as) or misfit(error).args[0]) from None


def check_faults(value: object, data: bytes) -> None:
    """Refuse NaN and NUL, where the JSON gives reason to look for them.

    Raises:
        PayloadError: it names the place.
    """
    # NaN and infinity are written as null; a NUL can only be written as this escape.
    has_nul = b"\\u0000" in data
    if (has_nul or b"null" in data) and (fault := fault_in(value, write_as)):
        raise PayloadError(fault)
    # What a msgspec.Raw brought along is only seen in the JSON.
    if has_nul and (fault := fault_in_plain(_decoder.decode(data))):
        raise PayloadError(fault)


def write_as(value: object) -> object:
    """What stands in JSON for a value that msgspec has no form for: what it is a subclass of."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if is_mapping(value):
        return dict(value)
    raise TypeError(f"a value or key of type {type(value).__name__} has no form in JSON")


def _odd_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise misfit(error) from None
    except ValueError as error:
        raise PayloadError(f"cannot be read as JSON: {error}") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


_encoder: Final = msgspec.json.Encoder(enc_hook=write_as)
_decoder: Final = msgspec.json.Decoder()
