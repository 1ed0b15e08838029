"""Which type and conversion a column gets: what its declaration promises, if the values keep the promise."""

from __future__ import annotations

from attrs import define

from . import conversions as c
from ._profile import ColumnProfile
from ._sqlite_catalog import SQLiteColumn
from ._tally import Tally
from ._types import canonical, conversion_for, family, natural_type

__all__ = ["Choice", "Circumstances", "choose", "proposals"]


@define
class Circumstances:
    """What besides its declaration and its values bears on a column's type.

    Attributes:
        linked: it is part of a key, so equal values must stay equal and others stay apart.
        keyless: the table's rows cannot be told apart, so no original can be kept for one of them.
        refers_to_integer: it is a foreign key to an integer: a value that is none refers to nothing anyway.
        vectors: the target has pgvector.
        forced: the type that the column has in the target already.
        before: the type and conversion it had in Postgres, where it came from there.
    """

    linked: bool = False
    keyless: bool = False
    refers_to_integer: bool = False
    vectors: bool = True
    forced: str | None = None
    before: tuple[str, c.Conversion] | None = None


@define
class Choice:
    """A column's type and conversion, and what they do to its values."""

    type: str
    conversion: c.Conversion
    reason: str
    at_risk: int = 0
    kept: int = 0


def proposals(column: SQLiteColumn, profile: ColumnProfile, around: Circumstances) -> list[Tally]:
    """The conversions among which `choose` chooses, the most wanted first; the last one holds whatever there is.

    Those that are a `guess` have to be tried on all values before.
    """
    ranked = list(profile.tried.ranked())
    if not around.vectors:
        ranked = [tally for tally in ranked if not isinstance(tally.conversion, c.Vector)]
    if around.forced is not None:
        return [_forced(tally, around.forced) for tally in ranked[:1]] or [
            Tally(conversion_for(around.forced), guess=True)
        ]
    if around.before is not None:
        ranked.insert(0, Tally(around.before[1], guess=True))
    if ranked and isinstance(ranked[0].conversion, c.Number) and ranked[0].kept:
        # Numbers with an underscore are the adapter's own spelling of what a double cannot hold.
        ranked.sort(key=lambda tally: (tally.refused > 0, tally.kept > 0))
    if ranked and not ranked[0].guess and _acceptable(ranked[0], profile, column, around):
        return ranked[:1]
    fallback = _fallback(column, profile)
    known = [tally for tally in ranked if tally.conversion != fallback]
    return [*known, Tally(fallback, guess=True)]


def _forced(tally: Tally, forced: str) -> Tally:
    """A tally for the type that the target's column has, in the spelling that was found."""
    suits = conversion_for(forced)
    found = tally.conversion
    if canonical(natural_type(found)) == canonical(forced):
        return tally
    if isinstance(found, c.Temporal) and isinstance(suits, c.Temporal):
        suits = c.Temporal(suits.target, found.format, found.digits)
    elif isinstance(found, c.Epoch) and canonical(forced)[0] == "timestamp with time zone":
        suits = found
    elif isinstance(found, c.Number) and isinstance(suits, c.Decimal):
        suits = c.Number(suits.precision, suits.scale)
    elif isinstance(found, c.Text) and isinstance(suits, c.Text):
        suits = c.Text(suits.length, found.encoding)
    return Tally(suits, guess=True)


def _acceptable(tally: Tally, profile: ColumnProfile, column: SQLiteColumn, around: Circumstances) -> bool:
    conversion = tally.conversion
    if not profile.filled and not (isinstance(conversion, c.Text) and family(column.declared) == "any"):
        return True
    if isinstance(conversion, c.Text):
        # What is no valid text is rejected rather than the column made bytes; numbers it would spell otherwise.
        numbers = profile.classes["integer"] + profile.classes["real"]
        too_long = conversion.length is not None and profile.longest > conversion.length
        return not numbers and not too_long and profile.classes["blob"] <= profile.classes["text"]
    if isinstance(conversion, c.Integer) and around.refers_to_integer and tally.refused:
        return tally.exact > 0 and not tally.kept
    if tally.refused:
        return False
    if isinstance(conversion, c.Bytes):
        return profile.classes["blob"] > 0
    if isinstance(conversion, c.Json) and conversion.binary:
        return True
    if around.linked or around.keyless:
        return not tally.kept
    return tally.kept <= max(10, profile.filled // 100) and tally.kept <= tally.exact


def _fallback(column: SQLiteColumn, profile: ColumnProfile) -> c.Conversion:
    """A conversion that holds whatever the column holds."""
    count = profile.classes
    numbers = count["integer"] + count["real"]
    if count["blob"] and count["blob"] >= numbers + count["text"]:
        return c.Bytes()
    if numbers:
        if count["text"] or count["blob"]:
            return c.Anything()
        if not count["real"]:
            return c.Anything() if family(column.declared) in ("text", "varchar") else c.Integer()
        if not count["integer"]:
            return c.Float()
        return c.Anything() if profile.whole_reals else c.Number()
    tried = (tally.conversion for tally in profile.tried.ranked())
    text = next((t for t in tried if isinstance(t, c.Text) and t.length is None), c.Text())
    empty = {"integer": c.Integer(), "decimal": c.Number(), "float": c.Float(), "bytes": c.Bytes()}
    return text if profile.filled else empty.get(family(column.declared), text)


def choose(column: SQLiteColumn, profile: ColumnProfile, tried: list[Tally], around: Circumstances) -> Choice:
    """Choose among the `proposals`, all of them tried."""
    chosen = next((tally for tally in tried[:-1] if _acceptable(tally, profile, column, around)), tried[-1])
    reason = f"declared {column.declared}" if column.declared else "declared without a type"
    if around.forced is None and around.before and around.before[1] == chosen.conversion:
        kind, conversion = around.before
        return Choice(kind, conversion, f"{reason}; {kind} in Postgres before", kept=chosen.kept)
    refused, kept = chosen.refused, chosen.kept
    reason += _why(column, profile, tried, chosen, around)
    if refused:
        reason += f"; {refused} will be rejected: {(chosen.examples or ['?'])[0]}"
    if kept and around.keyless:
        refused, kept = refused + kept, 0
        reason += f"; {refused} rejected: no original can be kept in a table without a key"
    elif kept:
        reason += f"; {kept} are spelled otherwise, their originals are kept"
    return Choice(around.forced or natural_type(chosen.conversion), chosen.conversion, reason, refused, kept)


def _why(
    column: SQLiteColumn, profile: ColumnProfile, tried: list[Tally], chosen: Tally, around: Circumstances
) -> str:
    """What besides the declaration led to the choice, as the rest of a sentence that begins with the declaration."""
    if around.forced is not None:
        return "; the target's column has this type"
    if not profile.filled:
        return "; there are no values"
    first = tried[0]
    if chosen is not first and first.examples and not isinstance(first.conversion, (c.Bytes, c.Text)):
        others, wanted = first.refused + first.kept, natural_type(first.conversion)
        return f", but {others} of {profile.filled} values do not fit {wanted}: {first.examples[0]}"
    if chosen is not first or family(column.declared) == "any":
        return f"; the values are {_classes(profile)}"
    if isinstance(chosen.conversion, c.Temporal):
        return f"; the values are spelled {chosen.conversion.format}"
    if isinstance(chosen.conversion, c.Epoch):
        return f"; the values count from the {chosen.conversion.epoch} epoch"
    return ""


def _classes(profile: ColumnProfile) -> str:
    names = [name for name in ("integer", "real", "text", "blob") if profile.classes[name]]
    return " and ".join(names) or "all NULL"
