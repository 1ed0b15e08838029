"""Reading statements: one text with ``:name`` or ``?`` placeholders becomes each backend's own, once, and is cached.

String literals, quoted names, comments, dollar quotes, ``::type`` casts and the JSON operators ``?``, ``?|`` and ``?&``
are left alone. A ``?`` is a placeholder where an operand is due and an operator where an operator is due.
"""

from __future__ import annotations

import re

from ..errors import ParameterError, SQLSyntaxError
from .statement import MOST_PLACEHOLDERS, Slot, Statement
from .statement_cache import StatementCache

__all__ = ["TOKEN", "comment_end", "parse", "parse_work"]

TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<literal>
          [eE]'(?:[^'\\]|\\.|'')*'          # Postgres' escape string
        | '(?:[^']|'')*'
        | \d[\w.]*
        | (?P<dollar>\$(?:[^\W\d]\w*)?\$)   # opens a dollar quote; its end is searched for
      )
    | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<cast>::)
    | (?P<operator>\?[|&])
    | (?P<named>:[^\W\d]\w*)
    | (?P<mark>\?)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_COMMENT_MARK = re.compile(r"/\*|\*/")
_IS_NULL = re.compile(r"\s+is\s+(?:not\s+)?null\b", re.IGNORECASE)
# After one of these an operand is due, so that a `?` is a placeholder; after any other word it is an operator.
_OPERAND_DUE = frozenset(
    """all and any as between by call case desc distinct do else escape except exists for from glob having ilike in
    intersect into is isnull join like limit match not notnull offset on or placing regexp returning select set similar
    some symmetric then to union using values when where while with""".split()
)
_WRITES = frozenset(
    """alter analyze attach begin call checkpoint cluster comment commit copy create delete detach discard do drop
    end execute grant import insert listen load lock merge notify prepare reassign refresh reindex release replace
    reset revoke rollback savepoint security set truncate unlisten update vacuum""".split()
)
_DATA_CHANGES = frozenset({"insert", "update", "delete", "merge", "replace"})
_BODIES = frozenset({"trigger", "rule", "function", "procedure"})
_TRANSACTION_CONTROL = frozenset(
    {"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"}
)
_SCHEMA_CHANGES = frozenset({"create", "alter", "drop", "attach", "detach", "vacuum", "rollback"})


_parsed: StatementCache[Statement] = StatementCache()
_work: StatementCache[Statement] = StatementCache()


def parse(text: str) -> Statement:
    """Parse `text`; 4,096 distinct texts are remembered, fewer where they are long.

    Raises:
        SQLSyntaxError: more than one statement, an unterminated quote or comment, or nothing at all.
        ParameterError: ``:name`` and ``?`` in one statement.
    """
    if not isinstance(text, str):
        raise SQLSyntaxError(f"a statement is text, not {type(text).__name__}", sqlstate="42601")
    return _parsed.known.get(text) or _parsed.keep(text, _Parser(text).parse())


def parse_work(text: str) -> Statement:
    """As `parse`, for statements of the app's: `SQLSyntaxError` too for what would begin or end a transaction."""
    try:
        return _work.known[text]
    except (KeyError, TypeError):  # not seen yet, or nothing that could be
        return _work.keep(text, _checked_work(text))


def _checked_work(text: str) -> Statement:
    statement = parse(text)
    if statement.verb in _TRANSACTION_CONTROL:
        raise SQLSyntaxError(
            f"{statement.verb.upper()} is not for execute(): use `with adapter.transaction() as tx:`, which nests",
            statement=statement.text,
            sqlstate="2D000",
        )
    return statement


def comment_end(text: str, start: int) -> int:
    """Where the comment that begins at `start` ends; -1 if it does not. Comments nest, as they do on Postgres."""
    depth = 0
    for match in _COMMENT_MARK.finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return -1


class _Parser:
    """One pass over the tokens of a statement; what is remembered of the previous ones decides on the next."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[str] = []
        self.slots: list[Slot] = []
        self.marks = 0  # how many of them are `?`
        # In lower case: the first one, those outside parentheses, and those that change data wherever they stand.
        self.words: list[str] = []
        self.piece_start = self.last_piece_start = 0
        self.operand_due = True
        self.previous = ""  # the last significant token
        self.in_start = -1  # where `IN` or `NOT IN` began, if that is what came last
        self.negated = False
        self.not_start = -1
        self.enclosing = (-1, -1)  # where the `IN` and the parenthesis after it began, if those came last
        self.alone = (-1, -1)  # the same, if a placeholder came last after them
        self.depth = 0
        self.returning = -1
        self.table_due = False
        self.table: str | None = None
        self.table_end = -1
        self.inserts_values = False
        self.ended = False
        self.semicolon = len(text)

    def parse(self) -> Statement:
        self._refuse_unsendable()
        position = 0
        while position < len(self.text):
            match = TOKEN.match(self.text, position)
            assert match is not None  # `other` takes any character
            kind = match.lastgroup
            token, end = match.group(), match.end()
            if kind == "operator" and self.operand_due:
                # Of `?||'x'` and `?&1` only the `?`: a placeholder, and what follows is an operator of its own.
                kind, token, end = "mark", "?", position + 1
            if kind == "comment":
                end = comment_end(self.text, position)
                if end < 0:
                    raise self._unterminated("comment")
            elif kind != "space":
                if match.group("dollar"):
                    end = self._dollar_end(match)
                self._take(kind or "", token, position, end)
            position = end
        return self._finish()

    def _refuse_unsendable(self) -> None:
        """psycopg sends the text up to a NUL, and sqlite3 fails to encode a surrogate."""
        if "\0" in self.text:
            raise self._syntax_error("the statement has a NUL character")
        try:
            self.text.encode()
        except UnicodeEncodeError:
            raise self._syntax_error(
                "the statement has a lone surrogate, which is no valid Unicode"
            ) from None

    def _may_go_on(self) -> bool:
        """After a semicolon: inside the body of a trigger, a rule or a function."""
        return self.words[:1] == ["create"] and not _BODIES.isdisjoint(self.words)

    def _take(self, kind: str, token: str, start: int, end: int) -> None:
        if self.ended and not self._may_go_on():
            raise self._syntax_error("one statement at a time: there is something after the semicolon")
        in_start, self.in_start = self.in_start, -1
        not_start, self.not_start = self.not_start, -1
        enclosing, self.enclosing = self.enclosing, (-1, -1)
        alone, self.alone = self.alone, (-1, -1)
        if kind == "word":
            self._word(token, start, end, not_start)
        elif kind == "named" and not self._glued(start):
            self._slot(token[1:], start, end, in_start)
            self.alone = enclosing
        elif kind == "mark" and self.operand_due and self.text[start - 1 : start] != "@":  # jsonb has `@?`
            if self.text[end : end + 1].isdigit():
                raise self._parameter_error("numbered placeholders like ?1 are not taken: write ? or :name")
            self._slot(self.marks, start, end, in_start)
            self.marks += 1
            self.alone = enclosing
        elif kind in ("literal", "quoted"):
            if kind == "quoted":
                self._name(token, start, end)
            self.operand_due = False
        elif token in "()":
            self.depth += 1 if token == "(" else -1
            if token == "(" and in_start >= 0:
                self.enclosing = (in_start, start)
            elif token == ")" and alone >= (0, 0):
                self._take_out_of_parentheses(*alone, end)
            self.operand_due = token == "("
            self.table_due = False
        elif token == ";":
            if not self.ended:
                self.ended, self.semicolon = True, start
        elif token in "'\"`":
            raise self._unterminated("quote")
        else:
            self.operand_due = token not in ("]", "*") or (token == "*" and not self.operand_due)
        self.previous = token

    def _glued(self, start: int) -> bool:
        """A colon right after a name, a number or a bracket is an array slice, not a placeholder."""
        before = self.text[start - 1] if start else " "
        return before.isalnum() or before in "_]):"

    def _word(self, token: str, start: int, end: int, not_start: int) -> None:
        word = token.lower()
        qualified = self.previous == "."
        if self.depth == 0 or not self.words or word in _DATA_CHANGES:
            self.words.append(word)
        if qualified:
            self.operand_due = False
            self._name(token, start, end)
            return
        if word == "not":
            self.not_start = start
        elif word == "in":
            self.negated = not_start >= 0
            self.in_start = not_start if self.negated else start
        elif word == "returning" and self.depth == 0:
            self.returning = end
        elif word in ("into", "update", "from") and self.depth == 0 and self.table is None:
            self.table_due = True
            self.operand_due = True
            return
        elif word == "values" and self.words[0] in ("insert", "replace") and self.depth == 0:
            self.inserts_values = True
        elif self.table_due and word not in ("only", "or"):
            self._name(token, start, end)
        self.operand_due = word in _OPERAND_DUE or (word == "zone" and self.previous.lower() == "time")

    def _name(self, token: str, start: int, end: int) -> None:
        """Note the table's name where one is due; a dot joins a second part to it."""
        if self.table_due:
            self.table, self.table_due, self.table_end = token, False, end
        elif self.table is not None and self.text[self.table_end : start].strip() == ".":
            self.table, self.table_end = f"{self.table}.{token}", end

    def _slot(self, key: str | int, start: int, end: int, in_start: int) -> None:
        expands = in_start >= self.piece_start
        self.pieces.append(self.text[self.piece_start : start])
        tested = _IS_NULL.match(self.text, end) is not None
        self.slots.append(
            Slot(
                key,
                expands,
                expands and self.negated,
                in_start - self.piece_start if expands else 0,
                tested=tested,
            )
        )
        self.last_piece_start, self.piece_start = self.piece_start, end
        self.operand_due = False

    def _take_out_of_parentheses(self, in_start: int, opened: int, end: int) -> None:
        """``IN (:ids)``, just read, becomes ``IN :ids``, where a single value is taken too."""
        slot, begun = self.slots[-1], self.last_piece_start
        self.pieces[-1] = self.text[begun:opened]
        self.slots[-1] = Slot(slot.key, True, self.negated, in_start - begun, may_be_single=True)
        self.piece_start = end

    def _dollar_end(self, match: re.Match[str]) -> int:
        end = self.text.find(match.group("dollar"), match.end())
        if end < 0:
            raise self._unterminated("dollar quote")
        return end + len(match.group("dollar"))

    def _unterminated(self, what: str) -> SQLSyntaxError:
        return self._syntax_error(f"unterminated {what} in the statement")

    def _syntax_error(self, message: str) -> SQLSyntaxError:
        return SQLSyntaxError(message, statement=self.text, sqlstate="42601")

    def _parameter_error(self, message: str) -> ParameterError:
        return ParameterError(message, statement=self.text, sqlstate="07001")

    def _finish(self) -> Statement:
        if not self.words and not self.previous.strip(";"):
            raise self._syntax_error("the statement is empty")
        self.pieces.append(self.text[self.piece_start :])
        if len(self.slots) > MOST_PLACEHOLDERS:
            raise self._parameter_error(
                f"{len(self.slots):,} placeholders are too many for one statement (at most {MOST_PLACEHOLDERS:,}); "
                "insert_many takes any number of rows"
            )
        kinds = {type(slot.key) for slot in self.slots}
        if len(kinds) > 1:
            name = next(slot.key for slot in self.slots if isinstance(slot.key, str))
            raise self._parameter_error(
                f"one placeholder style at a time: the statement has both :{name} and ?"
            )
        verb = self.words[0] if self.words else ""
        writes = verb in _WRITES or (verb in ("with", "explain") and not _DATA_CHANGES.isdisjoint(self.words))
        return Statement(
            text=self.text,
            verb=verb,
            pieces=tuple(self.pieces),
            slots=tuple(self.slots),
            named=kinds == {str},
            writes=writes,
            changes_schema=verb in _SCHEMA_CHANGES,
            table=self.table if writes else None,
            returning=self.returning if writes else -1,
            inserts_values=self.inserts_values,
            upserts="conflict" in self.words,
            ending="" if self._may_go_on() else self.text[self.semicolon :],
        )
