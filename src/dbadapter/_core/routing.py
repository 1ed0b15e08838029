"""Where a statement runs: on the writer, or on a connection for reading."""

from __future__ import annotations

from .statement import Statement

__all__ = ["WriteMemory"]

_MAX_TEXTS = 4096


class WriteMemory:
    """Remembers the texts that look like reads and were refused as writes by the database itself.

    Its verdict is reliable where a guess from the text is not: functions, rules and common table expressions may write.
    """

    __slots__ = ("_texts",)

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def may_read(self, statement: Statement) -> bool:
        """The statement is not known to write."""
        return not (statement.writes or statement.text in self._texts)

    def remember(self, statement: Statement) -> None:
        """The database has refused the statement as a write."""
        if len(self._texts) >= _MAX_TEXTS:
            self._texts.clear()
        self._texts.add(statement.text)
