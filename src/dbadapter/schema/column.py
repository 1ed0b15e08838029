"""A table's column, as a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import field, frozen

from ..errors import ConfigError
from . import types as t
from .constraints import Check
from .expressions import expression_key
from .values import fault, normalized

__all__ = ["Column", "check_name"]


def _comment(text: str | None) -> str | None:
    """PostgreSQL takes an empty comment for none."""
    if not isinstance(text, str | None):
        raise ConfigError(f"a comment must be text, not {text!r}")
    return text or None


@frozen
class Column:
    """A column.

    `primary_key`, `unique`, `check` and `references` with what belongs to it are short for the table's own
    arguments; `Table` moves them there, and only there they count when tables are compared.

    Args:
        name: the column's name, taken literally (quoted wherever it is written).
        type: one of ``dbadapter.schema.types``.
        nullable: whether NULL may be stored; never in a primary key.
        primary_key: whether it is the table's key; several such columns make one key together.
        unique: whether no two rows have the same value.
        default: a value, or an expression such as ``t.now()`` or ``t.sql("...")``.
        check: a condition as SQL, or several, or `Check` values.
        references: ``"table.column"``, or ``"table"`` for its primary key.
        on_delete: see `ForeignKey`.
        on_update: see `ForeignKey`.
        deferrable: see `ForeignKey`.
        generated: an SQL expression the column's value is computed from, and stored.
        comment: a description, kept in the database.
    """

    name: str
    type: t.Type
    nullable: bool = field(default=True, kw_only=True)
    primary_key: bool = field(default=False, kw_only=True, eq=False)
    unique: bool = field(default=False, kw_only=True, eq=False)
    default: Any = field(default=None, kw_only=True)
    check: str | Check | Sequence[str | Check] | None = field(default=None, kw_only=True, eq=False)
    references: str | None = field(default=None, kw_only=True, eq=False)
    on_delete: str | None = field(default=None, kw_only=True, eq=False)
    on_update: str | None = field(default=None, kw_only=True, eq=False)
    deferrable: bool | str = field(default=False, kw_only=True, eq=False)
    generated: str | None = field(
        default=None, kw_only=True, eq=lambda text: None if text is None else expression_key(text)
    )
    comment: str | None = field(default=None, kw_only=True, converter=_comment)

    def __attrs_post_init__(self) -> None:
        check_name("column", self.name)
        if isinstance(self.type, type) and issubclass(self.type, t.Type):
            raise ConfigError(
                f"column {self.name!r}: write the type {self.type.__name__}(...) with parentheses"
            )
        if not isinstance(self.type, t.Type):
            raise ConfigError(
                f"column {self.name!r}: the type must be one of dbadapter.schema.types, not {self.type!r}"
            )
        if self.references is None and (self.on_delete or self.on_update or self.deferrable):
            raise ConfigError(
                f"column {self.name!r}: on_delete, on_update and deferrable go with references="
            )
        default = self.default
        if default is not None and not isinstance(default, t.DefaultExpression):
            object.__setattr__(self, "default", normalized(self.type, default))
        if problem := self._problem():
            raise ConfigError(f"column {self.name!r}: {problem}")

    def _problem(self) -> str | None:
        default, kind = self.default, self.type
        if not isinstance(self.generated, str | None):
            return f"generated must be an SQL expression, not {self.generated!r}"
        if self.generated is not None and (default is not None or isinstance(kind, t.Identity)):
            return "a generated column has no default of its own and is no Identity"
        if default is None:
            return None
        if isinstance(kind, t.Identity):
            return "an Identity column has no default: the database counts it up"
        if isinstance(default, t.Now) and not isinstance(kind, (t.Timestamp, t.Date, t.Time)):
            return f"t.now() is a default for Timestamp, Date and Time, not for {kind!r}"
        if isinstance(default, t.RandomUuid) and not isinstance(kind, (t.Uuid, t.Text, t.Varchar)):
            return f"t.random_uuid() is a default for Uuid, Text and Varchar, not for {kind!r}"
        if not isinstance(default, t.DefaultExpression) and (found := fault(kind, default)):
            return f"the default {found}"
        return None


def check_name(what: str, name: object) -> None:
    """Raise ConfigError unless a table or column can have that name; `what` says in the error which it is."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise ConfigError(f"a {what}'s name must be text without NUL characters, not {name!r}")
