"""Which expressions both backends read alike."""

from __future__ import annotations

from .scan import Token, scan, with_next

__all__ = ["COMMON_FUNCTIONS", "KEYWORDS_BEFORE_PARENTHESIS", "alike_on_both", "has_letters"]

# Functions with the same name and meaning on both backends.
COMMON_FUNCTIONS = frozenset(["abs", "coalesce", "length", "lower", "nullif", "replace", "round", "upper"])
KEYWORDS_BEFORE_PARENTHESIS = frozenset(
    ["and", "between", "case", "cast", "else", "in", "is", "like", "not", "or", "then", "when"]
)
_PLAIN_OPERATORS = frozenset(
    ["=", "<", ">", "<=", ">=", "<>", "!=", "+", "-", "*", "/", "%", "||", "(", ")", ","]
)
_REFUSED_WORDS = frozenset(
    [
        "all", "any", "array", "at", "cast", "collate", "current_date", "current_time",
        "current_timestamp", "date",
        "distinct", "extract", "glob", "ilike", "interval", "isnull", "like", "localtimestamp", "notnull",
        "overlaps",
        "position", "regexp", "row", "similar", "some", "time", "timestamp", "trim",
    ]
)  # fmt: skip


def _same_on_both(tokens: list[Token]) -> bool:
    for token, after in with_next(tokens):
        word = token.text.lower()
        if token.kind in ("comment", "bad", "blob") or (token.kind == "op" and word not in _PLAIN_OPERATORS):
            return False
        if token.kind == "word":
            called = after.is_op("(") and word not in KEYWORDS_BEFORE_PARENTHESIS
            if word in _REFUSED_WORDS or (called and word not in COMMON_FUNCTIONS):
                return False
    return True


def _written_plainly(text: str, tokens: list[Token]) -> bool:
    """No strings or names in one dialect's own quoting (E'..', $$..$$, [name])."""
    return all(text[token.start] in "'\"" for token in tokens if token.kind in ("string", "name"))


def alike_on_both(text: str) -> bool:
    """Whether an expression is the same to the letter on both backends."""
    tokens = scan(text)
    return _same_on_both(tokens) and _written_plainly(text, tokens)


def has_letters(text: str) -> bool:
    """Whether the case of something in it could matter to LIKE."""
    return any(char.isascii() and char.isalpha() for char in text)
