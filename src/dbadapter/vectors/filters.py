"""Chroma's filter grammar, parsed once into a small frozen tree.

``where`` speaks of metadata, ``where_document`` of the document's text. Both become one tree of the nodes
below, which the backends compile to SQL and `matching` evaluates in Python. There is no general NOT:
negation stands in leaves only, so leaving a leaf out can only widen what a tree matches.

What a record lacks never matches a positive leaf and always matches a negated one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NoReturn

from attrs import frozen

from ..errors import InvalidFilter

__all__ = [
    "DOCUMENT_KEY",
    "AllOf",
    "AnyOf",
    "Compare",
    "Filter",
    "HasItem",
    "OneOf",
    "Pattern",
    "Scalar",
    "Substring",
    "leaves",
    "parse",
    "parse_where",
    "parse_where_document",
]

Scalar = str | int | float | bool
Order = Literal["eq", "gt", "gte", "lt", "lte"]

DOCUMENT_KEY = "#document"
MAX_DEPTH = 100
_INT64 = range(-(2**63), 2**63)
_ORDERS: Mapping[str, Order] = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$contains", "$not_contains")
_DOCUMENT_OPERATORS = ("$contains", "$not_contains", "$regex", "$not_regex", "$and", "$or")


@frozen
class Compare:
    """A metadata value equal to, or ordered against, a given one; ``negated`` goes with ``eq`` only."""

    key: str
    order: Order
    value: Scalar
    negated: bool = False


@frozen
class OneOf:
    """A metadata value that equals one of several, all of one type."""

    key: str
    values: tuple[Scalar, ...]
    negated: bool = False


@frozen
class HasItem:
    """A metadata list that holds an item."""

    key: str
    value: Scalar
    negated: bool = False


@frozen
class Substring:
    """A document that contains a text, case and all."""

    text: str
    negated: bool = False


@frozen
class Pattern:
    """A document in which an RE2 pattern is found."""

    pattern: str
    negated: bool = False


@frozen
class AllOf:
    """Every part matches."""

    parts: tuple[Filter, ...]


@frozen
class AnyOf:
    """At least one part matches."""

    parts: tuple[Filter, ...]


Leaf = Compare | OneOf | HasItem | Substring | Pattern
Filter = Leaf | AllOf | AnyOf


def parse(where: Any, where_document: Any) -> Filter | None:
    """Parse both filters into one tree; None means "no filter". Raises `InvalidFilter` naming the place."""
    parts = []
    if where is not None:
        parts.append(parse_where(where))
    if where_document is not None:
        parts.append(parse_where_document(where_document))
    if len(parts) == 2:
        return AllOf((parts[0], parts[1]))
    return parts[0] if parts else None


def leaves(tree: Filter | None) -> list[Leaf]:
    """All leaves of a tree, left to right."""
    if tree is None:
        return []
    if isinstance(tree, AllOf | AnyOf):
        return [leaf for part in tree.parts for leaf in leaves(part)]
    return [tree]


def parse_where(where: Any) -> Filter:
    """Parse a metadata filter. Raises `InvalidFilter`."""
    return _where(where, "where", 0)


def parse_where_document(where_document: Any) -> Filter:
    """Parse a document filter. Raises `InvalidFilter`."""
    return _document(where_document, "where_document", 0)


# -- metadata ------------------------------------------------------------------------------------------


def _where(where: Any, place: str, depth: int) -> Filter:
    key, operand = _single(where, place, "metadata key, $and or $or", depth)
    if key in ("$and", "$or"):
        return _logical(key, operand, f"{place}.{key}", _where, depth)
    if key.startswith("$"):
        raise InvalidFilter(
            f"{place}: {key} is no logical operator ($and, $or) and cannot be a metadata key;"
            ' an operator goes inside its key, as in {"year": {"$gte": 2020}}'
        )
    place = f"{place}.{key}"
    _check_text(key, place)
    if not isinstance(operand, Mapping):
        if key == DOCUMENT_KEY:
            raise InvalidFilter(f'{place}: the document is filtered as {{"$contains": text}} only')
        return Compare(key, "eq", _scalar(operand, place))
    operator, value = _single(operand, place, "operator such as $eq or $gt", depth)
    place = f"{place}.{operator}"
    if operator not in _OPERATORS:
        raise InvalidFilter(f"{place}: {operator} is not one of {', '.join(_OPERATORS)}")
    if key == DOCUMENT_KEY:
        if operator not in ("$contains", "$not_contains"):
            raise InvalidFilter(f"{place}: the document takes $contains and $not_contains here")
        return Substring(_needle(value, place), operator == "$not_contains")
    return _leaf(key, operator, value, place)


def _leaf(key: str, operator: str, value: Any, place: str) -> Leaf:
    if operator in ("$in", "$nin"):
        return OneOf(key, _scalars(value, place), operator == "$nin")
    if operator in _ORDERS:
        number = _scalar(value, place)
        if isinstance(number, str | bool):
            raise InvalidFilter(f"{place}: only numbers are ordered, not {value!r}")
        return Compare(key, _ORDERS[operator], number)
    scalar = _scalar(value, place)
    if operator in ("$contains", "$not_contains"):
        return HasItem(key, scalar, operator == "$not_contains")
    return Compare(key, "eq", scalar, operator == "$ne")


def _scalars(values: Any, place: str) -> tuple[Scalar, ...]:
    if not isinstance(values, list | tuple):
        raise InvalidFilter(f"{place}: takes a list of values, not {values!r}")
    if not values:
        raise InvalidFilter(f"{place}: the list is empty")
    scalars = tuple(_scalar(value, f"{place}[{number}]") for number, value in enumerate(values))
    if len({type(value) for value in scalars}) > 1:
        raise InvalidFilter(f"{place}: the values of a list are all of one type, unlike {values!r:.200}")
    return scalars


def _scalar(value: Any, place: str) -> Scalar:
    """A value of exactly one of the four types, subclasses made plain."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        plain = str.__str__(value)
        _check_text(plain, place)
        return plain
    if isinstance(value, int):
        if value not in _INT64:
            raise InvalidFilter(f"{place}: {value} is beyond 64 bits")
        return int(value)
    if isinstance(value, float):
        if math.isnan(value):
            raise InvalidFilter(f"{place}: NaN equals nothing and is ordered against nothing")
        return float(value)
    raise InvalidFilter(f"{place}: takes a str, int, float or bool, not {value!r:.200}")


# -- documents -----------------------------------------------------------------------------------------


def _document(where: Any, place: str, depth: int) -> Filter:
    operator, operand = _single(where, place, "operator such as $contains or $regex", depth)
    place = f"{place}.{operator}"
    if operator not in _DOCUMENT_OPERATORS:
        raise InvalidFilter(f"{place}: {operator} is not one of {', '.join(_DOCUMENT_OPERATORS)}")
    if operator in ("$and", "$or"):
        return _logical(operator, operand, place, _document, depth)
    text = _needle(operand, place)
    if operator in ("$contains", "$not_contains"):
        return Substring(text, operator == "$not_contains")
    from .matching import compile_pattern

    try:
        compile_pattern(text)
    except ValueError as error:
        raise InvalidFilter(
            f"{place}: {text!r:.200} is not a pattern in RE2 syntax: {error!s:.200}"
        ) from None
    return Pattern(text, operator == "$not_regex")


def _needle(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidFilter(f"{place}: takes a text that is not empty, not {value!r:.200}")
    _check_text(value, place)
    return str.__str__(value)


# -- both ----------------------------------------------------------------------------------------------


def _single(where: Any, place: str, wanted: str, depth: int) -> tuple[str, Any]:
    """The one entry of a mapping."""
    if depth > MAX_DEPTH:
        raise InvalidFilter(f"{place[:200]}…: nested more than {MAX_DEPTH} deep")
    if not isinstance(where, Mapping):
        raise InvalidFilter(f"{place}: takes a mapping with one {wanted}, not {where!r:.200}")
    if len(where) != 1:
        advice = "" if not where else '; join several with {"$and": [...]}'
        raise InvalidFilter(f"{place}: takes exactly one {wanted}, not {len(where)}{advice}")
    ((key, value),) = where.items()
    if not isinstance(key, str):
        raise InvalidFilter(f"{place}: the key {key!r} is not text")
    return str.__str__(key), value


def _logical(
    operator: str, parts: Any, place: str, parse_part: Callable[[Any, str, int], Filter], depth: int
) -> Filter:
    if not isinstance(parts, list | tuple):
        raise InvalidFilter(f"{place}: takes a list of filters, not {parts!r:.200}")
    if len(parts) < 2:
        raise InvalidFilter(f"{place}: takes at least two filters, not {len(parts)}")
    parsed = tuple(parse_part(part, f"{place}[{number}]", depth + 1) for number, part in enumerate(parts))
    return AllOf(parsed) if operator == "$and" else AnyOf(parsed)


def _check_text(text: str, place: str) -> None:
    """Refuse what neither backend can hold, so that a filter means the same on both."""
    if "\0" in text:
        _refuse(place, "a NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            _refuse(place, "a lone surrogate")


def _refuse(place: str, what: str) -> NoReturn:
    shown = place.encode("ascii", "backslashreplace").decode()
    raise InvalidFilter(f"{shown}: text with {what} is held by no record")
