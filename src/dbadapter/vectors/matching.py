"""What a filter means: its tree evaluated in plain Python, one record at a time.

This is the definition the compiled SQL is tested against, and what decides wherever SQL cannot (patterns).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from .filters import AllOf, AnyOf, Compare, Filter, HasItem, OneOf, Pattern, Scalar, Substring

__all__ = ["compile_pattern", "matches", "same"]

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_MISSING = object()


def matches(tree: Filter | None, metadata: Mapping[str, Any] | None, document: str | None) -> bool:
    """Whether a record matches; no tree matches everything."""
    match tree:
        case None:
            return True
        case AllOf(parts):
            return all(matches(part, metadata, document) for part in parts)
        case AnyOf(parts):
            return any(matches(part, metadata, document) for part in parts)
        case Substring(text, negated):
            return (document is not None and text in document) is not negated
        case Pattern(pattern, negated):
            found = document is not None and compile_pattern(pattern)(document)
            return found is not negated
        case Compare(key, "eq", wanted, negated):
            return same(_value(metadata, key), wanted) is not negated
        case Compare(key, order, wanted):
            value = _value(metadata, key)
            return _is_number(value) and _ORDERS[order](value, wanted)
        case OneOf(key, values, negated):
            value = _value(metadata, key)
            return any(same(value, wanted) for wanted in values) is not negated
        case HasItem(key, wanted, negated):
            value = _value(metadata, key)
            return (isinstance(value, list) and any(same(item, wanted) for item in value)) is not negated
    raise AssertionError(tree)


def same(value: Any, wanted: Scalar) -> bool:
    """Equality of scalars: numbers compare exactly across int and float, a bool equals bools only."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return not isinstance(value, list) and value == wanted


def _value(metadata: Mapping[str, Any] | None, key: str) -> Any:
    return _MISSING if metadata is None else metadata.get(key, _MISSING)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether the pattern is found in a text, in time linear in the text.

    Raises ValueError saying what is wrong with the pattern.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        message = error.args[0] if error.args else error
        raise ValueError(
            message.decode(errors="replace") if isinstance(message, bytes) else message
        ) from None
    return lambda text: compiled.search(text) is not None
