"""The plan of a transfer: what will be made of every table and column, and why. It is meant to be read and edited."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import define, field

from ..config import DatabaseConfig
from ..errors import ConfigError, TransferError
from ._plan_reading import structured

__all__ = [
    "ColumnPlan",
    "Dropped",
    "ForeignKeyPlan",
    "IndexPlan",
    "TablePlan",
    "TransferPlan",
]

VERSION = 1


@define(kw_only=True)
class ColumnPlan:
    """What becomes of a column.

    Attributes:
        name: its name in the source.
        target: its name in the target.
        declared: its type in the source.
        type: its type in the target.
        conversion: how values are converted: ``kind`` and arguments (see the table "Conversions").
        nullable: whether the target takes NULL.
        default: the default, in the target's SQL.
        generated: the expression it is computed from, in the target's SQL; its values are not copied then.
        identity: the target counts it up by itself.
        collation: how SQLite compares its text, where that is not BINARY.
        reason: why this type and conversion.
        at_risk: how many values of the source will not arrive in this type (they are rejected).
        kept: how many arrive in another spelling, the original being kept beside them.
        values: how many values there are of each storage class (or how many rows and NULLs, from Postgres).
    """

    name: str
    target: str
    declared: str
    type: str
    conversion: dict[str, Any]
    nullable: bool = True
    default: str | None = None
    generated: str | None = None
    identity: bool = False
    collation: str = "BINARY"
    reason: str = ""
    at_risk: int = 0
    kept: int = 0
    values: dict[str, int] = field(factory=dict)


@define(kw_only=True)
class ForeignKeyPlan:
    """A foreign key in the target's names.

    Attributes:
        orphans: how many rows of the source refer to no row.
        valid: False: it is added NOT VALID because of those rows, so it holds for new rows only.
    """

    columns: list[str]
    ref_table: str
    ref_columns: list[str]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    deferrable: str | None = None
    orphans: int = 0
    valid: bool = True


@define(kw_only=True)
class IndexPlan:
    """An index or unique constraint; `parts` and `where` are SQL of the target."""

    name: str
    parts: list[str]
    unique: bool = False
    constraint: bool = False
    where: str | None = None
    sql: str | None = None


@define(kw_only=True)
class CheckPlan:
    """A condition that every row meets; `expression` is SQL of the target, `source` what the source says."""

    name: str
    expression: str
    source: str = ""


@define(kw_only=True)
class Dropped:
    """Something of the source that the target will not have: a view, a trigger, a default, an index …"""

    kind: str
    name: str
    reason: str
    table: str = ""
    sql: str = ""


@define(kw_only=True)
class TablePlan:
    """What becomes of a table.

    Attributes:
        name: its name in the source.
        target: its name in the target.
        key: the columns of the source that tell its rows apart and are never NULL; empty: the rowid does, or nothing.
        primary_key: the target's primary key.
        rows: how many rows the source has (-1: not counted).
        row_bytes: the size of the largest row (-1: not measured).
        rowid: the name under which SQLite's rowid can be read, where the table has one.
        next_identity: what the identity column will count up from.
        create_sql: the statement that makes the table, where that is known to the letter (the way back to SQLite).
        after_sql: statements to run once all rows are in (indexes and triggers of the way back).
        existing: the target has the table already, empty and with these columns: it is filled as it is.
    """

    name: str
    target: str
    columns: list[ColumnPlan]
    key: list[str] = field(factory=list)
    primary_key: list[str] = field(factory=list)
    indexes: list[IndexPlan] = field(factory=list)
    checks: list[CheckPlan] = field(factory=list)
    foreign_keys: list[ForeignKeyPlan] = field(factory=list)
    rows: int = -1
    row_bytes: int = -1
    rowid: str | None = None
    next_identity: int | None = None
    create_sql: str | None = None
    after_sql: list[str] = field(factory=list)
    existing: bool = False
    notes: list[str] = field(factory=list)

    def column(self, name: str) -> ColumnPlan:
        """The column of that name in the source; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def copied(self) -> list[ColumnPlan]:
        """The columns whose values are copied: all but those that the target computes."""
        return [column for column in self.columns if column.generated is None]

    @property
    def key_places(self) -> list[int]:
        """Where the key's columns stand among `copied`; empty without a key, or if one of them is computed."""
        names = [column.name for column in self.copied]
        return [names.index(name) for name in self.key] if set(self.key) <= set(names) else []


@define(kw_only=True)
class TransferPlan:
    """A transfer, ready for `run_transfer`.

    Attributes:
        direction: ``sqlite-postgresql`` or ``postgresql-sqlite``.
        source: where from, without a password.
        target: where to, without a password.
        tables: what becomes of each table, in an order in which a table stands after those it refers to.
        collections: the vector collections that go along, by name; empty where only some tables were chosen.
        enums: enumeration types to make in Postgres, with their values.
        dropped: what the target will not have.
        notes: remarks on the whole.
        facts: of the source, kept for the way back: encoding, user_version and the like.
        profiled: every value was read for this plan.
        source_config: how to open the source; never saved.
        target_config: how to open the target; never saved.
    """

    direction: str
    source: str
    target: str
    tables: list[TablePlan] = field(factory=list)
    collections: list[str] = field(factory=list)
    enums: dict[str, list[str]] = field(factory=dict)
    dropped: list[Dropped] = field(factory=list)
    notes: list[str] = field(factory=list)
    facts: dict[str, Any] = field(factory=dict)
    profiled: bool = True
    source_config: DatabaseConfig | None = field(default=None, repr=False, eq=False)
    target_config: DatabaseConfig | None = field(default=None, repr=False, eq=False)

    def table(self, name: str) -> TablePlan:
        """The table of that name in the source; KeyError if there is none."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    @property
    def at_risk(self) -> int:
        """How many values will be rejected, over all columns."""
        return sum(column.at_risk for table in self.tables for column in table.columns)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values, ready for JSON."""
        names = [item for item in attrs.fields(TransferPlan) if not item.name.endswith("_config")]
        return {"version": VERSION} | attrs.asdict(self, filter=attrs.filters.include(*names, *_SAVED))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the plan as JSON to the file at `path`, in the place of what is there; no password is in it.

        Raises `TransferError` if the file cannot be written.
        """
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            raise TransferError(f"cannot write the plan {os.fspath(path)}: {error.strerror}") from error

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        source: Any = None,
        target: Any = None,
    ) -> TransferPlan:
        """Read a plan that `save` wrote and a person may have edited.

        Args:
            path: the file.
            source: where to read from (adapter, config or URL); by default what the plan says, without a password.
            target: where to write to, likewise.

        Raises:
            TransferError: it is no plan, or one that cannot be carried out; the message names the place.
        """
        from ._endpoints import resolve
        from ._plan_validity import check_plan
        from ._types import settle

        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            plan = from_dict(found)
        except OSError as error:
            raise TransferError(f"cannot read the plan {os.fspath(path)}: {error.strerror}") from error
        except ValueError as error:
            raise TransferError(f"{os.fspath(path)} is not a plan: {error}") from error
        plan.source_config = resolve(source if source is not None else plan.source)
        plan.target_config = resolve(target if target is not None else plan.target)
        for table in plan.tables:
            for column in table.columns:
                settle(plan.direction, table, column)
        check_plan(plan)
        return plan


_SAVED = tuple(
    item
    for kind in (TablePlan, ColumnPlan, ForeignKeyPlan, IndexPlan, CheckPlan, Dropped)
    for item in attrs.fields(kind)
)


def from_dict(found: Mapping[str, Any]) -> TransferPlan:
    """A plan from plain values. Raises ValueError saying what is missing, surplus or of another kind."""
    if not isinstance(found, Mapping):
        raise ValueError("a plan is a JSON object")
    arguments = dict(found)
    version = arguments.pop("version", None)
    if version != VERSION:
        raise ValueError(f"its version is {version!r}, not {VERSION}")
    if "tables" not in arguments:
        raise ValueError("it has no entry 'tables'")
    plan = structured(TransferPlan, arguments)
    if plan.direction not in ("sqlite-postgresql", "postgresql-sqlite"):
        raise ConfigError(f"direction must be sqlite-postgresql or postgresql-sqlite, not {plan.direction!r}")
    return plan


def table_from_dict(found: Mapping[str, Any]) -> TablePlan:
    """One table of a plan from plain values."""
    return structured(TablePlan, found)


def table_to_dict(table: TablePlan) -> dict[str, Any]:
    """One table of a plan as plain values."""
    return attrs.asdict(table)
