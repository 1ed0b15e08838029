"""What a plan may say, whoever wrote it: names that the target can have, and types that are types and nothing else."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable

from .._dialects import MAX_NAME_BYTES
from .._dialects.base import BOOKKEEPING_PREFIX
from ..errors import ConfigError
from . import conversions
from .plan import TransferPlan

__all__ = ["check_plan", "refuse_missing"]

# A type as Postgres writes it: words, quoted names, numbers in parentheses, brackets.
_TYPE = re.compile(r'(?:"(?:[^"\0]|"")+"|[\w.$ ]|\[\d*\]|\([\w ]+(?:, *-?\w+)*\))+')
# SQLite takes no notice of the case of ASCII letters, and of these only.
_LOWER = {ord(letter): letter.lower() for letter in string.ascii_uppercase}


def check_plan(plan: TransferPlan) -> None:
    """Raise `ConfigError`, naming table and column, for what cannot be carried out as it is written."""
    to_postgres = plan.direction == "sqlite-postgresql"
    _names([table.target for table in plan.tables], "two tables", to_postgres)
    for table in plan.tables:
        if table.target.lower().startswith(BOOKKEEPING_PREFIX):
            raise ConfigError(
                f"table {table.name!r}: names that begin with {BOOKKEEPING_PREFIX} are the adapter's own"
            )
        _names([column.target for column in table.columns], f"table {table.name!r}: two columns", to_postgres)
        for column in table.columns:
            where = f"table {table.name!r}, column {column.name!r}"
            try:
                conversions.load(column.conversion)
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}") from None
            if to_postgres and not _TYPE.fullmatch(column.type):
                raise ConfigError(f"{where}: {column.type!r} is no type")


def refuse_missing(plan: TransferPlan, columns_of: Callable[[str], Iterable[str]]) -> None:
    """Raise `ConfigError` for tables and columns of the plan that the source has not, or not any more.

    SQLite takes a name in quotes that it does not know for a text, and would give that for every row.

    Args:
        plan: what is to be carried out.
        columns_of: the names of a source table's columns; none if there is no such table.
    """
    for table in plan.tables:
        present = {name.translate(_LOWER) for name in columns_of(table.name)}
        missing = [column.name for column in table.copied if column.name.translate(_LOWER) not in present]
        if missing or not present:
            what = (
                f"column {missing[0]!r} in its table {table.name!r}" if present else f"table {table.name!r}"
            )
            raise ConfigError(f"the plan does not fit the source, which has no {what}: make a new plan")


def _names(names: list[str], what: str, to_postgres: bool) -> None:
    seen: set[str] = set()
    for name in names:
        if to_postgres and len(name.encode()) > MAX_NAME_BYTES:
            raise ConfigError(f"the target's name {name!r} is longer than Postgres' {MAX_NAME_BYTES} bytes")
        same = name if to_postgres else name.translate(_LOWER)
        if same in seen:
            raise ConfigError(f"{what} have the target {name!r}")
        seen.add(same)
