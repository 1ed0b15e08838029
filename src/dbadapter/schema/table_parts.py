"""The parts of a table, gathered from its columns and its arguments, and named where they have no name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .._dialects import constraint_name
from ..errors import ConfigError
from . import types as t
from .column import Column
from .constraints import Check, ForeignKey, Index, IndexPart, Part, Unique, index_part, names_of, with_name
from .scan import closing, columns_in, scan

__all__ = ["TableParts"]


class TableParts:
    """The parts of one table, each made of what its columns and its arguments say.

    All raise ConfigError, naming the part, for what does not fit together.
    """

    def __init__(self, name: str, columns: tuple[Column, ...]) -> None:
        if not columns:
            raise ConfigError("it needs at least one column")
        for column in columns:
            if not isinstance(column, Column):
                raise ConfigError(f"columns must be Column values, not {column!r}")
        self.name, self.columns = name, columns
        self.names = tuple(column.name for column in columns)
        for column_name in self.names:
            if self.names.count(column_name) > 1:
                raise ConfigError(f"there are two columns {column_name!r}")

    def _require(self, columns: Sequence[str], where: str) -> None:
        """Raise ConfigError unless these are columns of the table, each named once."""
        if not columns:
            raise ConfigError(f"{where} needs at least one column")
        for column in columns:
            if column not in self.names:
                raise ConfigError(f"{where} names the column {column!r}, which there is not")
            if list(columns).count(column) > 1:
                raise ConfigError(f"{where} names the column {column!r} twice")

    def primary_key(self, given: tuple[str, ...]) -> tuple[str, ...]:
        """The key's columns: those given, those that say so, or the Identity column."""
        short = tuple(column.name for column in self.columns if column.primary_key)
        identities = [column.name for column in self.columns if isinstance(column.type, t.Identity)]
        if given and short and set(given) != set(short):
            raise ConfigError(f"primary_key is {given!r} and the columns say {short!r}: give one of them")
        key = given or short or tuple(identities)
        if key:
            self._require(key, "primary_key")
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

    def unique(
        self, key: tuple[str, ...], given: Iterable[str | Iterable[str] | Unique]
    ) -> tuple[Unique, ...]:
        """The groups of columns that never repeat, without the primary key."""
        all_of = [Unique((column.name,)) for column in self.columns if column.unique]
        all_of += [item if isinstance(item, Unique) else Unique(names_of(item)) for item in given]
        for item in all_of:
            self._require(item.columns, "unique")
        # PostgreSQL makes one index of several that say the same, the primary key's if it is among them.
        named: list[Unique] = []
        for place, item in enumerate(all_of):
            if item.columns == key or item.columns in [other.columns for other in all_of[:place]]:
                continue
            self._append(named, item, item.columns, "key", all_of)
        return tuple(named)

    def checks(self, given: Iterable[str | Check]) -> tuple[Check, ...]:
        """The columns' checks, then the table's."""
        all_of: list[Check] = []
        for column in self.columns:
            short = [column.check] if isinstance(column.check, (str, Check)) else column.check or ()
            all_of += [item if isinstance(item, Check) else Check(item) for item in short]
        all_of += [item if isinstance(item, Check) else Check(item) for item in given]
        named: list[Check] = []
        for item in all_of:
            mentioned = columns_in(item.expression, self.names)
            self._append(named, item, mentioned if len(mentioned) == 1 else (), "check", all_of)
        return tuple(named)

    def foreign_keys(self, given: Iterable[ForeignKey]) -> tuple[ForeignKey, ...]:
        """The columns' foreign keys, then the table's."""
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
            self._require(item.columns, "a foreign key")
            if item.ref_columns and len(item.ref_columns) != len(item.columns):
                raise ConfigError(
                    f"the foreign key {item.columns!r} refers to {len(item.ref_columns)} columns of "
                    f"{item.table!r}: {item.ref_columns!r}"
                )
            self._append(named, item, item.columns, "fkey", all_of)
        return tuple(named)

    def indexes(self, given: Iterable[str | Index]) -> tuple[Index, ...]:
        """The indexes, their columns and expressions taken apart."""
        all_of = [self._with_parts(Index(item) if isinstance(item, str) else item) for item in given]
        named: list[Index] = []
        for item in all_of:
            columns = [part.column or _index_word(part) for part in item.parts]
            self._append(named, item, columns, "idx", all_of)
        return tuple(named)

    def _with_parts(self, index: Index) -> Index:
        if index.parts:
            for part in index.parts:
                if part.column is not None:
                    self._require((part.column,), "an index")
            return index
        parts = tuple(index_part(text, self.names) for text in index.columns)
        for part in parts:
            if part.expression is not None and not columns_in(part.expression, self.names):
                raise ConfigError(f"an index names {part.expression!r}, which is no column and mentions none")
        return Index(name=index.name, unique=index.unique, where=index.where, using=index.using, parts=parts)

    def _append(
        self, named: list[Part], item: Part, columns: Sequence[str], suffix: str, all_of: Sequence[Part]
    ) -> None:
        """Append an item, with a name that nothing else of its kind has.

        Args:
            named: the items that have got their names.
            item: the constraint or index.
            columns: the columns it is about, of which its name is made where it has none.
            suffix: how such names end.
            all_of: all items of its kind, whose names are taken.
        """
        taken = {other.name for other in [*named, *all_of] if other.name is not None}
        if item.name is None:
            item = with_name(item, constraint_name(self.name, columns, suffix, taken))
        elif any(other.name == item.name for other in named):
            raise ConfigError(f"two constraints or indexes are named {item.name!r}")
        named.append(item)


def _index_word(part: IndexPart) -> str:
    """What PostgreSQL calls an expression in an index's name: the function, or ``expr``."""
    tokens = scan(part.expression or "")
    is_call = len(tokens) > 2 and tokens[0].kind == "word" and tokens[1].is_op("(")
    if is_call and closing(tokens[1:]) == len(tokens) - 2:
        return tokens[0].text.lower()
    return "expr"
