"""Conditions in SQLite's SQL for the storage class of a value, without ``typeof``.

That function gives constant text, for which SQLite frees the memory of the value that was in its place, and asks for it
anew with the next row. Its memory has one lock for all connections, at which two readers would wait for each other.
Of values of different classes numbers are less than texts, and texts less than bytes.
"""

from __future__ import annotations

__all__ = ["is_blob", "is_integer", "is_real", "is_text"]


def is_text(x: str) -> str:
    """True of text, false of other values, NULL of NULL; so are the others of theirs."""
    return f"{x}>='' AND {x}<x''"


def is_blob(x: str) -> str:
    """True of bytes."""
    return f"{x}>=x''"


def is_integer(x: str) -> str:
    """True of integers, among which a half is 0."""
    return f"{x}<'' AND ({x}*0+1)/2=0"


def is_real(x: str) -> str:
    """True of reals that are finite."""
    return f"{x}<'' AND ({x}*0+1)/2>0"
