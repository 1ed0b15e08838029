"""What only the text of CREATE TABLE tells: checks, generated columns, collations, deferrable keys."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field

from ..schema.scan import Token, scan

__all__ = ["ColumnText", "TableText", "read_create_table"]

_CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")


@define
class ColumnText:
    """What a column's definition says beyond the pragmas."""

    collation: str | None = None
    generated: str | None = None
    autoincrement: bool = False


@define
class TableText:
    """What a table's definition says beyond the pragmas.

    Attributes:
        columns: by name, in lower case.
        checks: (name or None, expression), in order.
        deferrable: one entry for each foreign key in order: None, ``immediate`` or ``deferred``.
    """

    columns: dict[str, ColumnText] = field(factory=dict)
    checks: list[tuple[str | None, str]] = field(factory=list)
    deferrable: list[str | None] = field(factory=list)


def read_create_table(sql: str) -> TableText:
    """Read a CREATE TABLE statement as SQLite keeps it; what is not understood is left out."""
    found = TableText()
    tokens = [token for token in scan(sql) if token.kind != "comment"]
    for item in _items(tokens):
        if item[0].is_word(*_CONSTRAINTS):
            _clauses(sql, item, found, None)
        else:
            column = found.columns.setdefault(item[0].text.lower(), ColumnText())
            _clauses(sql, item[1:], found, column)
    return found


def _items(tokens: list[Token]) -> Iterator[list[Token]]:
    """The parts between the commas of the outermost parentheses."""
    depth = 0
    item: list[Token] = []
    for token in tokens:
        if token.is_op(")"):
            depth -= 1
            if depth == 0:
                break
        if depth == 1 and token.is_op(","):
            if item:
                yield item
            item = []
        elif depth >= 1:
            item.append(token)
        if token.is_op("("):
            depth += 1
    if item:
        yield item


def _inside(sql: str, tokens: list[Token], opening: int) -> tuple[str, int]:
    """The text in the parentheses that open at `opening`, and the index of the closing one."""
    depth = 0
    for index in range(opening, len(tokens)):
        depth += tokens[index].is_op("(") - tokens[index].is_op(")")
        if depth == 0:
            return sql[tokens[opening].end : tokens[index].start].strip(), index
    return sql[tokens[opening].end : tokens[-1].end].strip(), len(tokens)


def _clauses(sql: str, tokens: list[Token], found: TableText, column: ColumnText | None) -> None:
    name: str | None = None
    at = 0
    while at < len(tokens):
        token = tokens[at]
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        if token.is_word("CONSTRAINT") and after:
            name, at = after.text, at + 2
            continue
        if token.is_word("CHECK") and after and after.is_op("("):
            expression, at = _inside(sql, tokens, at + 1)
            found.checks.append((name, expression))
            name = None
        elif token.is_word("REFERENCES"):
            found.deferrable.append(None)
        elif token.is_word("DEFERRABLE") and found.deferrable and not tokens[at - 1].is_word("NOT"):
            deferred = any(other.is_word("DEFERRED") for other in tokens[at : at + 3])
            found.deferrable[-1] = "deferred" if deferred else "immediate"
        elif column is not None and token.is_word("COLLATE") and after:
            column.collation = after.text.upper()
        elif column is not None and token.is_word("AUTOINCREMENT"):
            column.autoincrement = True
        elif column is not None and token.is_word("AS") and after and after.is_op("("):
            column.generated, at = _inside(sql, tokens, at + 1)
        elif token.is_op("("):
            _, at = _inside(sql, tokens, at)
        at += 1
