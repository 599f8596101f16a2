"""Payloads of pydantic's types."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import pydantic
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st

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


class Plain(typing_extensions.TypedDict):
    n: int


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
        (Model, Model.model_construct(n="1"), "$: holds values of other types than declared"),
        (Model, Model(n=1, f=math.nan), "$.f: nan is not a JSON number"),
        (Constants, Constants(f=math.inf), "cannot be read as JSON: Infinity is not a JSON number"),
        (Aliased, Aliased(fullName="a\0"), "$.name: a NUL character, which PostgreSQL cannot hold"),
        (
            dict[str, Model | str],
            {"a": "\ud800"},
            "$.a: a lone surrogate, which is not Unicode text",
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
