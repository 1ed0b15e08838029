"""Conversions of one column's values between SQLite and Postgres, by the name they have in a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ...errors import ConfigError
from .base import Conversion, Refused, escape, escape_all
from .numbers import Boolean, Decimal, Float, Integer, Interval, Number
from .others import Json, JsonArray, PostgresText, Uuid, Vector, swap_float32
from .texts import Anything, Bytes, Text
from .times import Epoch, Temporal

__all__ = [
    "Anything",
    "Boolean",
    "Bytes",
    "Conversion",
    "Decimal",
    "Epoch",
    "Float",
    "Integer",
    "Interval",
    "Json",
    "JsonArray",
    "Number",
    "PostgresText",
    "Refused",
    "Temporal",
    "Text",
    "Uuid",
    "Vector",
    "dump",
    "escape",
    "escape_all",
    "load",
    "swap_float32",
]

_CLASSES: tuple[type[Any], ...] = (
    Anything, Boolean, Bytes, Decimal, Epoch, Float, Integer, Interval, Json, JsonArray, Number, PostgresText,
    Temporal, Text, Uuid, Vector,
)  # fmt: skip
_KINDS = {kind.kind: kind for kind in _CLASSES}


def dump(conversion: Conversion) -> dict[str, Any]:
    """A conversion as it stands in a plan: its kind, and the attributes that are not the default."""
    found: dict[str, Any] = {"kind": conversion.kind}
    for attribute in attrs.fields(_KINDS[conversion.kind]):
        value = getattr(conversion, attribute.name)
        if value != attribute.default:
            found[attribute.name] = value
    return found


def load(found: Mapping[str, Any]) -> Conversion:
    """The conversion that `dump` wrote, or a person did. Raises `ConfigError` naming what is wrong with it."""
    arguments = dict(found)
    kind = arguments.pop("kind", None)
    if kind not in _KINDS:
        raise ConfigError(f"conversion kind must be one of {', '.join(sorted(_KINDS))}, not {kind!r}")
    try:
        conversion: Conversion = _KINDS[kind](**arguments)
    except TypeError:
        known = ", ".join(attribute.name for attribute in attrs.fields(_KINDS[kind])) or "no arguments"
        raise ConfigError(f"conversion {kind!r} takes {known}, not {', '.join(arguments)}") from None
    return conversion
