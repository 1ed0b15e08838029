"""Conversions of one column's values between SQLite and Postgres, by the name they have in a plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import attrs

from ...errors import ConfigError
from .._plan_reading import fits, hints_of, words_of
from .base import Conversion, Refused, escape, escape_all
from .booleans import Boolean
from .documents import Json, JsonArray
from .numbers import Decimal, Float, Integer, Number
from .texts import Anything, Bytes, PostgresText, Text
from .times import EPOCHS, TARGETS, Epoch, Interval, Temporal
from .uuids import SPELLINGS, Uuid
from .vectors import Vector, swap_float32

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
_CHOICES: dict[tuple[str, str], Collection[Any]] = {
    ("integer", "bits"): (16, 32, 64),
    ("epoch", "epoch"): EPOCHS,
    ("temporal", "target"): TARGETS,
    ("uuid", "spelling"): SPELLINGS,
}


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
    if not isinstance(found, Mapping):
        raise ConfigError(f"a conversion is an object with a kind, not {found!r}")
    arguments = dict(found)
    kind = arguments.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ConfigError(f"conversion kind must be one of {', '.join(sorted(_KINDS))}, not {kind!r}")
    hints = hints_of(_KINDS[kind])
    for name, value in arguments.items():
        if name not in hints:
            known = ", ".join(hints) or "no arguments"
            raise ConfigError(f"conversion {kind!r} takes {known}, not {name}")
        choices = _CHOICES.get((kind, name))
        if not fits(value, hints[name]) or (choices and value not in choices):
            wanted = f"one of {', '.join(map(str, choices))}" if choices else words_of(hints[name])
            raise ConfigError(f"conversion {kind!r}: {name} must be {wanted}, not {value!r}")
    conversion: Conversion = _KINDS[kind](**arguments)
    if problem := conversion.problem():
        raise ConfigError(f"conversion {kind!r}: {problem}")
    return conversion
