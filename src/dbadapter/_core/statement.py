"""A parsed statement: its text for each backend, and the values of its parameters in their places.

The text is cut into the pieces between placeholders; a backend's text is those pieces joined by its own markers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import attrs

from ..errors import ParameterError

__all__ = ["MAX_PARAMETERS", "MOST_PLACEHOLDERS", "Parameters", "Slot", "Statement"]

# The smallest of the backends' limits: SQLite's SQLITE_MAX_VARIABLE_NUMBER (Postgres: 65,535).
MAX_PARAMETERS = 32_766
MOST_PLACEHOLDERS = 65_535  # Postgres counts them in 16 bits

# The usual sequences of parameters; others are looked at more closely.
_SIMPLE = frozenset({tuple, list})
_SINGLE_VALUES = (str, bytes, bytearray, memoryview, Mapping)

Parameters = Mapping[str, Any] | Sequence[Any] | None


@attrs.frozen
class Slot:
    """One placeholder.

    Attributes:
        key: the parameter's name, or its position from 0.
        expands: it stands after IN, so that a sequence is spread out.
        negated: after NOT IN.
        start: where in the piece before it the IN (or NOT IN) begins.
        may_be_single: it stood in parentheses by itself, ``IN (?)``, so that a single value is taken too.
        tested: it is asked whether it IS NULL, which tells Postgres nothing of its type.
    """

    key: str | int
    expands: bool = False
    negated: bool = False
    start: int = 0
    may_be_single: bool = False
    tested: bool = False

    def spreads(self, value: Any) -> bool:
        """Each item of `value` gets a place of its own."""
        return self.expands and isinstance(value, (Sequence, Set)) and not isinstance(value, _SINGLE_VALUES)


@attrs.define(eq=False)
class Statement:
    """A parsed statement.

    Attributes:
        text: as the caller wrote it.
        verb: its first word in lower case.
        pieces: the text between the placeholders, one more than `slots`.
        slots: the placeholders in order.
        named: the placeholders are ``:name``.
        keys: the distinct parameters in order of their first appearance.
        writes: it certainly changes something (a hint: what reads may still turn out to write).
        changes_schema: it may alter tables, so what is known of columns is to be looked up anew.
        table: the table it inserts into, updates or deletes from, as written.
        returning: where its RETURNING list begins in the text, or -1.
        inserts_values: an INSERT of given rows (not of a SELECT's).
        upserts: it has an ON CONFLICT clause.
        ending: the semicolon at its end and the comments after it, which no backend is sent.
    """

    text: str
    verb: str
    pieces: tuple[str, ...]
    slots: tuple[Slot, ...]
    named: bool
    writes: bool
    changes_schema: bool
    table: str | None
    returning: int
    inserts_values: bool
    upserts: bool
    ending: str
    keys: tuple[str | int, ...] = attrs.field(init=False)
    plain: str | None = attrs.field(init=False)
    numbered: str | None = attrs.field(init=False)
    _slot_keys: tuple[str | int, ...] = attrs.field(init=False)
    _numbered_keys: tuple[str | int, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.keys = tuple(dict.fromkeys(slot.key for slot in self.slots))
        self._slot_keys = tuple(slot.key for slot in self.slots)
        fixed = not any(slot.expands for slot in self.slots)
        self.plain = self._join(["?"] * len(self.slots)) if fixed else None
        keys = list(dict.fromkeys(slot.key for slot in self.slots if not slot.tested))
        numbers = {key: f"${number}" for number, key in enumerate(keys, 1)}
        markers = []
        for slot in self.slots:
            if slot.tested:
                # A number of its own: where else the parameter stands, it may have to be of another type than text.
                keys.append(slot.key)
                markers.append(f"CAST(${len(keys)} AS text)")
            else:
                markers.append(numbers[slot.key])
        self.numbered = self._join(markers) if fixed else None
        self._numbered_keys = tuple(keys)

    def _join(self, markers: Sequence[str]) -> str:
        parts = [self.pieces[0]]
        for marker, piece in zip(markers, self.pieces[1:], strict=True):
            parts += (marker, piece)
        return "".join(parts).removesuffix(self.ending)

    def without_parameters(self) -> str:
        """The text with NULL for every parameter, for a look at its columns."""
        return self._join(["(NULL)" if slot.expands else "NULL" for slot in self.slots])

    def bind_plain(self, params: Parameters) -> tuple[str, Sequence[Any]]:
        """The text with ``?`` markers, and a value for each of them.

        Raises `ParameterError` naming what is missing or surplus.
        """
        if self.plain is None:
            return self._expand(params, numbered=False)
        keys = self._slot_keys
        if params.__class__ in _SIMPLE and not self.named and len(params) == len(keys):
            return self.plain, params
        return self.plain, self._values(params, keys)

    def bind_numbered(self, params: Parameters) -> tuple[str, Sequence[Any]]:
        """The text with ``$1`` markers, and a value for each number. Raises `ParameterError` as `bind_plain` does."""
        if self.numbered is None:
            return self._expand(params, numbered=True)
        return self.numbered, self._values(params, self._numbered_keys)

    def describe(self, index: int, *, numbered: bool) -> str:
        """What the caller calls the value that stands at `index` of a binding without IN lists."""
        keys = self._numbered_keys if numbered else self._slot_keys
        key = keys[index] if index < len(keys) else index
        return f":{key}" if isinstance(key, str) else f"{key + 1}"

    def _values(self, params: Parameters, keys: tuple[str | int, ...]) -> Sequence[Any]:
        if not keys:
            if params:
                self._complain(params)
            return ()
        if self.named:
            try:
                if len(params) == len(self.keys):  # type: ignore[arg-type]
                    return [params[key] for key in keys]  # type: ignore[index]
            except (TypeError, KeyError, IndexError):
                pass
        elif isinstance(params, (tuple, list)) and len(params) == len(self.slots):
            return params if keys == self._slot_keys else [params[key] for key in keys]  # type: ignore[index]
        return self._checked(params, keys)

    def _checked(self, params: Parameters, keys: tuple[str | int, ...]) -> Sequence[Any]:
        """The slow path of `_values`: an unusual sequence, or a complaint."""
        self._complain(params)
        return [params[key] for key in keys]  # type: ignore[index]

    def _complain(self, params: Parameters) -> None:
        """Raise `ParameterError` unless `params` are exactly what the placeholders ask for."""
        if self.named:
            if not isinstance(params, Mapping):
                first = f":{self.keys[0]}"
                given = "nothing was given" if params is None else f"{type(params).__name__} was given"
                raise self._error(f"the placeholders are named ({first}), so a mapping is needed; {given}")
            if missing := [key for key in self.keys if key not in params]:
                raise self._error("no value for " + ", ".join(f":{key}" for key in missing))
            if surplus := [key for key in params if key not in self.keys]:
                raise self._error("no placeholder for " + ", ".join(f":{key}" for key in surplus))
            return
        if isinstance(params, Mapping):
            if not self.slots:
                raise self._error("no placeholder for " + ", ".join(f":{key}" for key in params))
            raise self._error("the placeholders are ?, so a sequence is needed; a mapping was given")
        if isinstance(params, (str, bytes, bytearray)):
            raise self._error(
                f"params must be a sequence of values, not {type(params).__name__}; wrap it: (value,)"
            )
        if params is not None and not isinstance(params, Sequence):
            raise self._error(f"params must be a mapping or a sequence, not {type(params).__name__}")
        given_count = len(params or ())
        if given_count < len(self.slots):
            raise self._error(
                f"no value for parameter {given_count + 1}: "
                f"{len(self.slots)} placeholders, {given_count} values"
            )
        if given_count > len(self.slots):
            raise self._error(
                f"no placeholder for parameter {len(self.slots) + 1}: "
                f"{len(self.slots)} placeholders, {given_count} values"
            )

    def _expand(self, params: Parameters, *, numbered: bool) -> tuple[str, Sequence[Any]]:
        """Text and values with the sequences after IN spread out; an empty one matches nothing."""
        self._complain(params)
        parts: list[str] = []
        values: list[Any] = []
        numbers: dict[str | int, str] = {}

        def marker(value: Any) -> str:
            values.append(value)
            return f"${len(values)}" if numbered else "?"

        for piece, slot in zip(self.pieces, self.slots, strict=False):
            value = params[slot.key]  # type: ignore[index]
            if slot.tested and numbered:
                parts += (piece, f"CAST({marker(value)} AS text)")
                continue
            if not slot.expands:
                if not numbered or slot.key not in numbers:
                    numbers[slot.key] = marker(value)
                parts += (piece, numbers[slot.key])
                continue
            if not slot.spreads(value):
                if slot.may_be_single:
                    parts += (piece, "(", marker(value), ")")
                    continue
                name = f":{slot.key}" if self.named else f"parameter {int(slot.key) + 1}"
                raise self._error(
                    f"{name} stands after IN and takes a list, tuple or set, not {type(value).__name__}"
                )
            if value:
                parts += (piece, "(", ", ".join([marker(item) for item in value]), ")")
            elif numbered:  # Postgres has no `IN ()`; an untyped empty array takes the type of the left side
                parts += (piece[: slot.start], "<> ALL ('{}')" if slot.negated else "= ANY ('{}')")
            else:
                parts += (piece, "()")
        parts.append(self.pieces[-1])
        if len(values) > MAX_PARAMETERS:
            raise self._error(
                f"{len(values):,} values are too many for one statement (at most {MAX_PARAMETERS:,}); "
                "load them into a temporary table with insert_many and join it"
            )
        return "".join(parts).removesuffix(self.ending), values

    def _error(self, message: str) -> ParameterError:
        return ParameterError(message, statement=self.text, sqlstate="07001")
