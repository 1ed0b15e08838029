"""Which records a call is about: some ids, a filter, both, or all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import frozen

from .filter_sql import Condition, both, json_list
from .filters import Filter, parse
from .matching import matches
from .metadata import read_json
from .records import as_ids

__all__ = ["EVERYTHING", "Selection", "select", "seqs_condition"]


@frozen
class Selection:
    """Records that have one of the ids (None: any) and match the filter (None: any)."""

    ids: list[str] | None = None
    tree: Filter | None = None

    @property
    def is_everything(self) -> bool:
        """Whether all records are selected."""
        return self.ids is None and self.tree is None

    def condition(self, compiled: Callable[[Filter | None], Condition], ids_sql: str) -> Condition:
        """The condition in SQL.

        Args:
            compiled: compiles the filter.
            ids_sql: the condition that ``id`` is in the JSON list that is bound to it.
        """
        condition = compiled(self.tree)
        if self.ids is None:
            return condition
        return both(Condition(ids_sql, (json_list(self.ids),)), condition)

    def confirmed(self, rows: Iterable[tuple[int, str | None, str | None]]) -> list[int]:
        """Of candidates (seq, metadata as JSON, document) the numbers of those that match the filter."""
        return [seq for seq, metadata, document in rows if matches(self.tree, read_json(metadata), document)]


EVERYTHING = Selection()


def select(ids: Any, where: Any, where_document: Any, *, integer_ids: bool = False) -> Selection:
    """What a caller selects. Raises `InvalidFilter`, `InvalidRecord`, `DuplicateID`."""
    return Selection(None if ids is None else as_ids(ids, integers=integer_ids), parse(where, where_document))


def seqs_condition(seqs: list[int], seqs_sql: str) -> Condition:
    """The condition that ``seq`` is one of the given numbers."""
    return Condition(seqs_sql, (json_list(seqs),)) if seqs else Condition("FALSE")
