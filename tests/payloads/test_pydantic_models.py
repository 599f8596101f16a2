"""Payloads of pydantic's types."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import pydantic
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import core_schema

from graphile_worker.errors import ConfigurationError, PayloadError
from graphile_worker.payloads.pydantic_models import PydanticCodec
from graphile_worker.payloads.select import codec_for
from graphile_worker.payloads.typed import TypedCodec


class Model(pydantic.BaseModel):
    n: int
    f: float | None = None
    children: list[Model] = []


class SubModel(Model):
    more: int = 0


class Aliased(pydantic.BaseModel):
    name: str = pydantic.Field(alias="fullName")


class Forbidding(pydantic.BaseModel, extra="forbid"):
    n: int


class Constants(pydantic.BaseModel, ser_json_inf_nan="constants"):
    f: float


@pydantic.dataclasses.dataclass
class PydanticDataclass:
    n: int


@dataclass
class Holder:
    model: Model


class Typed(typing_extensions.TypedDict):
    model: Model


@dataclass
class PlainLossy:
    model: Model
    secret: pydantic.SecretStr | str


class Person(typing_extensions.TypedDict):
    model: Model


class Plain(typing_extensions.TypedDict):
    n: int


NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
URL = "https://example.com/"


class Linked(pydantic.BaseModel):
    url: pydantic.HttpUrl
    note: str = ""
    path: Path = Path("x")
    score: float | None = None
    extra: Any = None
    parts: dict[str, list] = {}


class Lossy(pydantic.BaseModel):
    secret: pydantic.SecretStr | None = None
    left_out: int | None = pydantic.Field(None, exclude=True)
    rounded: Annotated[float, pydantic.PlainSerializer(round)] = 0
    tags: set[Annotated[float, pydantic.PlainSerializer(round)]] = set()


class AsText(pydantic.BaseModel):
    at: str | datetime


class Own:
    """Comes without equality, as many a class does."""

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls(value),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda own: own.text),
        )


class Stateful(pydantic.BaseModel):
    """What is not equal when it is read back, and yet has arrived."""

    own: Own
    at: datetime
    number: Decimal = pydantic.Field(Decimal(0), allow_inf_nan=True)
    made: float = pydantic.Field(default_factory=time.perf_counter, exclude=True)
    _made: float = pydantic.PrivateAttr(default_factory=time.perf_counter)


@dataclass
class Uncompared:
    model: Model
    token: pydantic.SecretStr = field(default=pydantic.SecretStr(""), compare=False)
    at: str | datetime = field(default="", compare=False)


@dataclass
class OfOneName:
    """Its equality is its own."""

    model: Model
    token: pydantic.SecretStr

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OfOneName) and self.model == other.model

    __hash__ = None  # type: ignore[assignment]


class OfOneNumber(pydantic.BaseModel, defer_build=True):
    """Its equality is its own, too."""

    n: int
    token: pydantic.SecretStr

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OfOneNumber) and self.n == other.n

    __hash__ = None  # type: ignore[assignment]


class Holding(pydantic.BaseModel):
    """Reaches the other two only through itself."""

    children: list[Holding] = []
    numbers: dict[str, OfOneNumber] = {}
    plain: Uncompared | None = None


class AnyAndSecret(typing_extensions.TypedDict):
    secret: pydantic.SecretStr
    extra: Any


class AnyAndSecrets(NamedTuple):
    secret: pydantic.SecretStr
    extra: Any = None
    secrets: frozenset[pydantic.SecretStr] = frozenset()


class Open(pydantic.BaseModel, extra="allow"):
    pass


class OpenForSecrets(pydantic.BaseModel, extra="allow"):
    __pydantic_extra__: dict[str, pydantic.SecretStr]


class Status(Enum):
    A = "a"


class Stage(Enum):
    A = "a"


class Enums(pydantic.BaseModel):
    status: Status | str = "a"
    either: Status | Stage = Status.A
    number: int | Own = 0


class EnumValues(pydantic.BaseModel, use_enum_values=True):
    status: Status = Status.A
    statuses: list[Status] = [Status.A]


class Timed(pydantic.BaseModel):
    """Two of them are never equal."""

    n: int = 0
    _made: float = pydantic.PrivateAttr(default_factory=time.perf_counter)


class FrozenTimed(Timed, frozen=True):
    texts: list[str] = []

    def __hash__(self) -> int:
        return hash(self.n)


class Collections(pydantic.BaseModel):
    timed: deque[Timed] = deque()
    frozen: set[FrozenTimed] = set()
    own: set[Own] = set()
    times: set[datetime] = set()
    by_time: dict[datetime, int] = {}
    bare: set = set()


class OfJson(pydantic.BaseModel):
    numbers: pydantic.Json[list[int | None]]


class Computed(pydantic.BaseModel, extra="forbid"):
    n: int
    inner: Computed | None = None

    @pydantic.computed_field
    def double(self) -> int:
        return self.n * 2


class OnlyByName(pydantic.BaseModel, validate_by_alias=False, validate_by_name=True):
    n: int = pydantic.Field(alias="N")
    json_of: pydantic.Json[int] = pydantic.Field(alias="jsonOf")


class RoundedJson(pydantic.BaseModel):
    numbers: pydantic.Json[list[int]]
    rounded: Annotated[float, pydantic.PlainSerializer(round)] = 0


SECRET = pydantic.SecretStr("x")
AMBIGUOUS = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Paris"))


models = st.recursive(
    st.builds(
        Model, n=st.integers(), f=st.none() | st.floats(allow_nan=False, allow_infinity=False)
    ),
    lambda inner: st.builds(Model, n=st.integers(), children=st.lists(inner, max_size=3)),
    max_leaves=5,
)


@given(models)
def test_a_model_is_read_back_as_it_was(model):
    codec = codec_for(Model)
    assert codec.decode(codec.encode(model)) == model


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Model, Model(n=10**40)),
        (Aliased, Aliased(fullName="a")),
        (PydanticDataclass, PydanticDataclass(1)),
        (Holder, Holder(Model(n=1))),
        (Typed, {"model": Model(n=1)}),
        (list[Model], [Model(n=1)]),
        (Model | None, None),
        (dict[str, Model], {"a": Model(n=1)}),
        (Annotated[int, pydantic.Field(gt=0)], 1),
    ],
)
def test_types_that_mention_pydantic_are_its_business(kind, value):
    codec = codec_for(kind)
    assert isinstance(codec, PydanticCodec)
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize("kind", [int, dict, Any, Plain, list[int]])
def test_other_types_are_not(kind):
    assert isinstance(codec_for(kind), TypedCodec)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Model, {"n": 1}, "$: expected Model, got dict"),
        (Model, SubModel(n=1), "$: expected Model, got SubModel"),
        (list[Model], [Model(n=1), {"n": 1}], "$[1]: expected Model, got dict"),
        (dict[str, Model], {"a": {"n": 1}}, "$.a: expected Model, got dict"),
        (
            Model,
            Model.model_construct(n=1, children=[{"n": 1}]),
            "$.children[0]: expected Model, got dict",
        ),
        (Holder, Holder({"n": 1}), "$.model: expected Model, got dict"),  # type: ignore[arg-type]
        (
            Model,
            Model.model_construct(n="x"),
            "$.n: input should be a valid integer, unable to parse string as an integer",
        ),
        (Model, Model.model_construct(n="1"), "$.n: this str would be read back as int"),
        (
            Model,
            Model.model_construct(n=1, children=()),
            "$: holds values of other types than declared",
        ),
        (Model, Model(n=1, f=math.nan), "$.f: nan is not a JSON number"),
        (Constants, Constants(f=math.inf), "cannot be read as JSON: Infinity is not a JSON number"),
        (Aliased, Aliased(fullName="a\0"), "$.name: a NUL character, which PostgreSQL cannot hold"),
        (
            dict[str, Model | str],
            {"a": "\ud800"},
            "$.a: a lone surrogate, which is not Unicode text",
        ),
        (
            Linked,
            Linked(url=URL, note="a\0"),
            "$.note: a NUL character, which PostgreSQL cannot hold",
        ),
        (
            Linked,
            Linked(url=URL, path="a\0"),
            "$.path: a NUL character, which PostgreSQL cannot hold",
        ),
        (Linked, Linked(url=URL, score=math.nan), "$.score: nan is not a JSON number"),
        (Linked, Linked(url=URL, extra=[math.inf]), "$.extra[0]: inf is not a JSON number"),
        (Linked, Linked(url=URL, extra={1: 2}), "$.extra: the key 1 would not be read back"),
        (Lossy, Lossy(secret="x"), "$.secret: this SecretStr would be read back as another"),
        (Lossy, Lossy(left_out=5), "$.left_out: this int would be read back as NoneType"),
        (Lossy, Lossy(rounded=1.5), "$.rounded: this float would be read back as another"),
        (
            list[Lossy],
            [Lossy(), Lossy(tags={1.5})],
            "$[1].tags: this set would be read back as another",
        ),
        (
            dict[str, AsText],
            {"a": AsText(at=NOON)},
            "$.a.at: this datetime would be read back as str",
        ),
        (
            PlainLossy,
            PlainLossy(Model(n=1), "x"),
            "$.secret: this str would be read back as SecretStr",
        ),
        (Person, {"model": Model(n=1), "age": 5}, "$: the key 'age' would not be read back"),
        (
            RoundedJson,
            RoundedJson(numbers="[1]", rounded=1.5),
            "$.numbers: JSON input should be string, bytes or bytearray",
        ),
        (
            OfJson,
            OfJson.model_construct(numbers="[1]"),
            "$.numbers: this str would be read back as list",
        ),
        (
            Uncompared,
            Uncompared(Model(n=1), SECRET),
            "$.token: this SecretStr would be read back as another",
        ),
        (
            Uncompared,
            Uncompared(Model(n=1), at=NOON),
            "$.at: this datetime would be read back as str",
        ),
        (
            OfOneName,
            OfOneName(Model(n=1), SECRET),
            "$.token: this SecretStr would be read back as another",
        ),
        (
            OfOneNumber,
            OfOneNumber(n=1, token=SECRET),
            "$.token: this SecretStr would be read back as another",
        ),
        (
            Holding,
            Holding(children=[Holding(numbers={"a": OfOneNumber(n=1, token=SECRET)})]),
            "$.children[0].numbers.a.token: this SecretStr would be read back as another",
        ),
        (
            AnyAndSecret,
            {"secret": SECRET, "extra": Path("a")},
            "$.secret: this SecretStr would be read back as another",
        ),
        (
            AnyAndSecrets,
            AnyAndSecrets(SECRET),
            "$[0]: this SecretStr would be read back as another",
        ),
        (
            AnyAndSecrets,
            AnyAndSecrets(pydantic.SecretStr(""), secrets=frozenset({SECRET})),
            "$[2]: this frozenset would be read back as another",
        ),
        (Open, Open(b={1: 2}), "$.b: the key 1 would not be read back"),
        (
            OpenForSecrets,
            OpenForSecrets(b="x"),
            "$.b: this SecretStr would be read back as another",
        ),
        (Enums, Enums(status=Status.A), "$.status: this Status would be read back as str"),
        (Enums, Enums(either=Stage.A), "$.either: this Stage would be read back as Status"),
        (Enums, Enums(number=Own(3)), "$.number: this Own would be read back as int"),
        (
            EnumValues,
            EnumValues.model_construct(status=NOON),
            "$.status: input should be 'a'",
        ),
        (
            Collections,
            Collections.model_construct(frozen={FrozenTimed.model_construct(n="1")}),
            "$.frozen: this set would be read back as another",
        ),
        (
            Collections,
            Collections.model_construct(timed=deque([Timed.model_construct(n="1")])),
            "$.timed[0].n: this str would be read back as int",
        ),
        (Annotated[int, pydantic.Field(gt=0)], 0, "$: input should be greater than 0"),
        (Model, None, "$: input should be an object"),
    ],
)
def test_what_the_handler_would_not_get_is_refused(kind, value, message):
    with pytest.raises(PayloadError) as refused:
        codec_for(kind).encode(value)
    assert str(refused.value) == message


def test_a_stored_payload_that_does_not_fit_names_every_field():
    with pytest.raises(PayloadError) as misfit:
        codec_for(Model).decode('{"n": "x", "children": [{"f": 1}]}')
    assert str(misfit.value) == (
        "$.n: input should be a valid integer, unable to parse string as an integer; "
        "$.children[0].n: field required"
    )


@pytest.mark.parametrize("number", ["1.10", "NaN"])
@pytest.mark.parametrize("fold", [0, 1])
def test_what_arrives_need_not_be_equal(number, fold):
    """The hour is one that comes twice, whose times equal none of another zone."""
    at = datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Paris"))
    codec = codec_for(Stateful)
    read = codec.decode(codec.encode(Stateful(own=Own("x"), at=at, number=Decimal(number))))
    assert read.own.text == "x"
    assert read.at.astimezone(UTC) == at.astimezone(UTC)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Uncompared, Uncompared(Model(n=1), at="a")),
        (OfOneNumber, OfOneNumber(n=1, token="")),
        (AnyAndSecret, {"secret": pydantic.SecretStr(""), "extra": {Path("a")}}),
        (AnyAndSecrets, AnyAndSecrets(pydantic.SecretStr(""), {Path("a")})),
        (Open, Open(path=Path("a"), at=NOON, model=Model(n=1))),
        (Enums, Enums(number=3)),
        (EnumValues, EnumValues()),
        (Collections, Collections(timed=[Timed(n=1), Timed(n=2)])),
        (Collections, Collections(frozen={FrozenTimed(n=1, texts=["a"]), FrozenTimed(n=2)})),
        (Collections, Collections(own={Own("a"), Own("b")})),
        (Collections, Collections(times={AMBIGUOUS}, by_time={AMBIGUOUS: 1, NOON: 2})),
        (Collections, Collections(bare={Path("a"), 1})),
        (Iterable[Model], iter([Model(n=1)])),
    ],
)
def test_other_values_of_these_types_are_taken(kind, value):
    codec_for(kind).decode(codec_for(kind).encode(value))


@pytest.mark.parametrize(
    ("extra", "read"), [((1, {"a": Path("b")}), [1, {"a": "b"}]), ({1}, [1]), (NOON, None)]
)
def test_where_a_model_says_any_whatever_can_be_written_is_taken(extra, read):
    codec = codec_for(Linked)
    arrived = codec.decode(codec.encode(Linked(url=URL, extra=extra, parts={"a": [extra]})))
    assert arrived.extra == arrived.parts["a"][0] == (read or "2026-01-02T12:00:00Z")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (OfJson(numbers="[1, null]"), '{"numbers":"[1,null]"}'),
        (Computed(n=1, inner=Computed(n=2)), '{"n":1,"inner":{"n":2,"inner":null}}'),
        (OnlyByName(n=1, json_of="2"), '{"n":1,"json_of":"2"}'),
    ],
)
def test_a_model_that_refuses_its_usual_json_is_written_as_it_takes_it(value, text):
    codec = codec_for(type(value))
    assert codec.encode(value) == text
    assert codec.decode(text) == value


def test_reserved_keys_are_dropped():
    assert codec_for(Forbidding).decode('{"n": 1, "_cron": {}, "_trace": {}}') == Forbidding(n=1)


def test_values_do_not_show_in_refusals():
    with pytest.raises(PayloadError) as refused:
        codec_for(Model).encode(Model.model_construct(n="secret"))
    assert "secret" not in str(refused.value)


def test_what_pydantic_makes_no_schema_of_is_refused():
    class Unknown:
        pass

    with pytest.raises(ConfigurationError, match="cannot be a payload type"):
        codec_for(dict[str, Model | Unknown])


def test_pydantic_is_not_imported_for_other_types():
    code = (
        "import sys\n"
        "from graphile_worker.payloads.select import codec_for\n"
        "codec_for(dict[str, int]).encode({'a': 1})\n"
        "assert 'pydantic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
