"""What a transfer did, and what verifying it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from attrs import define, field

from .plan import Dropped

if TYPE_CHECKING:
    from ..vectors.copy import CollectionCopy

__all__ = [
    "CollectionCheck",
    "Difference",
    "Orphans",
    "TableCheck",
    "TableReport",
    "TransferReport",
    "VerifyReport",
]


@define(kw_only=True)
class Difference:
    """A row that is not the same on both sides.

    Attributes:
        key: the row's key, or its values where it has none.
        column: the column that differs; None where the row is on one side only.
        source: the value there, shown; None where the row is not there.
        target: the value there, shown; None where the row is not there.
    """

    key: str
    column: str | None
    source: str | None
    target: str | None


@define(kw_only=True)
class TableCheck:
    """The comparison of one table.

    Attributes:
        table: its name in the source.
        target: its name in the target.
        source_rows: how many rows the source has.
        target_rows: how many the target has, rows set aside as rejected included.
        source_digest: the digest over all rows of the source.
        target_digest: the digest over all rows of the target, with rejected values and originals put back.
        rejected: how many values stand in the target's rejects instead of the table.
        differences: the first rows that differ.
        problem: why the table could not be compared.
    """

    table: str
    target: str
    source_rows: int = 0
    target_rows: int = 0
    source_digest: str = ""
    target_digest: str = ""
    rejected: int = 0
    differences: list[Difference] = field(factory=list)
    problem: str | None = None

    @property
    def equal(self) -> bool:
        """Whether both sides hold the same rows."""
        same = (self.source_rows, self.source_digest) == (self.target_rows, self.target_digest)
        return same and self.problem is None


@define(kw_only=True)
class CollectionCheck:
    """The comparison of one vector collection.

    Attributes:
        collection: its name.
        records: how many records were compared.
        problem: the first difference, or why it could not be compared.
    """

    collection: str
    records: int = 0
    problem: str | None = None

    @property
    def equal(self) -> bool:
        """Whether both sides hold the same records, bit for bit."""
        return self.problem is None


@define(kw_only=True)
class VerifyReport:
    """The comparison of two databases."""

    source: str
    target: str
    tables: list[TableCheck] = field(factory=list)
    collections: list[CollectionCheck] = field(factory=list)
    seconds: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether all tables hold the same rows on both sides, and all collections the same records."""
        tables = all(table.equal for table in self.tables)
        return tables and all(collection.equal for collection in self.collections)

    @property
    def rejected(self) -> int:
        """How many values stand in the target's rejects instead of their tables."""
        return sum(table.rejected for table in self.tables)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        found = attrs.asdict(self) | {"equal": self.equal, "rejected": self.rejected}
        for table, plain in zip(self.tables, found["tables"], strict=True):
            plain["equal"] = table.equal
        return found


@define(kw_only=True)
class Orphans:
    """Rows whose foreign key refers to no row; the key is there, NOT VALID: it holds for new rows only."""

    table: str
    columns: list[str]
    ref_table: str
    count: int
    examples: list[str]


@define(kw_only=True)
class TableReport:
    """What was done with one table.

    Attributes:
        table: its name in the source.
        target: its name in the target.
        rows: rows read from the source.
        copied: rows that arrived in the table.
        rejected_rows: rows that stand in the rejects as a whole.
        rejected: values that stand in the rejects, those of rejected rows included.
        kept: values that arrived in another spelling, their originals being kept.
        seconds: how long copying took.
    """

    table: str
    target: str
    rows: int = 0
    copied: int = 0
    rejected_rows: int = 0
    rejected: int = 0
    kept: int = 0
    seconds: float = 0.0


@define(kw_only=True)
class TransferReport:
    """What a transfer did.

    Attributes:
        source: where from.
        target: where to.
        dry_run: nothing was done; `statements` are what would have been executed.
        tables: what was done with each table.
        collections: what was done with each vector collection.
        dropped: what of the source the target does not have, with reasons.
        orphans: rows whose foreign keys refer to no row.
        statements: of a dry run, the statements.
        check: the verification, if it was asked for.
        seconds: how long everything took.
    """

    source: str
    target: str
    dry_run: bool = False
    tables: list[TableReport] = field(factory=list)
    collections: list[CollectionCopy] = field(factory=list)
    dropped: list[Dropped] = field(factory=list)
    orphans: list[Orphans] = field(factory=list)
    statements: list[str] = field(factory=list)
    check: VerifyReport | None = None
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows that arrived."""
        return sum(table.copied for table in self.tables)

    @property
    def rejects(self) -> int:
        """Values that stand in the rejects."""
        return sum(table.rejected for table in self.tables)

    @property
    def verified(self) -> bool | None:
        """Whether both sides were found equal; None if that was not looked at."""
        return None if self.check is None else self.check.equal

    @property
    def ok(self) -> bool:
        """Whether every value arrived: nothing rejected, and no difference found."""
        return not self.rejects and self.verified is not False

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        found = attrs.asdict(self, filter=attrs.filters.exclude("check"))
        return found | {
            "check": self.check.to_dict() if self.check else None,
            "rows": self.rows,
            "rejects": self.rejects,
            "verified": self.verified,
            "ok": self.ok,
        }
