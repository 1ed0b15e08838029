"""A schema out of an SQL script: CREATE TABLE, TYPE, INDEX, ALTER TABLE and COMMENT; the rest is reported."""

from __future__ import annotations

from . import types as t
from .drafts import ColumnDraft, Skipped, TableDraft, finish
from .read_index import read_index
from .read_table import CONSTRAINT_WORDS, TABLE_WORDS, read_column, read_definition, read_table_constraint
from .scan import Token, scan
from .script import Cursor, split, statements
from .table import Table
from .type_names import postgresql_type

__all__ = ["ScriptReader"]

# Statements that say nothing about tables and are no loss.
_QUIET = ("BEGIN", "COMMIT", "END", "START", "ROLLBACK", "SET", "RESET", "PRAGMA", "ANALYZE", "VACUUM")
_DATA = ("INSERT", "UPDATE", "DELETE", "COPY", "TRUNCATE", "REPLACE", "MERGE")


class ScriptReader:
    """Reads one script."""

    def __init__(self, text: str, dialect: str) -> None:
        self.text, self.dialect = text, dialect
        self.fold = dialect == "postgresql"
        self.drafts: dict[str, TableDraft] = {}
        self.named: dict[str, t.Type] = {}
        self.skipped: list[Skipped] = []
        self._sequences: dict[str, Skipped] = {}

    def read(self) -> tuple[list[Table], list[Skipped]]:
        """The tables and what was left out."""
        for tokens in statements(self.text):
            words = [token for token in tokens if token.kind != "comment"]
            if not words:
                continue
            try:
                self._statement(tokens, words)
            except ValueError as error:
                self._skip(words, f"not understood: {error}")
        tables = []
        for draft in self.drafts.values():
            self._forget_sequences(draft)
            if table := finish(draft, self.dialect, self.named, self.skipped):
                tables.append(table)
        return tables, self.skipped + list(self._sequences.values())

    def _forget_sequences(self, draft: TableDraft) -> None:
        """A sequence behind an Identity is made with it."""
        for column in draft.columns:
            if column.default and column.default.lower().startswith("nextval("):
                named = next((token.text for token in scan(column.default) if token.kind == "string"), "")
                self._sequences.pop(named.rpartition(".")[2].strip('"'), None)
            self._sequences.pop(f"{draft.name}_{column.name}_seq", None)

    def _skip(self, words: list[Token], reason: str) -> None:
        beginning = " ".join(self.text[words[0].start : words[-1].end].split())
        self.skipped.append(Skipped(beginning if len(beginning) <= 80 else beginning[:77] + "...", reason))

    def _statement(self, tokens: list[Token], words: list[Token]) -> None:
        cursor = Cursor(tokens, self.text, fold=self.fold)
        if words[0].is_word(*_QUIET) or (
            words[0].is_word("SELECT") and any(word.text == "set_config" for word in words[:5])
        ):
            return  # pg_dump clears the search path by a SELECT
        if words[0].is_word(*_DATA):
            self._skip(words, "data, not schema; run it after create_tables")
        elif cursor.word("CREATE"):
            self._create(cursor, tokens, words)
        elif cursor.word("ALTER", "TABLE"):
            self._alter(cursor, words)
        elif cursor.word("COMMENT", "ON"):
            self._comment(cursor, words)
        elif cursor.word("DO"):
            self._block(cursor, words)
        elif cursor.word("DROP", "TABLE"):
            cursor.word("IF", "EXISTS")
            for part in split(cursor.tokens[cursor.at :]):
                self.drafts.pop(Cursor(part, self.text, fold=self.fold).name(), None)
        elif cursor.word("ALTER", "SEQUENCE") or words[0].is_word("DROP"):
            pass
        else:
            self._skip(words, "not a statement about tables")

    def _create(self, cursor: Cursor, tokens: list[Token], words: list[Token]) -> None:
        cursor.word("OR", "REPLACE")
        temporary = cursor.word("TEMP|TEMPORARY")
        cursor.word("UNLOGGED")
        if cursor.word("TABLE"):
            if temporary:
                self._skip(words, "a temporary table is no part of a schema")
            else:
                self._create_table(cursor, tokens, words)
        elif cursor.word("UNIQUE", "INDEX") or cursor.word("INDEX"):
            self._create_index(cursor, words)
        elif cursor.word("TYPE"):
            self._create_type(cursor, words)
        elif cursor.word("DOMAIN"):
            self._create_domain(cursor, words)
        elif cursor.word("SEQUENCE"):
            cursor.word("IF", "NOT", "EXISTS")
            name = cursor.name()
            self._sequences[name] = Skipped(f"CREATE SEQUENCE {name}", "no column of a table counts with it")
        elif cursor.word("EXTENSION"):
            pass  # pgvector is asked for where a column needs it
        else:
            kind = words[cursor.at].text.lower() if cursor.at < len(words) else "statement"
            self._skip(words, f"a {kind} is not part of a table; create it with SQL of its own")

    def _create_table(self, cursor: Cursor, tokens: list[Token], words: list[Token]) -> None:
        cursor.word("IF", "NOT", "EXISTS")
        draft = TableDraft(cursor.name())
        if draft.name in self.drafts:
            self._skip(words, "there is a table of that name already")
            return
        opening = cursor.peek()
        if opening is None or not opening.is_op("("):
            self._skip(words, "only tables with a list of columns can be read (no AS, LIKE or PARTITION OF)")
            return
        read_definition(draft, cursor, tokens)
        self.drafts[draft.name] = draft

    def _create_index(self, cursor: Cursor, words: list[Token]) -> None:
        unique = words[1].is_word("UNIQUE")
        name, index, notes = read_index(cursor, unique=unique)
        draft = self._draft(name)
        if draft is None:
            self._skip(words, f"there is no table {name}")
            return
        draft.indexes.append(index)
        draft.notes += notes

    def _draft(self, name: str) -> TableDraft | None:
        if self.fold or name in self.drafts:
            return self.drafts.get(name)
        return next((draft for draft in self.drafts.values() if draft.name.lower() == name.lower()), None)

    def _create_type(self, cursor: Cursor, words: list[Token]) -> None:
        name = cursor.name()
        if not cursor.word("AS", "ENUM"):
            self._skip(words, "only enumerations are types of their own here")
            return
        values = [token.text for token in cursor.group() if token.kind == "string"]
        self.named[name] = t.Enum(*values, name=name)

    def _create_domain(self, cursor: Cursor, words: list[Token]) -> None:
        name = cursor.name()
        cursor.word("AS")
        start = cursor.at
        while (token := cursor.peek()) and not token.is_word(*CONSTRAINT_WORDS):
            cursor.at += 1
        self.named[name] = postgresql_type(cursor.source(cursor.tokens[start : cursor.at]), self.named)
        if not cursor.done:
            self._skip(words, "columns of a domain get its base type, without its constraints")

    def _block(self, cursor: Cursor, words: list[Token]) -> None:
        """``DO $$ ... CREATE TYPE ... $$`` is how scripts say CREATE TYPE IF NOT EXISTS."""
        body = cursor.peek()
        if body is None or body.kind != "string":
            self._skip(words, "a block of code is not part of a table")
            return
        inner = Cursor(scan(body.text), body.text, fold=True)
        found = False
        while not inner.done:
            if inner.word("CREATE", "TYPE"):
                self._create_type(inner, words)
                found = True
            else:
                inner.at += 1
        if not found:
            self._skip(words, "a block of code is not part of a table")

    def _alter(self, cursor: Cursor, words: list[Token]) -> None:
        cursor.word("IF", "EXISTS")
        cursor.word("ONLY")
        draft = self._draft(name := cursor.name())
        if draft is None:
            self._skip(words, f"there is no table {name}")
            return
        for part in split(cursor.tokens[cursor.at :]):
            self._alteration(draft, part, words)

    def _alteration(self, draft: TableDraft, part: list[Token], words: list[Token]) -> None:
        action = Cursor(part, self.text, fold=self.fold)
        following = action.peek(1)
        constraint = following is not None and following.is_word(*TABLE_WORDS)
        if action.word("ADD", "COLUMN") or (not constraint and action.word("ADD")):
            action.word("IF", "NOT", "EXISTS")
            read_column(draft, part[action.at :], self.text, fold=self.fold)
        elif action.word("ADD"):
            read_table_constraint(draft, action)
        elif action.word("ALTER"):
            action.word("COLUMN")
            self._alter_column(draft, action, words)
        elif action.word("OWNER|ENABLE|DISABLE|REPLICA|VALIDATE|CLUSTER|SET|RESET|FORCE|NO"):
            if not action.tokens[0].is_word("VALIDATE"):
                self._skip(words, "rights, storage and row security are not part of a schema")
        else:
            self._skip(words, "this change of a table is not understood; write the table as it is to be")

    def _alter_column(self, draft: TableDraft, action: Cursor, words: list[Token]) -> None:
        column = draft.column(name := action.name())
        if column is None:
            self._skip(words, f"there is no column {name}")
        elif action.word("SET", "DEFAULT"):
            column.default = action.source(action.tokens[action.at :])
        elif action.word("DROP", "DEFAULT"):
            column.default = None
        elif action.word("SET", "NOT", "NULL"):
            column.not_null = True
        elif action.word("DROP", "NOT", "NULL"):
            column.not_null = False
        elif action.word("ADD", "GENERATED"):
            column.identity = True
        elif action.word("SET", "DATA", "TYPE") or action.word("TYPE"):
            rest = action.tokens[action.at :]
            using = next((place for place, token in enumerate(rest) if token.is_word("USING")), len(rest))
            column.type = action.source(rest[:using])
        else:
            self._skip(words, "this change of a column is not understood")

    def _comment(self, cursor: Cursor, words: list[Token]) -> None:
        target: TableDraft | ColumnDraft | None
        if cursor.word("TABLE"):
            target = self.drafts.get(cursor.name())
        elif cursor.word("COLUMN"):
            path = []
            while not cursor.word("IS"):
                token = cursor.take()
                if not token.is_op("."):
                    path.append(token.text.lower() if token.kind == "word" else token.text)
            draft = self.drafts.get(path[-2]) if len(path) > 1 else None
            target = draft.column(path[-1]) if draft else None
            cursor.at -= 1
        else:
            if not cursor.word("EXTENSION|SCHEMA|DATABASE"):
                self._skip(words, "comments are kept for tables and columns")
            return
        if target is None:
            self._skip(words, "there is no such table or column")
        elif cursor.word("IS"):
            token = cursor.take()
            target.comment = token.text if token.kind == "string" else None
