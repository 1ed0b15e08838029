"""What a type checker must know about the errors; checked by mypy, never run."""

from __future__ import annotations

from typing import assert_type

from dbadapter import errors


def attributes(exhausted: errors.PoolExhausted, violation: errors.IntegrityError) -> None:
    waited: TimeoutError = exhausted
    raise waited from violation


def handled(error: errors.DatabaseAdapterError) -> str | None:
    if isinstance(error, errors.UniqueViolation):
        assert_type(error.columns, tuple[str, ...])
        assert_type(error.table, str | None)
        return error.sqlstate
    return None
