"""Payloads of dataclasses, TypedDicts, NamedTuples, Structs, attrs classes and builtins."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphile_worker.errors import ConfigurationError, PayloadError
from graphile_worker.payloads.select import codec_for

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"


@dataclass
class Item:
    n: int
    f: float | None = None


@dataclass
class SubItem(Item):
    more: int = 0


@dataclass
class Order:
    id: UUID
    at: datetime
    total: Decimal
    color: Color = Color.RED
    items: list[Item] = field(default_factory=list)
    named: dict[str, Item] = field(default_factory=dict)
    pair: tuple[int, Item] | None = None
    extra: Any = None


@dataclass(eq=False)
class Uncomparable:
    n: int
    parent: Uncomparable | None = None


@dataclass
class Noted:
    n: int
    note: Any = field(default=None, compare=False)


@attrs.define
class AttrsNoted:
    n: int
    note: float | None = attrs.field(default=None, eq=False)


@dataclass
class Choosy:
    n: int

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError("n must not be negative")


class Person(TypedDict):
    name: str
    item: NotRequired[Item]


class Point(NamedTuple):
    x: int
    y: int = 0


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    a: int


class Box(msgspec.Struct, Generic[T]):
    value: T


class Cat(msgspec.Struct, tag=True):
    n: int


class Dog(msgspec.Struct, tag=True):
    n: int


@attrs.define
class Shape:
    sides: int
    name: str = ""


@attrs.define
class Hidden:
    _n: int = 0


ID = UUID(int=7)
NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
ORDER = Order(ID, NOW, Decimal("1.10"), Color.RED, [Item(1)], {"k": Item(2, 0.5)}, (3, Item(4)))

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
items = st.builds(Item, st.integers(), numbers)
aware = st.datetimes(timezones=st.just(UTC))
orders = st.builds(
    Order,
    st.uuids(),
    aware,
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from(Color),
    st.lists(items, max_size=3),
    st.dictionaries(texts, items, max_size=3),
    st.none() | st.tuples(st.integers(), items),
    st.none() | st.lists(texts) | st.dictionaries(texts, st.integers()),
)


@given(orders)
def test_a_dataclass_is_read_back_as_it_was(order):
    codec = codec_for(Order)
    assert codec.decode(codec.encode(order)) == order


@given(
    st.fixed_dictionaries({"name": texts}, optional={"item": items}),
    st.builds(Point, st.integers(), st.integers()),
    st.builds(Shape, st.integers(), texts),
    st.builds(Strict, st.integers()),
)
def test_records_of_every_kind_are_read_back_as_they_were(person, point, shape, strict):
    for kind, value in ((Person, person), (Point, point), (Shape, shape), (Strict, strict)):
        codec = codec_for(kind)
        assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, 10**40),
        (int, -(10**40)),
        (float, 1),
        (float, -0.0),
        (float, 5e-324),
        (bool, True),
        (str, "\\u0000 null 🐘"),
        (bytes, b"\x00\xff"),
        (date, date(2026, 1, 2)),
        (datetime, NOW),
        (datetime, datetime(2026, 1, 2)),  # noqa: DTZ001 (naive is a value too)
        (timedelta, timedelta(days=-3, microseconds=7)),
        (Decimal, Decimal("1.10")),
        (UUID, ID),
        (Color, Color.RED),
        (Literal["a", 1], "a"),
        (int | str, "a"),
        (Item | None, None),
        (Item | None, Item(1)),
        (Cat | Dog, Dog(1)),
        (Box[int], Box(1)),
        (list[Item], []),
        (list[Item], [Item(1)]),
        (set[int], {1, 2}),
        (frozenset[str], frozenset("ab")),
        (tuple[int, str], (1, "a")),
        (tuple[Item, ...], (Item(1), Item(2))),
        (dict[int, str], {1: "a"}),
        (dict[UUID, Item], {ID: Item(1)}),
        (dict, {"a": [1, {"b": None}]}),
        (Mapping[str, object], {"a": None}),
        (object, [1, "a", None]),
        (Any, None),
        (Any, "text"),
        (Annotated[int, msgspec.Meta(ge=1)], 1),
        (Order, ORDER),
        (None, None),
    ],
)
def test_a_value_of_the_type_is_read_back_as_it_was(kind, value):
    codec = codec_for(kind)
    read = codec.decode(codec.encode(value))
    assert read == value
    assert type(read) is type(value) or kind is float


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (list[Item], (Item(1),), [Item(1)]),
        (list[int], {1}, [1]),
        (set[int], [1, 1], {1}),
        (Any, {"a": (1, 2)}, {"a": [1, 2]}),
        (Any, {"a": ID, "b": [Item(1)]}, {"a": str(ID), "b": [{"n": 1, "f": None}]}),
        (dict, {"at": NOW}, {"at": "2026-01-02T03:04:05.000678Z"}),
        (dict[str, Any], {"at": {"id": ID}}, {"at": {"id": str(ID)}}),
        (
            Order,
            Order(ID, NOW, Decimal(1), extra=(ID,)),
            Order(ID, NOW, Decimal(1), extra=[str(ID)]),
        ),
    ],
)
def test_json_has_lists_only_and_any_takes_whatever_can_be_written(kind, value, read):
    codec = codec_for(kind)
    assert codec.decode(codec.encode(value)) == read


@pytest.mark.parametrize("fold", [0, 1])
def test_a_time_of_the_hour_that_comes_twice_arrives(fold):
    at = datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Paris"))
    codec = codec_for(datetime)
    assert codec.decode(codec.encode(at)).astimezone(UTC) == at.astimezone(UTC)


@pytest.mark.parametrize("value", [Noted(1), Noted(1, [2, {"a": None}]), Noted(1, (2,))])
def test_what_equality_leaves_out_arrives(value):
    codec = codec_for(dict[str, list[Noted | int]])
    assert codec.decode(codec.encode({"a": [value, 5]}))["a"] == [value, 5]


def test_a_class_without_equality_is_compared_by_its_fields():
    codec = codec_for(Uncomparable)
    assert codec.decode(codec.encode(Uncomparable(1, Uncomparable(2)))).parent.n == 2
    with pytest.raises(PayloadError, match=r"\$\.parent: expected Uncomparable, got dict"):
        codec.encode(Uncomparable(1, {"n": 2}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Order, {"id": ID}, "$: expected Order, got dict"),
        (Item, {"n": 1}, "$: expected Item, got dict"),
        (Item, Point(1), "$: expected Item, got Point"),
        (Item, SubItem(1), "$: expected Item, got SubItem"),
        (Item, None, "$: expected Item, got NoneType"),
        (Item, Item("1"), "$.n: expected int, got str"),
        (Item, Item(True), "$.n: expected int, got bool"),
        (Item, Item(1.0), "$.n: expected int, got float"),
        (Item, Item(1, math.nan), "$.f: nan is not a JSON number"),
        (list[Item], [Item(1), {"n": 1}], "$[1]: expected Item, got dict"),
        (list[Item], Item(1), "$: expected array, got object"),
        (dict[str, Item], {"a": {"n": 1}}, "$.a: expected Item, got dict"),
        (tuple[int, Item], (1, {"n": 1}), "$[1]: expected Item, got dict"),
        (Item | None, {"n": 1}, "$: expected Item, got dict"),
        (list[Item] | None, [{"n": 1}], "$[0]: expected Item, got dict"),
        (Item | int, "a", "$: expected int | object, got str"),
        (Person, {"nam": "a"}, "$: the field 'name' is missing"),
        (Person, {"name": "a", "itm": 1}, "$: the field 'itm' is not known"),
        (Person, {"name": "a", "item": {"n": 1}}, "$.item: expected Item, got dict"),
        (UUID, str(ID), "$: expected UUID, got str"),
        (Color, "red", "$: expected Color, got str"),
        (str, ID, "$: expected str, got UUID"),
        (int, "5", "$: expected int, got str"),
        (int, None, "$: expected int, got null"),
        (float, 2**53 + 1, "$: expected float, got int"),
        (
            datetime,
            NOW.replace(tzinfo=timezone(timedelta(seconds=1))),
            "$: this datetime would be read back as another",
        ),
        (dict, [1], "$: expected object, got array"),
        (dict, {1: 2}, "$: the key 1 would be read back as a string; use str(1)"),
        (Any, [{"a": {1: 2}}], "$[0].a: the key 1 would be read back as a string; use str(1)"),
        (Any, {"x": [math.inf]}, "$.x[0]: inf is not a JSON number"),
        (Any, "\0", "$: a NUL character, which PostgreSQL cannot hold"),
        (dict, {"a": {"\0": 1}}, "$.a: in a key: a NUL character, which PostgreSQL cannot hold"),
        (str, "\ud800", "$: a lone surrogate, which is not Unicode text"),
        (Any, object(), "$: a value or key of type object has no form in JSON"),
        (Annotated[int, msgspec.Meta(ge=1)], 0, "$: expected int >= 1"),
        (Noted, Noted(1, math.nan), "$.note: nan is not a JSON number"),
        (AttrsNoted, AttrsNoted(1, math.inf), "$.note: inf is not a JSON number"),
        (AttrsNoted, AttrsNoted(1, "1"), "$.note: expected float | null, got str"),  # type: ignore[arg-type]
        (AttrsNoted, AttrsNoted(1, 2**53 + 1), "$.note: expected float, got int"),
        (
            list[Noted],
            [Noted(1, {1: 2})],
            "$[0].note: the key 1 would be read back as a string; use str(1)",
        ),
        (
            dict[str, tuple[Noted | None, ...]],
            {"a": (None, Noted(1, {1: 2}))},
            "$.a[1].note: the key 1 would be read back as a string; use str(1)",
        ),
        (Choosy, Choosy(1), None),
        (Hidden, Hidden(4), "$._n: this int would be read back as another"),
        (dict[str, int], {1: 2}, "$: the key 1 would be read back as another one"),
        (
            dict[UUID, int],
            {str(ID): 2},
            f"$: the key {str(ID)!r} would be read back as another one",
        ),
        (set[UUID], [str(ID)], "$: items that would be read back as others"),
        (set[UUID], ID.hex, "$: expected array, got str"),
        (list[UUID], {ID: 1}, "$: expected array, got object"),
        (Point, (1, 2.5), "$: expected Point, got tuple"),
        (list[Point], [Item(1)], "$[0]: expected array, got object"),
        (set[Item], [1], "$[0]: expected object, got int"),
    ],
)
def test_what_the_handler_would_not_get_is_refused(kind, value, message):
    codec = codec_for(kind)
    if message is None:
        value.n = -1
        message = "$: n must not be negative"
    with pytest.raises(PayloadError) as refused:
        codec.encode(value)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Order, "[]", "$: expected object, got array"),
        (Item, "{}", "$: the field 'n' is missing"),
        (Item, '{"n": "1"}', "$.n: expected int, got str"),
        (list[Item], '[{"n": 1}, {"n": null}]', "$[1].n: expected int, got null"),
        (Strict, '{"a": 1, "b": 2}', "$: the field 'b' is not known"),
        (Color, '"blue"', "$: invalid enum value 'blue'"),
        (Choosy, '{"n": -1}', "$: n must not be negative"),
        (dict[int, int], '{"a": 1}', "$ (key): expected int, got str"),
        (dict, "5", "$: expected object, got int"),
        (Item, '{"n": 1e400}', "$.n: inf is not a JSON number"),
        (Person, r'{"name": "\ud800"}', "$.name: a lone surrogate, which is not Unicode text"),
        (Item, "[" * 5000, "$: expected object, got array"),
        (Any, "[" * 100_000 + "]" * 100_000, "$: nested too deep, or a value that contains itself"),
    ],
)
def test_a_stored_payload_that_does_not_fit_names_the_field(kind, text, message):
    with pytest.raises(PayloadError) as misfit:
        codec_for(kind).decode(text)
    assert str(misfit.value) == message


def test_text_that_is_no_json_is_a_payload_error():
    with pytest.raises(PayloadError, match="cannot be read as JSON"):
        codec_for(Item).decode("{")


def test_handlers_that_take_any_object_get_odd_json():
    for kind in (dict, Any, dict[str, Any], object):
        assert codec_for(kind).decode(r'{"a": "\ud800", "b": 1e400}') == {
            "a": "\ud800",
            "b": math.inf,
        }
    with pytest.raises(PayloadError, match="expected object, got array"):
        codec_for(dict).decode("[1e400]")


RESERVED = '{"n": 1, "_cron": {"ts": "x"}, "_trace": {"flags": 1}}'


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (Item, Item(1)),
        (dict[str, int], {"n": 1}),
        (dict, {"n": 1, "_cron": {"ts": "x"}}),
        (dict[str, Any], {"n": 1, "_cron": {"ts": "x"}}),
        (Any, {"n": 1, "_cron": {"ts": "x"}}),
        (object, {"n": 1, "_cron": {"ts": "x"}}),
        (dict | None, {"n": 1, "_cron": {"ts": "x"}}),
        (None, None),
    ],
)
def test_reserved_keys_are_dropped_before_a_typed_payload(kind, read):
    assert codec_for(kind).decode(RESERVED) == read


def test_a_strict_type_is_not_told_of_reserved_keys():
    assert codec_for(Strict).decode('{"a": 1, "_cron": 1, "_trace": 2}') == Strict(1)
    assert codec_for(list[Strict]).decode('[{"a": 1, "_trace": {}}, {"a": 2}]') == [
        Strict(1),
        Strict(2),
    ]


class Unreadable:
    pass


@dataclass
class HoldsUnreadable:
    inner: list[Unreadable]


@dataclass
class Recursive:
    children: list[Recursive]


@dataclass
class Unresolved:
    inner: Missing  # type: ignore[name-defined]  # noqa: F821


@dataclass
class WithInitVar:
    n: InitVar[int]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Unreadable, "Unreadable cannot be a payload type: JSON cannot be read as Unreadable"),
        (
            HoldsUnreadable,
            "HoldsUnreadable cannot be a payload type: JSON cannot be read as Unreadable",
        ),
        (Path, "JSON cannot be read as Path"),
        (complex, "JSON cannot be read as complex"),
        (Item | Shape, "may not contain more than one"),
        (Unresolved, "name 'Missing' is not defined"),
        (WithInitVar, "`InitVar` fields are not supported"),
        (list["Item"], "is not supported"),
    ],
)
def test_a_type_that_json_cannot_be_read_as_is_refused(kind, message):
    with pytest.raises(ConfigurationError, match=message):
        codec_for(kind)


def test_a_recursive_type_is_read():
    codec = codec_for(Recursive)
    tree = Recursive([Recursive([]), Recursive([Recursive([])])])
    assert codec.decode(codec.encode(tree)) == tree
