"""A plan from plain values that a person may have edited: every entry is known, and of its kind."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

__all__ = ["fits", "hints_of", "structured", "words_of"]


T = TypeVar("T", bound=attrs.AttrsInstance)


def structured(kind: type[T], found: object, where: str = "") -> T:
    """An attrs object from a mapping of its attributes, and so the objects in its lists.

    Args:
        kind: the class.
        found: what should be a mapping.
        where: what it is part of, for messages.

    Raises:
        ValueError: it is no mapping, or an entry is unknown, missing, or of another kind.
    """
    what = where + " ".join(re.findall("[A-Z][a-z]*", kind.__name__.removesuffix("Plan"))).lower()
    if not isinstance(found, Mapping):
        raise ValueError(f"{what} must be an object, not {found!r}")
    hints = hints_of(kind)
    what += f" {found['name']!r}" if "name" in found else ""
    for attribute in attrs.fields(kind):
        if attribute.default is attrs.NOTHING and attribute.name not in found:
            raise ValueError(f"{what} has no entry {attribute.name!r}")
    values = {}
    for name, value in found.items():
        if name not in hints:
            raise ValueError(f"{what} has an entry {name!r}, which is none of {', '.join(hints)}")
        part = get_args(hints[name])[0] if get_origin(hints[name]) is list else None
        if part is not None and attrs.has(part) and isinstance(value, list):
            values[name] = [structured(part, item, f"{what}, ") for item in value]
        elif fits(value, hints[name]):
            values[name] = value
        else:
            raise ValueError(f"{what}: {name} must be {words_of(hints[name])}, not {value!r}")
    return kind(**values)


_hints: dict[type[Any], dict[str, Any]] = {}


def hints_of(kind: type[Any]) -> dict[str, Any]:
    """The kinds of an attrs class's attributes that are saved, by name."""
    if kind not in _hints:
        hints = get_type_hints(kind)
        names = [item.name for item in attrs.fields(kind) if not item.name.endswith("_config")]
        _hints[kind] = {name: hints[name] for name in names}
    return _hints[kind]


def fits(value: object, hint: Any) -> bool:
    """Whether a value read from JSON is of the kind that an annotation names."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, choice) for choice in get_args(hint))
    if origin is list:
        return isinstance(value, list) and all(fits(item, get_args(hint)[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(item, get_args(hint)[1]) for item in value.values())
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return hint is Any or isinstance(value, hint)


_WORDS = {str: "text", bool: "true or false", int: "a whole number", type(None): "null"}


def words_of(hint: Any) -> str:
    """An annotation in the words of JSON."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(words_of(choice) for choice in get_args(hint))
    if origin is list:
        return "a list"
    if origin is dict:
        return "an object"
    return _WORDS.get(hint, "a value")
