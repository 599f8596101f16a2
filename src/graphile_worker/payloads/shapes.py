"""Containers of anything: what `isinstance` knows and strict type checkers want to be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether it becomes a JSON object."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether it becomes a JSON array, in this order."""
    return isinstance(value, list | tuple)


def is_collection(
    value: object,
) -> TypeGuard[list[Any] | tuple[Any, ...] | set[Any] | frozenset[Any]]:
    """Whether it becomes a JSON array, in some order."""
    return isinstance(value, list | tuple | set | frozenset)


def class_of(value: object) -> type:
    """`type(value)`, of a value of unknown type."""
    return type(value)
