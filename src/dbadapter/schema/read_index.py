"""Read CREATE INDEX, as scripts and both catalogs have it."""

from __future__ import annotations

from .constraints import Index, IndexPart
from .expressions_from_sqlite import from_sqlite
from .scan import Token, scan
from .script import Cursor, split

__all__ = ["read_index", "read_index_text", "read_part"]


def read_index_text(text: str, *, fold: bool) -> tuple[str, Index, list[str]]:
    """Read the text of one CREATE INDEX statement; see `read_index`. Raises ValueError for what is not understood."""
    cursor = Cursor(scan(text), text, fold=fold)
    if not cursor.word("CREATE"):
        raise ValueError("CREATE was expected")
    unique = cursor.word("UNIQUE")
    if not cursor.word("INDEX"):
        raise ValueError("INDEX was expected")
    return read_index(cursor, unique=unique)


def read_index(cursor: Cursor, *, unique: bool) -> tuple[str, Index, list[str]]:
    """The table's name, the index, and notes on what of it was left out; the cursor stands after INDEX."""
    cursor.word("CONCURRENTLY")
    cursor.word("IF", "NOT", "EXISTS")
    name = None if cursor.word("ON") else cursor.name()
    if name is not None and not cursor.word("ON"):
        raise ValueError("ON was expected after the index's name")
    cursor.word("ONLY")
    table = cursor.name()
    using = cursor.name().lower() if cursor.word("USING") else "btree"
    label = name or f"on {table}"
    notes: list[str] = []
    parts = [read_part(part, cursor, label, notes) for part in split(cursor.group())]
    where = None
    while not cursor.done:
        if cursor.word("WHERE"):
            where = _expression(cursor.source(cursor.tokens[cursor.at :]), cursor)
            break
        if cursor.word("NULLS", "NOT", "DISTINCT"):
            notes.append(f"index {label}: NULLS NOT DISTINCT was left out")
        elif cursor.word("NULLS", "DISTINCT"):
            pass
        elif cursor.word("INCLUDE|WITH"):
            word = cursor.tokens[cursor.at - 1].text.upper()
            notes.append(f"index {label}: {word} ({cursor.source(cursor.group())}) was left out")
        elif cursor.word("TABLESPACE"):
            cursor.take()
        else:
            raise ValueError(f"not understood in an index: {cursor.take().text!r}")
    return table, Index(name=name, unique=unique, where=where, using=using, parts=parts), notes


def _expression(text: str, cursor: Cursor) -> str:
    return text if cursor.fold else from_sqlite(text)


def read_part(tokens: list[Token], outer: Cursor, label: str, notes: list[str]) -> IndexPart:
    """One of the index's columns or expressions."""
    cursor = Cursor(tokens, outer.text, fold=outer.fold)
    first, second = cursor.take(), cursor.peek()
    column: str | None = None
    expression: str | None = None
    if first.is_op("("):
        cursor.at -= 1
        expression = cursor.source(cursor.group())
    elif second is not None and second.is_op("("):
        cursor.group()
        expression = cursor.source(cursor.tokens[: cursor.at])
    elif second is not None and not second.is_word("COLLATE", "ASC", "DESC", "NULLS") and second.kind == "op":
        rest = cursor.tokens  # SQLite takes expressions without parentheses
        last = len(rest)
        while last and rest[last - 1].is_word("ASC", "DESC"):
            last -= 1
        cursor.at = last
        expression = cursor.source(rest[:last])
    else:
        cursor.at -= 1
        column = cursor.name()
    if expression is not None:
        expression = _expression(expression, cursor)
    return _order(cursor, column, expression, label, notes)


def _order(
    cursor: Cursor, column: str | None, expression: str | None, label: str, notes: list[str]
) -> IndexPart:
    descending, nulls, opclass = False, None, None
    while not cursor.done:
        if cursor.word("COLLATE"):
            notes.append(f"index {label}: the collation {cursor.name()} was left out")
        elif cursor.word("ASC"):
            pass
        elif cursor.word("DESC"):
            descending = True
        elif cursor.word("NULLS", "FIRST|LAST"):
            nulls = cursor.tokens[cursor.at - 1].text.lower()
        elif (token := cursor.take()).kind in ("word", "name"):
            opclass = token.text.lower()
        elif token.is_op("(") or token.is_op("."):
            opclass = None  # parameters, or a schema before the name
            if token.is_op("("):
                cursor.at -= 1
                cursor.group()
        else:
            raise ValueError(f"not understood in an index: {token.text!r}")
    if nulls == ("first" if descending else "last"):
        nulls = None
    return IndexPart(column, expression, descending, nulls, opclass)
