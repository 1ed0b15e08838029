"""Read what CREATE TABLE and ALTER TABLE ... ADD say about columns and constraints."""

from __future__ import annotations

from .constraints import Check, ForeignKey, Unique
from .drafts import ColumnDraft, TableDraft
from .expressions_from_sqlite import from_sqlite
from .scan import Token
from .script import Cursor, split

__all__ = ["CONSTRAINT_WORDS", "TABLE_WORDS", "read_column", "read_definition", "read_table_constraint"]

CONSTRAINT_WORDS = (
    "CONSTRAINT", "NOT", "NULL", "DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "GENERATED", "AS",
    "COLLATE",
    "DEFERRABLE", "INITIALLY", "STORAGE", "COMPRESSION",
)  # fmt: skip
TABLE_WORDS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE", "LIKE")


def read_definition(draft: TableDraft, cursor: Cursor, tokens: list[Token]) -> None:
    """Fill the draft with what follows the name in CREATE TABLE; ValueError where that is no SQL.

    Args:
        draft: the table.
        cursor: it stands at the opening parenthesis.
        tokens: the statement's tokens, comments included.
    """
    opening = cursor.tokens[cursor.at]
    cursor.group()
    closing = cursor.tokens[cursor.at - 1]
    body = [token for token in tokens if opening.start < token.start < closing.start]
    _read_body(draft, body, cursor.text, fold=cursor.fold)
    for part in split(cursor.tokens[cursor.at :]):
        option = " ".join(token.text.upper() for token in part)
        if option == "WITHOUT ROWID":
            for column in draft.columns:
                column.counts_on_sqlite = False
        elif option and option not in ("STRICT", "WITHOUT OIDS"):
            draft.notes.append(f"the option {cursor.source(part)} was left out")


def _read_body(draft: TableDraft, tokens: list[Token], text: str, *, fold: bool) -> None:
    if not fold and tokens and tokens[0].kind == "comment":
        draft.comment = _uncommented(tokens[0].text)
        tokens = tokens[1:]
    constraints = []
    for part in split(tokens):
        words = [token for token in part if token.kind != "comment"]
        if words and words[0].is_word(*TABLE_WORDS):
            constraints.append(part)
        elif words:
            read_column(draft, part, text, fold=fold)
        else:
            raise ValueError("a column or constraint is missing between two commas")
    for part in constraints:
        read_table_constraint(draft, Cursor(part, text, fold=fold))


def _uncommented(text: str) -> str:
    """A comment as the SQLite renderer wrote it, between two spaces, or as anyone did."""
    ours = len(text) > 1 and text[0] == text[-1] == " "
    return (
        (text[1:-1] if ours else text.strip())
        .replace("/\\*", "/*")
        .replace("*\\/", "*/")
        .replace("\\\\", "\\")
    )


def read_column(draft: TableDraft, tokens: list[Token], text: str, *, fold: bool) -> None:
    """Add the column that ``name type constraints...`` defines."""
    cursor = Cursor(tokens, text, fold=fold)
    column = ColumnDraft(cursor.name())
    start = cursor.at
    depth = 0
    while (token := cursor.peek()) and (depth or not token.is_word(*CONSTRAINT_WORDS)):
        depth += token.is_op("(") - token.is_op(")")
        cursor.at += 1
    column.type = _type_text(cursor, cursor.tokens[start : cursor.at])
    if fold and not column.type:
        raise ValueError(f"column {column.name} has no type")
    if not fold and tokens[-1].kind == "comment":
        column.comment = _uncommented(tokens[-1].text)
    draft.columns.append(column)
    while not cursor.done:
        _column_constraint(draft, column, cursor)


def _type_text(cursor: Cursor, tokens: list[Token]) -> str:
    if len(tokens) == 1 and tokens[0].kind == "name" and not cursor.fold:
        return tokens[0].text  # SQLite takes a quoted type name as it is
    return cursor.source(tokens)


def _column_constraint(draft: TableDraft, column: ColumnDraft, cursor: Cursor) -> None:
    name = cursor.name() if cursor.word("CONSTRAINT") else None
    own = (column.name,)
    if cursor.word("NOT", "NULL"):
        column.not_null = True
        _conflict(draft, cursor)
        cursor.word("NO", "INHERIT")
    elif cursor.word("NULL"):
        pass
    elif cursor.word("DEFAULT"):
        column.default = cursor.source(_expression(cursor))
    elif cursor.word("PRIMARY", "KEY"):
        _primary_key(draft, own, name)
        cursor.word("ASC")
        column.counts_on_sqlite = not cursor.word("DESC")
        _conflict(draft, cursor)
        column.autoincrement = cursor.word("AUTOINCREMENT") or column.autoincrement
        column.not_null = True
    elif cursor.word("UNIQUE"):
        _nulls_and_conflict(draft, cursor)
        draft.unique.append(Unique(own, name))
    elif cursor.word("CHECK"):
        draft.checks.append(Check(_condition(draft, cursor), name))
    elif cursor.word("REFERENCES"):
        draft.foreign_keys.append(_references(draft, cursor, own, name))
    elif cursor.word("GENERATED") or _is_generated(cursor):
        _generated(draft, column, cursor)
    elif cursor.word("COLLATE"):
        draft.notes.append(f"column {column.name}: the collation {cursor.name()} was left out")
    elif cursor.word("NOT", "DEFERRABLE") or cursor.word("INITIALLY", "IMMEDIATE"):
        pass
    elif cursor.word("DEFERRABLE") or cursor.word("INITIALLY", "DEFERRED"):
        draft.notes.append(
            f"column {column.name}: a deferrable key is not kept, only deferrable foreign keys are"
        )
    elif cursor.word("STORAGE|COMPRESSION"):
        cursor.take()
    else:
        rest = cursor.tokens[cursor.at :]
        draft.notes.append(f"column {column.name}: not understood: {cursor.source(rest)}")
        cursor.at = len(cursor.tokens)


def _is_generated(cursor: Cursor) -> bool:
    """SQLite's short form: ``AS (expression)``."""
    token, after = cursor.peek(), cursor.peek(1)
    return bool(token and after and token.is_word("AS") and after.is_op("("))


def _expression(cursor: Cursor) -> list[Token]:
    """A default: it ends where the next constraint begins."""
    start, depth = cursor.at, 0
    while token := cursor.peek():
        ends = token.is_word(*CONSTRAINT_WORDS) and depth == 0 and cursor.at > start
        if ends:
            break
        depth += (token.is_op("(") or token.is_op("[")) - (token.is_op(")") or token.is_op("]"))
        cursor.at += 1
    return cursor.tokens[start : cursor.at]


def _condition(draft: TableDraft, cursor: Cursor) -> str:
    text = cursor.source(cursor.group())
    cursor.word("NO", "INHERIT")
    if cursor.word("NOT", "VALID"):
        draft.notes.append(f"the check {text} is kept as a valid one")
    return text if cursor.fold else from_sqlite(text, tuple(column.name for column in draft.columns))


def _generated(draft: TableDraft, column: ColumnDraft, cursor: Cursor) -> None:
    if not cursor.word("ALWAYS"):
        cursor.word("BY", "DEFAULT")
    if not cursor.word("AS"):
        raise ValueError(f"column {column.name}: AS was expected after GENERATED")
    if cursor.word("IDENTITY"):
        column.identity = True
        column.not_null = True
        if (token := cursor.peek()) and token.is_op("("):
            cursor.group()
        return
    text = cursor.source(cursor.group())
    cursor.word("STORED|VIRTUAL")
    names = tuple(other.name for other in draft.columns)
    column.generated = text if cursor.fold else from_sqlite(text, names)


def _primary_key(draft: TableDraft, columns: tuple[str, ...], name: str | None) -> None:
    draft.primary_key = draft.primary_key + columns
    draft.primary_key_name = name


def _conflict(draft: TableDraft, cursor: Cursor) -> None:
    if cursor.word("ON", "CONFLICT"):
        word = cursor.take().text.upper()
        if word != "ABORT":
            draft.notes.append(f"ON CONFLICT {word} was left out: say it at the INSERT")


def _nulls_and_conflict(draft: TableDraft, cursor: Cursor) -> None:
    if cursor.word("NULLS", "NOT", "DISTINCT"):
        draft.notes.append("NULLS NOT DISTINCT was left out: NULLs differ from each other here")
    cursor.word("NULLS", "DISTINCT")
    _conflict(draft, cursor)


def _references(draft: TableDraft, cursor: Cursor, columns: tuple[str, ...], name: str | None) -> ForeignKey:
    table = cursor.name()
    token = cursor.peek()
    ref_columns = cursor.names() if token and token.is_op("(") else ()
    actions = {"DELETE": "NO ACTION", "UPDATE": "NO ACTION"}
    deferrable: str | None = None
    while not cursor.done:
        if cursor.word("ON", "DELETE|UPDATE"):
            event = cursor.tokens[cursor.at - 1].text.upper()
            actions[event] = _action(cursor)
        elif cursor.word("MATCH"):
            if not cursor.take().is_word("SIMPLE"):
                draft.notes.append(f"the foreign key to {table} is kept without MATCH FULL")
        elif cursor.word("NOT", "DEFERRABLE"):
            deferrable = None
        elif cursor.word("DEFERRABLE"):
            deferrable = deferrable or "immediate"
        elif cursor.word("INITIALLY", "DEFERRED"):
            deferrable = "deferred"
        elif cursor.word("INITIALLY", "IMMEDIATE"):
            pass
        elif cursor.word("NOT", "VALID"):
            draft.notes.append(f"the foreign key to {table} is kept as a valid one")
        else:
            break
    return ForeignKey(
        columns, table, ref_columns, on_delete=actions["DELETE"], on_update=actions["UPDATE"],
        deferrable=deferrable, name=name,
    )  # fmt: skip


def _action(cursor: Cursor) -> str:
    for action in ("NO ACTION", "SET NULL", "SET DEFAULT", "CASCADE", "RESTRICT"):
        if cursor.word(*action.split()):
            if action.startswith("SET") and (token := cursor.peek()) and token.is_op("("):
                cursor.group()
            return action
    raise ValueError(f"an action was expected instead of {cursor.take().text!r}")


def read_table_constraint(draft: TableDraft, cursor: Cursor) -> None:
    """Add a constraint of the table: ``[CONSTRAINT name] PRIMARY KEY (...)`` and so on."""
    name = cursor.name() if cursor.word("CONSTRAINT") else None
    if cursor.word("PRIMARY", "KEY"):
        _primary_key(draft, cursor.names(), name)
        for column in draft.columns:
            column.not_null = column.not_null or column.name in draft.primary_key
    elif cursor.word("UNIQUE"):
        _nulls_and_conflict(draft, cursor)
        draft.unique.append(Unique(cursor.names(), name))
        _conflict(draft, cursor)
    elif cursor.word("CHECK"):
        draft.checks.append(Check(_condition(draft, cursor), name))
    elif cursor.word("FOREIGN", "KEY"):
        columns = cursor.names()
        if not cursor.word("REFERENCES"):
            raise ValueError("REFERENCES was expected after FOREIGN KEY")
        draft.foreign_keys.append(_references(draft, cursor, columns, name))
    else:
        draft.notes.append(f"not kept: {cursor.source(cursor.tokens)}")
        return
    if not cursor.done:
        draft.notes.append(f"not understood: {cursor.source(cursor.tokens[cursor.at :])}")
