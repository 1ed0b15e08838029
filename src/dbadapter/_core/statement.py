"""Statements: one text with ``:name`` or ``?`` placeholders becomes each backend's own, once, and is cached.

The text is cut into the pieces between placeholders; a backend's text is those pieces joined by its own markers.
String literals, quoted names, comments, dollar quotes, ``::type`` casts and the JSON operators ``?``, ``?|`` and ``?&``
are left alone. A ``?`` is a placeholder where an operand is due and an operator where an operator is due.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from typing import Any

import attrs

from ..errors import ParameterError, SQLSyntaxError

__all__ = ["MAX_PARAMETERS", "TOKEN", "Slot", "Statement", "parse", "parse_work"]

# The smallest of the backends' limits: SQLite's SQLITE_MAX_VARIABLE_NUMBER (Postgres: 65,535).
MAX_PARAMETERS = 32_766

# The usual sequences of parameters; others are looked at more closely.
_SIMPLE = frozenset({tuple, list})

Parameters = Mapping[str, Any] | Sequence[Any] | None

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


@attrs.frozen
class Slot:
    """One placeholder.

    Attributes:
        key: the parameter's name, or its position from 0.
        expands: it stands after IN, so that a sequence is spread out.
        negated: after NOT IN.
        start: where in the piece before it the IN (or NOT IN) begins.
    """

    key: str | int
    expands: bool = False
    negated: bool = False
    start: int = 0


@attrs.define(eq=False)
class Statement:
    """A parsed statement.

    Attributes:
        text: as the caller wrote it.
        verb: its first word in lower case.
        pieces: the text between the placeholders, one more than `slots`.
        slots: the placeholders in order.
        named: the placeholders are ``:name``.
        keys: the distinct parameters in order of their first appearance.
        writes: it certainly changes something (a hint: what reads may still turn out to write).
        changes_schema: it may alter tables, so what is known of columns is to be looked up anew.
        table: the table it inserts into, updates or deletes from, as written.
        returning: where its RETURNING list begins in the text, or -1.
        inserts_values: an INSERT of given rows (not of a SELECT's).
        upserts: it has an ON CONFLICT clause.
        ending: the semicolon at its end and the comments after it, which no backend is sent.
    """

    text: str
    verb: str
    pieces: tuple[str, ...]
    slots: tuple[Slot, ...]
    named: bool
    writes: bool
    changes_schema: bool
    table: str | None
    returning: int
    inserts_values: bool
    upserts: bool
    ending: str
    keys: tuple[str | int, ...] = attrs.field(init=False)
    plain: str | None = attrs.field(init=False)
    numbered: str | None = attrs.field(init=False)
    _slot_keys: tuple[str | int, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.keys = tuple(dict.fromkeys(slot.key for slot in self.slots))
        self._slot_keys = tuple(slot.key for slot in self.slots)
        fixed = not any(slot.expands for slot in self.slots)
        self.plain = self._join(["?"] * len(self.slots)) if fixed else None
        numbers = {key: f"${number}" for number, key in enumerate(self.keys, 1)}
        self.numbered = self._join([numbers[key] for key in self._slot_keys]) if fixed else None

    def _join(self, markers: Sequence[str]) -> str:
        parts = [self.pieces[0]]
        for marker, piece in zip(markers, self.pieces[1:], strict=True):
            parts += (marker, piece)
        return "".join(parts).removesuffix(self.ending)

    def without_parameters(self) -> str:
        """The text with NULL for every parameter, for a look at its columns."""
        return self._join(["(NULL)" if slot.expands else "NULL" for slot in self.slots])

    def bind_plain(self, params: Parameters) -> tuple[str, Sequence[Any]]:
        """The text with ``?`` markers, and a value for each of them.

        Raises `ParameterError` naming what is missing or surplus.
        """
        if self.plain is None:
            return self._expand(params, numbered=False)
        keys = self._slot_keys
        if params.__class__ in _SIMPLE and not self.named and len(params) == len(keys):
            return self.plain, params
        return self.plain, self._values(params, keys)

    def bind_numbered(self, params: Parameters) -> tuple[str, Sequence[Any]]:
        """The text with ``$1`` markers, and a value for each number. Raises `ParameterError` as `bind_plain` does."""
        if self.numbered is None:
            return self._expand(params, numbered=True)
        return self.numbered, self._values(params, self.keys)

    def describe(self, index: int, *, numbered: bool) -> str:
        """What the caller calls the value that stands at `index` of a binding without IN lists."""
        keys = self.keys if numbered else self._slot_keys
        key = keys[index] if index < len(keys) else index
        return f":{key}" if isinstance(key, str) else f"{key + 1}"

    def _values(self, params: Parameters, keys: tuple[str | int, ...]) -> Sequence[Any]:
        if not keys:
            if params:
                self._complain(params)
            return ()
        if self.named:
            try:
                if len(params) == len(self.keys):  # type: ignore[arg-type]
                    return [params[key] for key in keys]  # type: ignore[index]
            except (TypeError, KeyError, IndexError):
                pass
        elif isinstance(params, (tuple, list)) and len(params) == len(keys):
            return params
        return self._checked(params, keys)

    def _checked(self, params: Parameters, keys: tuple[str | int, ...]) -> Sequence[Any]:
        """The slow path of `_values`: an unusual sequence, or a complaint."""
        self._complain(params)
        if self.named:
            return [params[key] for key in keys]  # type: ignore[index]
        return list(params)  # type: ignore[arg-type]

    def _complain(self, params: Parameters) -> None:
        """Raise `ParameterError` unless `params` are exactly what the placeholders ask for."""
        if self.named:
            if not isinstance(params, Mapping):
                first = f":{self.keys[0]}"
                given = "nothing was given" if params is None else f"{type(params).__name__} was given"
                raise self._error(f"the placeholders are named ({first}), so a mapping is needed; {given}")
            if missing := [key for key in self.keys if key not in params]:
                raise self._error("no value for " + ", ".join(f":{key}" for key in missing))
            if surplus := [key for key in params if key not in self.keys]:
                raise self._error("no placeholder for " + ", ".join(f":{key}" for key in surplus))
            return
        if isinstance(params, Mapping):
            if not self.slots:
                raise self._error("no placeholder for " + ", ".join(f":{key}" for key in params))
            raise self._error("the placeholders are ?, so a sequence is needed; a mapping was given")
        if isinstance(params, (str, bytes, bytearray)):
            raise self._error(
                f"params must be a sequence of values, not {type(params).__name__}; wrap it: (value,)"
            )
        if params is not None and not isinstance(params, Sequence):
            raise self._error(f"params must be a mapping or a sequence, not {type(params).__name__}")
        given_count = len(params or ())
        if given_count < len(self.slots):
            raise self._error(
                f"no value for parameter {given_count + 1}: "
                f"{len(self.slots)} placeholders, {given_count} values"
            )
        if given_count > len(self.slots):
            raise self._error(
                f"no placeholder for parameter {len(self.slots) + 1}: "
                f"{len(self.slots)} placeholders, {given_count} values"
            )

    def _expand(self, params: Parameters, *, numbered: bool) -> tuple[str, Sequence[Any]]:
        """Text and values with the sequences after IN spread out; an empty one matches nothing."""
        self._complain(params)
        parts: list[str] = []
        values: list[Any] = []
        numbers: dict[str | int, str] = {}

        def marker(value: Any) -> str:
            values.append(value)
            return f"${len(values)}" if numbered else "?"

        for piece, slot in zip(self.pieces, self.slots, strict=False):
            value = params[slot.key]  # type: ignore[index]
            if not slot.expands:
                if not numbered or slot.key not in numbers:
                    numbers[slot.key] = marker(value)
                parts += (piece, numbers[slot.key])
                continue
            if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, (Sequence, Set)):
                name = f":{slot.key}" if self.named else f"parameter {int(slot.key) + 1}"
                raise self._error(
                    f"{name} stands after IN and takes a list, tuple or set, not {type(value).__name__}"
                )
            if value:
                parts += (piece, "(", ", ".join([marker(item) for item in value]), ")")
            elif numbered:  # Postgres has no `IN ()`; an untyped empty array takes the type of the left side
                parts += (piece[: slot.start], "<> ALL ('{}')" if slot.negated else "= ANY ('{}')")
            else:
                parts += (piece, "()")
        parts.append(self.pieces[-1])
        if len(values) > MAX_PARAMETERS:
            raise self._error(
                f"{len(values):,} values are too many for one statement (at most {MAX_PARAMETERS:,}); "
                "load them into a temporary table with insert_many and join it"
            )
        return "".join(parts).removesuffix(self.ending), values

    def _error(self, message: str) -> ParameterError:
        return ParameterError(message, statement=self.text, sqlstate="07001")


@lru_cache(maxsize=4096)
def parse(text: str) -> Statement:
    """Parse `text`; the last 4,096 distinct texts are remembered.

    Raises:
        SQLSyntaxError: more than one statement, an unterminated quote or comment, or nothing at all.
        ParameterError: ``:name`` and ``?`` in one statement.
    """
    if not isinstance(text, str):
        raise SQLSyntaxError(f"a statement is text, not {type(text).__name__}", sqlstate="42601")
    return _Parser(text).parse()


@lru_cache(maxsize=4096)
def parse_work(text: str) -> Statement:
    """As `parse`, for statements of the app's: `SQLSyntaxError` too for what would begin or end a transaction."""
    statement = parse(text)
    if statement.verb in _TRANSACTION_CONTROL:
        raise SQLSyntaxError(
            f"{statement.verb.upper()} is not for execute(): use `with adapter.transaction() as tx:`, which nests",
            statement=statement.text,
            sqlstate="2D000",
        )
    return statement


class _Parser:
    """One pass over the tokens of a statement; what is remembered of the previous ones decides on the next."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[str] = []
        self.slots: list[Slot] = []
        self.words: list[str] = []  # the statement's words in lower case, outside parentheses first
        self.piece_start = 0
        self.operand_due = True
        self.previous = ""  # the last significant token
        self.in_start = -1  # where `IN` or `NOT IN` began, if that is what came last
        self.negated = False
        self.not_start = -1
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
            if (
                kind == "operator" and self.operand_due
            ):  # `?||'x'` and `?&1`: a placeholder and another operator
                kind, token, end = "mark", "?", position + 1
            if kind == "comment":
                end = self._comment_end(position)
            elif kind != "space":
                if match.group("dollar"):
                    end = self._dollar_end(match)
                self._take(kind or "", token, position, end)
            position = end
        return self._finish()

    def _refuse_unsendable(self) -> None:
        """psycopg sends the text up to a NUL, and sqlite3 fails to encode a surrogate."""
        if "\0" in self.text:
            raise SQLSyntaxError("the statement has a NUL character", statement=self.text, sqlstate="42601")
        try:
            self.text.encode()
        except UnicodeEncodeError:
            raise SQLSyntaxError(
                "the statement has a lone surrogate, which is no valid Unicode",
                statement=self.text,
                sqlstate="42601",
            ) from None

    def _may_go_on(self) -> bool:
        """After a semicolon: inside the body of a trigger, a rule or a function."""
        return self.words[:1] == ["create"] and not _BODIES.isdisjoint(self.words)

    def _take(self, kind: str, token: str, start: int, end: int) -> None:
        if self.ended and not self._may_go_on():
            raise SQLSyntaxError(
                "one statement at a time: there is something after the semicolon",
                statement=self.text,
                sqlstate="42601",
            )
        in_start, self.in_start = self.in_start, -1
        not_start, self.not_start = self.not_start, -1
        if kind == "word":
            self._word(token, start, end, not_start)
        elif kind == "named" and not self._glued(start):
            self._slot(token[1:], start, end, in_start)
        elif kind == "mark" and self.operand_due and self.text[start - 1 : start] != "@":  # jsonb has `@?`
            self._slot(sum(isinstance(slot.key, int) for slot in self.slots), start, end, in_start)
        elif kind in ("literal", "quoted", "dollar"):
            if kind == "quoted":
                self._name(token, start, end)
            elif token[0] in "'\"" and len(token) == 1:
                self._unterminated("quote")
            self.operand_due = False
        elif token in "()":
            self.depth += 1 if token == "(" else -1
            self.operand_due = token == "("
            self.table_due = False
        elif token == ";":
            if not self.ended:
                self.ended, self.semicolon = True, start
        elif token in "'\"`":
            self._unterminated("quote")
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
        self.slots.append(
            Slot(key, expands, expands and self.negated, in_start - self.piece_start if expands else 0)
        )
        self.piece_start = end
        self.operand_due = False

    def _comment_end(self, start: int) -> int:
        depth = 0
        for match in re.compile(r"/\*|\*/").finditer(self.text, start):
            depth += 1 if match.group() == "/*" else -1
            if depth == 0:
                return match.end()
        self._unterminated("comment")
        return -1  # pragma: no cover

    def _dollar_end(self, match: re.Match[str]) -> int:
        end = self.text.find(match.group("dollar"), match.end())
        if end < 0:
            self._unterminated("dollar quote")
        return end + len(match.group("dollar"))

    def _unterminated(self, what: str) -> None:
        raise SQLSyntaxError(f"unterminated {what} in the statement", statement=self.text, sqlstate="42601")

    def _finish(self) -> Statement:
        if not self.previous or not self.previous.strip(";"):
            if not self.words:
                raise SQLSyntaxError("the statement is empty", statement=self.text, sqlstate="42601")
        self.pieces.append(self.text[self.piece_start :])
        kinds = {type(slot.key) for slot in self.slots}
        if len(kinds) > 1:
            name = next(slot.key for slot in self.slots if isinstance(slot.key, str))
            raise ParameterError(
                f"one placeholder style at a time: the statement has both :{name} and ?",
                statement=self.text,
                sqlstate="07001",
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
