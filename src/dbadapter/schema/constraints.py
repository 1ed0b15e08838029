"""A table's constraints and indexes, as values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeVar

import attrs
from attrs import field, frozen

from ..errors import ConfigError
from .expressions import expression_key
from .scan import scan

__all__ = ["Check", "ForeignKey", "Index", "IndexPart", "Unique"]

ACTIONS = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")


def names_of(value: str | Iterable[str]) -> tuple[str, ...]:
    """One name or several as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


def _action(value: str | None) -> str:
    found = " ".join(str(value or "NO ACTION").upper().replace("_", " ").split())
    if found not in ACTIONS:
        raise ConfigError(
            f"on_delete and on_update must be one of {', '.join(map(str.lower, ACTIONS))}, not {value!r}"
        )
    return found


def _deferrable(value: Any) -> str | None:
    if value in (None, False):
        return None
    found = "deferred" if value is True else str(value).lower().removeprefix("initially ")
    if found not in ("deferred", "immediate"):
        raise ConfigError(f"deferrable must be True, False, 'deferred' or 'immediate', not {value!r}")
    return found


def _key(expression: str | None) -> Any:
    return None if expression is None else expression_key(expression)


@frozen
class Check:
    """A condition that every row meets (or for which it is NULL).

    Args:
        expression: the condition as SQL, in PostgreSQL's spelling; rewritten for SQLite where that differs.
        name: the constraint's name; chosen as PostgreSQL does if left out.
        sqlite: the condition in SQLite's own words, where it cannot be rewritten; ``""`` leaves it out there.
    """

    expression: str = field(eq=_key)
    name: str | None = None
    sqlite: str | None = field(default=None, eq=False, kw_only=True)


@frozen
class Unique:
    """No two rows with equal values in these columns (NULLs differ from each other)."""

    columns: tuple[str, ...] = field(converter=names_of)
    name: str | None = None


@frozen
class ForeignKey:
    """Rows refer to rows of another table (or of their own).

    Args:
        columns: the referring columns.
        table: the table referred to.
        ref_columns: the columns referred to; its primary key if left out.
        on_delete: what happens here when the row there is deleted: ``no action``, ``restrict``, ``cascade``,
            ``set null`` or ``set default``.
        on_update: the same for a changed key.
        deferrable: True: checked at COMMIT. ``"immediate"``: checked at each statement, but
            ``SET CONSTRAINTS`` can defer it (PostgreSQL).
        name: the constraint's name; chosen as PostgreSQL does if left out.
    """

    columns: tuple[str, ...] = field(converter=names_of)
    table: str
    ref_columns: tuple[str, ...] = field(default=(), converter=names_of)
    on_delete: str = field(default="NO ACTION", converter=_action, kw_only=True)
    on_update: str = field(default="NO ACTION", converter=_action, kw_only=True)
    deferrable: str | None = field(default=None, converter=_deferrable, kw_only=True)
    name: str | None = field(default=None, kw_only=True)


@frozen
class IndexPart:
    """One column or expression of an index.

    Attributes:
        column: the column, or None for an expression.
        expression: the expression as SQL, or None for a column.
        descending: whether the order is turned round.
        nulls: ``first`` or ``last`` where that is not the order's usual one (PostgreSQL only).
        opclass: PostgreSQL's operator class, for index methods that need one.
    """

    column: str | None
    expression: str | None = field(default=None, eq=_key)
    descending: bool = False
    nulls: str | None = None
    opclass: str | None = None


_ORDER = re.compile(
    r"^(?P<rest>.*?)(?:\s+(?P<order>ASC|DESC))?(?:\s+NULLS\s+(?P<nulls>FIRST|LAST))?\s*$",
    re.IGNORECASE | re.DOTALL,
)


def index_part(text: str, columns: Iterable[str]) -> IndexPart:
    """Read ``created_at``, ``created_at DESC``, ``lower(title)`` or ``embedding vector_cosine_ops``."""
    names = {name: name for name in columns}
    if text in names:
        return IndexPart(text)
    match = _ORDER.match(text.strip())
    assert match
    rest, descending = match["rest"].strip(), (match["order"] or "").upper() == "DESC"
    nulls = (match["nulls"] or "").lower() or None
    if nulls == ("first" if descending else "last"):
        nulls = None
    tokens, opclass = scan(rest), None
    if len(tokens) == 2 and tokens[1].kind == "word" and tokens[1].text.lower().endswith("_ops"):
        opclass, rest = tokens[1].text.lower(), rest[: tokens[0].end]
    name = tokens[0].text if tokens and (len(tokens) == 1 or opclass) and tokens[0].kind == "name" else rest
    if name in names:
        return IndexPart(name, descending=descending, nulls=nulls, opclass=opclass)
    return IndexPart(None, rest, descending, nulls, opclass)


@frozen(init=False)
class Index:
    """An index over columns and expressions.

    Args:
        columns: column names or SQL expressions, each with ``DESC`` after it if wanted: ``Index("project_id",
            "created_at DESC")``, ``Index("lower(title)")``.
        name: the index's name; chosen as PostgreSQL does if left out.
        unique: whether it refuses duplicates.
        where: index only the rows that meet this condition (SQL).
        using: the index method of PostgreSQL (``btree``, ``gin``, ``hnsw``, ...). SQLite has one method only
            and leaves out the indexes it has no words for.
    """

    columns: tuple[str, ...] = field(eq=False)
    name: str | None
    unique: bool
    where: str | None = field(eq=_key)
    using: str
    parts: tuple[IndexPart, ...]

    def __init__(
        self,
        *columns: str,
        name: str | None = None,
        unique: bool = False,
        where: str | None = None,
        using: str = "btree",
        parts: Iterable[IndexPart] = (),
    ) -> None:
        if bool(columns) == bool(found := tuple(parts)):
            raise ConfigError("Index needs columns: names or SQL expressions")
        self.__attrs_init__(columns, name, unique, where, using.lower(), found)

    @property
    def on_sqlite(self) -> bool:
        """Whether SQLite can have it: the other methods search what its B-tree cannot."""
        return self.using in ("btree", "hash", "brin")


Part = TypeVar("Part", Unique, Check, ForeignKey, Index)


def with_name(item: Part, name: str) -> Part:
    """The constraint or index under another name."""
    if isinstance(item, Index):
        renamed = Index(name=name, unique=item.unique, where=item.where, using=item.using, parts=item.parts)
        return renamed  # type: ignore[return-value]
    return attrs.evolve(item, name=name)
