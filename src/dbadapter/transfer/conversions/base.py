"""What a conversion is: one column's values on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from .._values import show

__all__ = ["Conversion", "Refused", "double_hex", "escape", "escape_all"]

# How a text stands in a digest: with its length, so that no two rows have the same form.
_TEXT_TOKEN = "'t'||octet_length({0})||':'||{0}"


class Refused(Exception):
    """A value that the target's type cannot hold; the message says why."""


class Conversion:
    """How a column stands in SQLite and in Postgres.

    A value *conforms* when the Postgres value made of it tells the stored value again, class and bytes. Other values
    may still be equal in meaning (a date spelled otherwise): those arrive as well, and what was stored is kept in
    ``_dbadapter_originals``. The rest is refused.

    Attributes:
        kind: the conversion's name in a plan.
        storage: the class of what `sqlite_sql` gives: ``integer``, ``real``, ``text``, ``blob``; ``tagged`` for
            text whose first letter tells the class; ``vector`` for big-endian float32.
    """

    kind: ClassVar[str]
    storage: str = "text"

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """All values (none of them NULL) as fields of COPY's text format, or None unless all of them conform.

        Conversions that can look at many values at once do so instead.

        Args:
            values: the stored values.
            kinds: their Python types.
        """
        texts = []
        for value in values:
            try:
                text, conforms = self.one(value)
            except Refused:
                return None
            if not conforms:
                return None
            texts.append(text)
        return escape_all(texts)

    def accepts(self, values: Sequence[Any], kinds: set[type]) -> bool:
        """Whether all values (none of them NULL) conform."""
        return self.many(values, kinds) is not None

    def one(self, value: Any) -> tuple[str, bool]:
        """One value as Postgres' input text, not escaped, and whether it conforms. Raises `Refused`."""
        raise NotImplementedError

    def sqlite_sql(self, column: str) -> str:
        """A Postgres expression over the (quoted) column that gives the stored value back, of class `storage`."""
        return self.tagged(column, "'t'||{0}")

    def tagged(self, column: str, text: str) -> str:
        """What `sqlite_sql` gives where `storage` is ``tagged``, with texts written as the format `text` says."""
        raise NotImplementedError

    def tag_sql(self, column: str) -> str:
        """A Postgres expression that gives the stored value as a tag, ``?`` and text for what SQLite cannot hold."""
        return self._classed(column, "'t'||{0}")

    def token_sql(self, column: str) -> str:
        """A Postgres expression that gives the stored value's part of the digest, NULL for NULL; see `to_token`."""
        return f"{self._classed(column, _TEXT_TOKEN)}||';'"

    def _classed(self, column: str, text: str) -> str:
        if self.storage == "tagged":
            found = self.tagged(column, text)
        else:
            value = self.sqlite_sql(column)
            found = {
                "integer": f"'i'||({value})::text",
                "real": double_hex(value),
                "text": text.format(f"({value})"),
                "blob": f"'b'||encode({value},'hex')",
                "vector": f"'v'||encode({value},'hex')",
            }[self.storage]
        refuses = self.refuses_sql(column)
        if refuses is None:
            return f"({found})"
        foreign = text.replace("'t'", "'?'").format(f"{column}::text")
        return f"(CASE WHEN {refuses} THEN {foreign} ELSE {found} END)"

    def refuses_sql(self, column: str) -> str | None:
        """A Postgres condition that is true of values which SQLite cannot hold; None: there are none such."""
        return None

    def problem(self) -> str | None:
        """What is wrong with the arguments taken together; None if nothing is."""
        return None

    def refuse(self, value: Any, what: str) -> Refused:
        """The exception for a value that is not what the column holds."""
        return Refused(f"{show(value)} is not {what}")


# Whatever else is special to COPY stands behind a backslash, so the backslash goes first.
_SPECIAL = (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))


def escape(text: str) -> str:
    """One field of COPY's text format."""
    for char, escaped in _SPECIAL:
        if char in text:
            text = text.replace(char, escaped)
    return text


def escape_all(values: Sequence[str]) -> Sequence[str] | None:
    """`escape` for a whole column at once; None if a value has a NUL character, which Postgres cannot hold."""
    joined = "\0".join(values)
    if joined.count("\0") != len(values) - 1:
        return None
    escaped = escape(joined)
    return values if escaped is joined else escaped.split("\0")


def double_hex(expression: str) -> str:
    """A Postgres expression for the tag of a double."""
    return f"'r'||encode(float8send({expression}),'hex')"
