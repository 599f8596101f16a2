"""Payloads of pydantic's types, through its `TypeAdapter`.

pydantic is never imported for its own sake: a type can only be pydantic's if somebody imported it.
"""

from __future__ import annotations

import sys
from typing import Any, TypeVar, get_args, get_origin

from graphile_worker.errors import ConfigurationError, PayloadError
from graphile_worker.payloads.codec import PayloadCodec, from_json
from graphile_worker.payloads.faults import child, fault_in_plain
from graphile_worker.payloads.pydantic_read_back import PydanticReadBack, types_of_fields
from graphile_worker.payloads.reserved_keys import without_reserved_keys

P = TypeVar("P")

_MARKS = ("__pydantic_core_schema__", "__get_pydantic_core_schema__", "__pydantic_validator__")
_PACKAGES = ("pydantic", "pydantic_core", "annotated_types")


def is_pydantic(payload_type: Any) -> bool:
    """Whether a type, a part of it or one of its fields is pydantic's."""
    return "pydantic" in sys.modules and _mentions_pydantic(payload_type, set())


class PydanticCodec(PayloadCodec[P]):
    """pydantic validates, and decides how its types look in JSON; strictness in adding is ours.

    Raises:
        ConfigurationError: pydantic cannot make a schema of the type.
    """

    def __init__(self, payload_type: Any) -> None:
        import pydantic  # noqa: PLC0415 (optional, and known to be loaded)
        from pydantic_core import PydanticSerializationError  # noqa: PLC0415 (the same)

        try:
            self._adapter: pydantic.TypeAdapter[P] = pydantic.TypeAdapter(payload_type)
        except (pydantic.PydanticUserError, NameError, TypeError) as error:
            reason = str(error).partition("\n")[0]  # then comes a link
            raise ConfigurationError(
                f"{payload_type} cannot be a payload type: {reason}"
            ) from error
        self._read_back = PydanticReadBack(payload_type, self._adapter.core_schema)
        self._invalid = pydantic.ValidationError
        self._unwritable = (PydanticSerializationError, ValueError, TypeError, AttributeError)

    def encode(self, value: P) -> str:
        """See `PayloadCodec.encode`."""
        text, complaint = self._dump(value)
        if "NaN" in text or "Infinity" in text:
            from_json(text)
        if ("null" in text or "\\u0000" in text) and (fault := self._fault(value, text)):
            raise PayloadError(fault)
        try:
            read = self._adapter.validate_json(text)
        except self._invalid as error:
            if complaint is None and (other := self._dump_to_fit(value)) is not None:
                return other
            raise self._misfit(error) from None
        if complaint is not None:
            self._read_back.walk(value, read)
            raise PayloadError(f"$: {complaint}")
        self._read_back.check(value, read)
        return text

    def decode(self, text: str) -> P:
        """See `PayloadCodec.decode`."""
        text = without_reserved_keys(text, keep_cron=False)
        try:
            return self._adapter.validate_json(text)
        except self._invalid as error:
            raise self._misfit(error) from None

    def _dump(self, value: P) -> tuple[str, str | None]:
        """The JSON, and what pydantic has against it: it rather warns than refuses."""
        try:
            return self._adapter.dump_json(value, by_alias=True, warnings="error").decode(), None
        except self._unwritable:
            pass
        try:
            text = self._adapter.dump_json(value, by_alias=True, warnings="none").decode()
        except self._unwritable as error:
            reason = str(error).removeprefix("Error serializing to JSON: ")
            raise PayloadError(self._fault(value) or f"$: {reason}") from None
        return text, "holds values of other types than declared"

    def _dump_to_fit(self, value: P) -> str | None:
        """The JSON of a model that does not take its usual one, if there is any that arrives.

        Models write `Json` fields as what is in them, computed fields although they forbid others,
        and aliases although they only take names.
        """
        for by_alias in (True, None):
            try:
                text = self._adapter.dump_json(
                    value, by_alias=by_alias, round_trip=True, warnings="error"
                ).decode()
                self._read_back.check(value, self._adapter.validate_json(text))
            except (*self._unwritable, self._invalid, PayloadError):
                continue
            return text
        return None

    def _fault(self, value: P, text: str = "") -> str | None:
        """NaN and infinity stand in the value; a NUL may be in what only its JSON shows."""
        try:
            plain = self._adapter.dump_python(value, warnings="none")
        except self._unwritable:
            return None
        fault = fault_in_plain(plain)
        if fault is None and "\\u0000" in text:
            fault = fault_in_plain(from_json(text))
        return fault

    def _misfit(self, error: Any) -> PayloadError:
        """Every place pydantic complains about, in one line."""
        complaints: list[str] = []
        for detail in error.errors(include_url=False, include_input=False, include_context=False):
            place = "$"
            for key in detail["loc"]:
                place = child(place, key)
            message = detail["msg"]
            if not message[1:2].isupper():  # as in "JSON input should be …"
                message = f"{message[:1].lower()}{message[1:]}"
            complaints.append(f"{place}: {message}")
        return PayloadError("; ".join(complaints))


def _mentions_pydantic(part: Any, seen: set[int]) -> bool:
    if id(part) in seen:
        return False
    seen.add(id(part))
    if isinstance(part, type) and any(hasattr(part, mark) for mark in _MARKS):
        return True
    if any(_is_of_pydantic(mark) for mark in getattr(part, "__metadata__", ())):
        return True
    parts = [*get_args(part), *types_of_fields(get_origin(part) or part).values()]
    return any(_mentions_pydantic(inner, seen) for inner in parts)


def _is_of_pydantic(metadata: object) -> bool:
    return type(metadata).__module__.partition(".")[0] in _PACKAGES
