"""Tables while they are being read: filled in piece by piece, then made a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs
from attrs import define, field, frozen

from .._dialects import datatype_constraint
from ..errors import ConfigError
from . import types as t
from .column import Column
from .constraints import Check, ForeignKey, Index, Unique
from .default_texts import read_default
from .expressions_from_sqlite import with_values
from .scan import scan
from .table import Table
from .type_names import SERIALS, postgresql_type, sqlite_type

__all__ = ["ColumnDraft", "Skipped", "TableDraft", "finish"]


@frozen
class Skipped:
    """Something of a script or database that the model does not hold.

    Attributes:
        what: the thing: a statement's beginning, or an object's kind and name.
        reason: why it was left out.
    """

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


@define
class ColumnDraft:
    """A column as text; `kind` where its type is known already.

    `counts_on_sqlite` is False for a key that would be another name of the rowid, but for how it is written.
    """

    name: str
    type: str = ""
    not_null: bool = False
    default: str | None = None
    generated: str | None = None
    identity: bool = False
    autoincrement: bool = False
    counts_on_sqlite: bool = True
    comment: str | None = None
    kind: t.Type | None = None


@define
class TableDraft:
    """A table as text; names of constraints are None where none was given."""

    name: str
    columns: list[ColumnDraft] = field(factory=list)
    primary_key: tuple[str, ...] = ()
    primary_key_name: str | None = None
    unique: list[Unique] = field(factory=list)
    checks: list[Check] = field(factory=list)
    foreign_keys: list[ForeignKey] = field(factory=list)
    indexes: list[Index] = field(factory=list)
    comment: str | None = None
    notes: list[str] = field(factory=list)

    def column(self, name: str) -> ColumnDraft | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


def finish(
    draft: TableDraft, dialect: str, named: Mapping[str, t.Type], skipped: list[Skipped]
) -> Table | None:
    """The table that a draft describes; None, and an entry in `skipped`, if the model cannot hold it at all.

    Args:
        draft: the table as it was read.
        dialect: whose SQL it is in, ``postgresql`` or ``sqlite``.
        named: the schema's own types, enumerations and domains, by name.
        skipped: gets an entry for each part that cannot be held.
    """

    def note(reason: str) -> None:
        skipped.append(Skipped(f"table {draft.name}", reason))

    for text in draft.notes:
        note(text)
    if not draft.columns:
        note("a table without columns")
        return None
    checks = list(draft.checks)
    columns = [_column(draft, column, dialect, named, checks, note) for column in draft.columns]
    indexes = draft.indexes
    if dialect == "sqlite":
        kinds = {column.name.lower(): column.type for column in columns}
        # Expressions compare with what SQLite stores; the model's compare with the values meant.
        columns = [
            attrs.evolve(column, generated=column.generated and with_values(column.generated, kinds))
            for column in columns
        ]
        checks = [attrs.evolve(check, expression=with_values(check.expression, kinds)) for check in checks]
        indexes = [
            Index(
                name=index.name, unique=index.unique, using=index.using, parts=index.parts,
                where=index.where and with_values(index.where, kinds),
            )
            for index in indexes
        ]  # fmt: skip
    try:
        return Table(
            draft.name,
            *columns,
            primary_key=draft.primary_key,
            primary_key_name=draft.primary_key_name,
            unique=_kept(draft.unique, columns, note),
            checks=checks,
            foreign_keys=_kept(draft.foreign_keys, columns, note),
            indexes=_kept_indexes(indexes, columns, note),
            comment=draft.comment,
        )
    except ConfigError as error:
        note(str(error).removeprefix(f"table {draft.name!r}: "))
        return None


def _column(
    draft: TableDraft,
    column: ColumnDraft,
    dialect: str,
    named: Mapping[str, t.Type],
    checks: list[Check],
    note: Callable[[str], None],
) -> Column:
    kind = _type(draft, column, dialect, named, checks)
    if _counts_up(column):
        if draft.primary_key == (column.name,) and isinstance(
            kind, (t.SmallInteger, t.Integer, t.BigInteger)
        ):
            identity = t.Identity(autoincrement=column.autoincrement)
            return Column(column.name, identity, comment=column.comment)
        note(f"column {column.name}: it counts up by itself, which only a primary key of one column can here")
        column.default = None
    default: Any = None
    if column.default is not None and column.generated is None:
        try:
            default = read_default(column.default, kind, dialect)
            Column(column.name, kind, default=default)
        except (ConfigError, ValueError) as error:
            note(f"column {column.name}: the default {column.default} was left out: {error}")
            default = None
    return Column(
        column.name,
        kind,
        nullable=not column.not_null,
        default=default,
        generated=column.generated,
        comment=column.comment,
    )


def _counts_up(column: ColumnDraft) -> bool:
    serial = column.type.lower() in SERIALS
    return column.identity or serial or (column.default or "").lower().startswith("nextval(")


def _type(
    draft: TableDraft, column: ColumnDraft, dialect: str, named: Mapping[str, t.Type], checks: list[Check]
) -> t.Type:
    if column.kind is not None:
        return column.kind
    if dialect == "postgresql":
        return postgresql_type(column.type, named)
    kind = sqlite_type(column.type)
    emulation = datatype_constraint(draft.name, column.name)
    found = next((check for check in checks if check.name == emulation), None)
    lone_key = draft.primary_key == (column.name,)
    if found is None:
        if lone_key and column.type.upper() == "INTEGER" and column.counts_on_sqlite:
            column.identity = True  # another name of the rowid
        return kind
    checks.remove(found)
    if isinstance(kind, t.Text) and (values := _enumerated(found.expression)):
        return t.Enum(*values)
    return t.Integer() if column.type.upper() == "INTEGER" else kind


def _enumerated(expression: str) -> list[str]:
    """The values of ``"status" = 'a' OR "status" = 'b'``; none if it is another check."""
    tokens = scan(expression)
    alternatives = [tokens[place : place + 3] for place in range(0, len(tokens), 4)]
    if any(len(part) < 3 or not part[1].is_op("=") or part[2].kind != "string" for part in alternatives):
        return []
    return [part[2].text for part in alternatives]


Keyed = TypeVar("Keyed", Unique, ForeignKey)


def _kept(items: Sequence[Keyed], columns: Sequence[Column], note: Callable[[str], None]) -> list[Keyed]:
    """Those constraints whose columns exist, named as the columns are: SQLite ignores the case of names."""
    names = {column.name.lower(): column.name for column in columns}
    exact = {column.name for column in columns}
    kept = []
    for item in items:
        found = [name if name in exact else names.get(name.lower()) for name in item.columns]
        if None in found or len(set(found)) < len(found):
            note(f"{type(item).__name__} over {', '.join(item.columns)}: there are no such columns")
            continue
        kept.append(
            item if tuple(found) == item.columns else attrs.evolve(item, columns=tuple(map(str, found)))
        )
    return kept


def _kept_indexes(
    items: Sequence[Index], columns: Sequence[Column], note: Callable[[str], None]
) -> list[Index]:
    names = {column.name for column in columns}
    kept = []
    for item in items:
        missing = [part.column for part in item.parts if part.column is not None and part.column not in names]
        if missing:
            note(f"index {item.name}: there is no column {missing[0]}")
        else:
            kept.append(item)
    return kept
