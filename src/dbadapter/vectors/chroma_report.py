"""What an import of a Chroma directory did."""

from __future__ import annotations

from attrs import define, field

__all__ = ["CollectionImport", "ImportReport", "Problem"]


@define
class Problem:
    """Something that did not arrive.

    Attributes:
        id: the record's; None where it concerns more than one.
        what: "record", "vector", "document", "uri", "metadata KEY" or "index".
        reason: why.
    """

    id: str | None
    what: str
    reason: str


@define
class CollectionImport:
    """One collection.

    Attributes:
        name, target: its name in the directory and here.
        metric, dimension: as found.
        found: how many records there are in the directory.
        imported: how many were added.
        present: how many were here already, and were left as they were.
        problems: what did not arrive.
    """

    name: str
    target: str
    metric: str
    dimension: int | None
    found: int = 0
    imported: int = 0
    present: int = 0
    problems: list[Problem] = field(factory=list)

    def note(self, id: str | None, what: str, reason: str) -> None:
        """Report something that did not arrive; see `Problem`."""
        self.problems.append(Problem(id, what, reason))


@define
class ImportReport:
    """What an import did.

    Attributes:
        directory: what was read.
        collections: one entry each.
        problems: what is wrong with the directory as a whole.
    """

    directory: str
    collections: list[CollectionImport] = field(factory=list)
    problems: list[str] = field(factory=list)

    @property
    def imported(self) -> int:
        """How many records were added in all."""
        return sum(each.imported for each in self.collections)

    @property
    def complete(self) -> bool:
        """Everything arrived."""
        return not self.problems and not any(each.problems for each in self.collections)
