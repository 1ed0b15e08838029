"""Conditions in SQLite's SQL for the storage class of a value, without ``typeof``.

For the text that ``typeof`` returns, SQLite frees the memory of the value that was in its place, and allocates it anew
for the next row. Its allocator has one lock for all connections, at which two readers would wait for each other. The
conditions here compare instead: in SQLite's order of storage classes, numbers are less than texts and texts less than
blobs.
"""

from __future__ import annotations

__all__ = ["is_blob", "is_integer", "is_real", "is_text"]


def is_text(x: str) -> str:
    """A condition that is true of texts, false of other values, NULL of NULL; the others likewise of theirs."""
    return f"{x}>='' AND {x}<x''"


def is_blob(x: str) -> str:
    """A condition that is true of blobs."""
    return f"{x}>=x''"


def is_integer(x: str) -> str:
    """A condition that is true of integers: one half is 0 by integer division."""
    return f"{x}<'' AND ({x}*0+1)/2=0"


def is_real(x: str) -> str:
    """A condition that is true of finite reals: one half is more than 0."""
    return f"{x}<'' AND ({x}*0+1)/2>0"
