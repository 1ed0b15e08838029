"""Tables and their columns, as values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from attrs import field, frozen

from .._dialects import constraint_name
from ..errors import ConfigError
from . import types as t
from .constraints import Check, ForeignKey, Index, IndexPart, Unique, index_part, names_of
from .expressions import expression_key
from .literals import fault, normalized
from .scan import columns_in

__all__ = ["Column", "Table"]


def _comment(text: str | None) -> str | None:
    """PostgreSQL takes an empty comment for none."""
    if not isinstance(text, str | None):
        raise ConfigError(f"a comment must be text, not {text!r}")
    return text or None


@frozen
class Column:
    """A column.

    `primary_key`, `unique`, `check` and `references` with what belongs to it are short for the table's own
    arguments; `Table` moves them there, and only there they count when tables are compared.

    Args:
        name: the column's name, taken literally (quoted wherever it is written).
        type: one of ``dbadapter.schema.types``.
        nullable: whether NULL may be stored; never in a primary key.
        primary_key: whether it is the table's key; several such columns make one key together.
        unique: whether no two rows have the same value.
        default: a value, or an expression such as ``t.now()`` or ``t.sql("...")``.
        check: a condition as SQL, or several, or `Check` values.
        references: ``"table.column"``, or ``"table"`` for its primary key.
        on_delete: see `ForeignKey`.
        on_update: see `ForeignKey`.
        deferrable: see `ForeignKey`.
        generated: an SQL expression the column's value is computed from, and stored.
        comment: a description, kept in the database.
    """

    name: str
    type: t.Type
    nullable: bool = field(default=True, kw_only=True)
    primary_key: bool = field(default=False, kw_only=True, eq=False)
    unique: bool = field(default=False, kw_only=True, eq=False)
    default: Any = field(default=None, kw_only=True)
    check: str | Check | Sequence[str | Check] | None = field(default=None, kw_only=True, eq=False)
    references: str | None = field(default=None, kw_only=True, eq=False)
    on_delete: str | None = field(default=None, kw_only=True, eq=False)
    on_update: str | None = field(default=None, kw_only=True, eq=False)
    deferrable: bool | str = field(default=False, kw_only=True, eq=False)
    generated: str | None = field(
        default=None, kw_only=True, eq=lambda text: None if text is None else expression_key(text)
    )
    comment: str | None = field(default=None, kw_only=True, converter=_comment)

    def __attrs_post_init__(self) -> None:
        _name("column", self.name)
        if isinstance(self.type, type) and issubclass(self.type, t.Type):
            raise ConfigError(
                f"column {self.name!r}: write the type {self.type.__name__}(...) with parentheses"
            )
        if not isinstance(self.type, t.Type):
            raise ConfigError(
                f"column {self.name!r}: the type must be one of dbadapter.schema.types, not {self.type!r}"
            )
        if self.references is None and (self.on_delete or self.on_update or self.deferrable):
            raise ConfigError(
                f"column {self.name!r}: on_delete, on_update and deferrable go with references="
            )
        default = self.default
        if default is not None and not isinstance(default, t.DefaultExpression):
            object.__setattr__(self, "default", normalized(self.type, default))
        if problem := self._problem():
            raise ConfigError(f"column {self.name!r}: {problem}")

    def _problem(self) -> str | None:
        default, kind = self.default, self.type
        if not isinstance(self.generated, str | None):
            return f"generated must be an SQL expression, not {self.generated!r}"
        if self.generated is not None and (default is not None or isinstance(kind, t.Identity)):
            return "a generated column has no default of its own and is no Identity"
        if default is None:
            return None
        if isinstance(kind, t.Identity):
            return "an Identity column has no default: the database counts it up"
        if isinstance(default, t.Now) and not isinstance(kind, (t.Timestamp, t.Date, t.Time)):
            return f"t.now() is a default for Timestamp, Date and Time, not for {kind!r}"
        if isinstance(default, t.RandomUuid) and not isinstance(kind, (t.Uuid, t.Text, t.Varchar)):
            return f"t.random_uuid() is a default for Uuid, Text and Varchar, not for {kind!r}"
        return None if isinstance(default, t.DefaultExpression) else _default_fault(kind, default)


def _default_fault(kind: t.Type, default: Any) -> str | None:
    found = fault(kind, default)
    return f"the default {found}" if found else None


def _name(what: str, name: object) -> None:
    if not isinstance(name, str) or not name or "\0" in name:
        raise ConfigError(f"a {what}'s name must be text without NUL characters, not {name!r}")


def _by_name(items: tuple[Any, ...]) -> list[Any]:
    return sorted(items, key=lambda item: item.name)


@frozen(init=False)
class Table:
    """A table: its columns, and what holds for them.

    Tables are equal when their columns are, in order, and their constraints and indexes, in any order.

    Args:
        name: the table's name, taken literally.
        columns: the columns, in order.
        primary_key: the key's columns, where it is not written at the columns.
        primary_key_name: the key constraint's name; ``{name}_pkey`` if left out.
        unique: groups of columns (or `Unique` values) whose values together never repeat.
        checks: conditions as SQL, or `Check` values.
        foreign_keys: `ForeignKey` values, for keys of several columns.
        indexes: `Index` values, or column names.
        comment: a description, kept in the database.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    primary_key_name: str
    unique: tuple[Unique, ...] = field(eq=_by_name)
    checks: tuple[Check, ...] = field(eq=_by_name)
    foreign_keys: tuple[ForeignKey, ...] = field(eq=_by_name)
    indexes: tuple[Index, ...] = field(eq=_by_name)
    comment: str | None

    def __init__(
        self,
        name: str,
        *columns: Column,
        primary_key: str | Iterable[str] = (),
        primary_key_name: str | None = None,
        unique: Iterable[str | Iterable[str] | Unique] = (),
        checks: Iterable[str | Check] = (),
        foreign_keys: Iterable[ForeignKey] = (),
        indexes: Iterable[str | Index] = (),
        comment: str | None = None,
    ) -> None:
        _name("table", name)
        try:
            _Gathering(self, name, columns).finish(
                names_of(primary_key), primary_key_name, unique, checks, foreign_keys, indexes, comment
            )
        except ConfigError as error:
            raise ConfigError(f"table {name!r}: {error}") from None

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def replace(
        self,
        *,
        columns: Iterable[Column] | None = None,
        primary_key_name: str | None = None,
        unique: Iterable[Unique] | None = None,
        checks: Iterable[Check] | None = None,
        foreign_keys: Iterable[ForeignKey] | None = None,
        indexes: Iterable[Index] | None = None,
    ) -> Table:
        """The table with other columns, constraints or indexes; what is not given stays."""
        plain = [
            attrs.evolve(
                column, primary_key=False, unique=False, check=None, references=None,
                on_delete=None, on_update=None, deferrable=False,
            )
            for column in (self.columns if columns is None else columns)
        ]  # fmt: skip
        return Table(
            self.name,
            *plain,
            primary_key=self.primary_key,
            primary_key_name=primary_key_name or self.primary_key_name,
            unique=self.unique if unique is None else unique,
            checks=self.checks if checks is None else checks,
            foreign_keys=self.foreign_keys if foreign_keys is None else foreign_keys,
            indexes=self.indexes if indexes is None else indexes,
            comment=self.comment,
        )

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """Column groups that a foreign key may refer to: the primary key and what is unique."""
        groups = [self.primary_key] if self.primary_key else []
        groups += [unique.columns for unique in self.unique]
        for index in self.indexes:
            names = [part.column for part in index.parts]
            if index.unique and index.where is None and None not in names:
                groups.append(tuple(str(name) for name in names))
        return groups


class _Gathering:
    """Moves what columns say in short to the table and names everything that has no name."""

    def __init__(self, table: Table, name: str, columns: tuple[Column, ...]) -> None:
        if not columns:
            raise ConfigError("it needs at least one column")
        for column in columns:
            if not isinstance(column, Column):
                raise ConfigError(f"columns must be Column values, not {column!r}")
        self.table, self.name, self.columns = table, name, columns
        self.names = tuple(column.name for column in columns)
        for column_name in self.names:
            if self.names.count(column_name) > 1:
                raise ConfigError(f"there are two columns {column_name!r}")

    def finish(
        self,
        primary_key: tuple[str, ...],
        primary_key_name: str | None,
        unique: Iterable[str | Iterable[str] | Unique],
        checks: Iterable[str | Check],
        foreign_keys: Iterable[ForeignKey],
        indexes: Iterable[str | Index],
        comment: str | None,
    ) -> None:
        key = self._primary_key(primary_key)
        columns = tuple(
            attrs.evolve(column, nullable=False) if column.name in key else column for column in self.columns
        )
        self.table.__attrs_init__(
            self.name,
            columns,
            key,
            primary_key_name or constraint_name(self.name, (), "pkey"),
            self._uniques(key, unique),
            self._checks(checks),
            self._foreign_keys(foreign_keys),
            self._indexes(indexes),
            comment or None,
        )

    def _known(self, columns: Sequence[str], where: str) -> None:
        if not columns:
            raise ConfigError(f"{where} needs at least one column")
        for column in columns:
            if column not in self.names:
                raise ConfigError(f"{where} names the column {column!r}, which there is not")
            if list(columns).count(column) > 1:
                raise ConfigError(f"{where} names the column {column!r} twice")

    def _primary_key(self, given: tuple[str, ...]) -> tuple[str, ...]:
        short = tuple(column.name for column in self.columns if column.primary_key)
        identities = [column.name for column in self.columns if isinstance(column.type, t.Identity)]
        if given and short and set(given) != set(short):
            raise ConfigError(f"primary_key is {given!r} and the columns say {short!r}: give one of them")
        key = given or short or tuple(identities)
        if key:
            self._known(key, "primary_key")
        if len(identities) > 1:
            raise ConfigError(
                f"only one column can be an Identity, not {' and '.join(map(repr, identities))}; "
                "use BigInteger() for a plain number"
            )
        if identities and key != tuple(identities):
            raise ConfigError(
                f"the Identity column {identities[0]!r} must be the table's whole primary key, not one part "
                f"of {key!r}; use BigInteger() for a plain number"
            )
        for column in self.columns:
            if column.name in key and isinstance(column.type, (t.Json, t.Vector, t.Array)):
                raise ConfigError(f"column {column.name!r}: {column.type!r} cannot be a primary key")
        return key

    def _uniques(
        self, key: tuple[str, ...], given: Iterable[str | Iterable[str] | Unique]
    ) -> tuple[Unique, ...]:
        all_of = [Unique((column.name,)) for column in self.columns if column.unique]
        all_of += [item if isinstance(item, Unique) else Unique(names_of(item)) for item in given]
        for item in all_of:
            self._known(item.columns, "unique")
        # PostgreSQL makes one index of several that say the same, the primary key's if it is among them.
        named: list[Unique] = []
        for place, item in enumerate(all_of):
            if item.columns == key or item.columns in [other.columns for other in all_of[:place]]:
                continue
            self._add(named, item, item.columns, "key", all_of)
        return tuple(named)

    def _checks(self, given: Iterable[str | Check]) -> tuple[Check, ...]:
        all_of: list[Check] = []
        for column in self.columns:
            short = [column.check] if isinstance(column.check, (str, Check)) else column.check or ()
            all_of += [item if isinstance(item, Check) else Check(item) for item in short]
        all_of += [item if isinstance(item, Check) else Check(item) for item in given]
        named: list[Check] = []
        for item in all_of:
            mentioned = columns_in(item.expression, self.names)
            self._add(named, item, mentioned if len(mentioned) == 1 else (), "check", all_of)
        return tuple(named)

    def _foreign_keys(self, given: Iterable[ForeignKey]) -> tuple[ForeignKey, ...]:
        all_of: list[ForeignKey] = []
        for column in self.columns:
            if column.references is not None:
                table, _, ref_column = column.references.rpartition(".")
                all_of.append(
                    ForeignKey(
                        (column.name,),
                        table or ref_column,
                        (ref_column,) if table else (),
                        on_delete=column.on_delete or "NO ACTION",
                        on_update=column.on_update or "NO ACTION",
                        deferrable=column.deferrable,
                    )
                )
        all_of += given
        named: list[ForeignKey] = []
        for item in all_of:
            self._known(item.columns, "a foreign key")
            if item.ref_columns and len(item.ref_columns) != len(item.columns):
                raise ConfigError(
                    f"the foreign key {item.columns!r} refers to {len(item.ref_columns)} columns of "
                    f"{item.table!r}: {item.ref_columns!r}"
                )
            self._add(named, item, item.columns, "fkey", all_of)
        return tuple(named)

    def _indexes(self, given: Iterable[str | Index]) -> tuple[Index, ...]:
        all_of = [self._parted(Index(item) if isinstance(item, str) else item) for item in given]
        named: list[Index] = []
        for item in all_of:
            columns = [part.column or _index_word(part) for part in item.parts]
            self._add(named, item, columns, "idx", all_of)
        return tuple(named)

    def _parted(self, index: Index) -> Index:
        if index.parts:
            for part in index.parts:
                if part.column is not None:
                    self._known((part.column,), "an index")
            return index
        parts = tuple(index_part(text, self.names) for text in index.columns)
        for part in parts:
            if part.expression is not None and not columns_in(part.expression, self.names):
                raise ConfigError(f"an index names {part.expression!r}, which is no column and mentions none")
        return Index(name=index.name, unique=index.unique, where=index.where, using=index.using, parts=parts)

    def _add(
        self, named: list[Any], item: Any, columns: Sequence[str], suffix: str, all_of: Sequence[Any]
    ) -> None:
        """Append the item with a name that nothing else of its kind has."""
        taken = {other.name for other in [*named, *all_of]}
        if item.name is None:
            item = with_name(item, constraint_name(self.name, columns, suffix, taken - {None}))
        elif any(other.name == item.name for other in named):
            raise ConfigError(f"two constraints or indexes are named {item.name!r}")
        named.append(item)


def with_name(item: Any, name: str) -> Any:
    """The constraint or index under another name."""
    if isinstance(item, Index):
        return Index(name=name, unique=item.unique, where=item.where, using=item.using, parts=item.parts)
    return attrs.evolve(item, name=name)


def _index_word(part: IndexPart) -> str:
    """What PostgreSQL calls an expression in an index's name: the function, or ``expr``."""
    from .scan import scan

    tokens = scan(part.expression or "")
    if len(tokens) > 2 and tokens[0].kind == "word" and tokens[1].is_op("(") and _closes_at_end(tokens):
        return tokens[0].text.lower()
    return "expr"


def _closes_at_end(tokens: Sequence[Any]) -> bool:
    depth = 0
    for place, token in enumerate(tokens):
        depth += token.is_op("(") - token.is_op(")")
        if depth == 0 and place > 0:
            return place == len(tokens) - 1
    return False
