"""Where a statement runs: on the writer or on a connection for reading; on the primary or on which replica."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from ..errors import ConfigError
from .consistency import CONSISTENCIES, Token
from .remembered import Remembered
from .statement import Statement
from .topology import NodeState

__all__ = ["Chooser", "StatementMemory", "check_consistency"]

# How many reads in a row a replica is given that is no busier than the others.
_STAY = 32


def check_consistency(consistency: str | None, after: str | None) -> Token | None:
    """The token of a read's arguments. Raises `ConfigError` or `ParameterError` for what is none of ours."""
    if consistency is not None and consistency not in CONSISTENCIES:
        raise ConfigError(f"consistency must be one of {', '.join(CONSISTENCIES)}, not {consistency!r}")
    return None if after is None else Token.parse(after)


class StatementMemory:
    """Remembers of texts that look like reads what the database itself said about them.

    Its verdict is reliable where a guess from the text is not: functions, also those that a view calls, and common
    table expressions may write, and a connection that only reads refuses them before they have done anything.
    """

    __slots__ = ("_texts",)

    def __init__(self) -> None:
        self._texts: Remembered[bool] = Remembered()

    def may_read(self, statement: Statement) -> bool:
        """The statement is not known to write."""
        return not (statement.writes or self._texts.known.get(statement.text, False))

    def reads(self, statement: Statement) -> bool:
        """The statement was let through where nothing can be written."""
        return self._texts.known.get(statement.text) is False

    def is_known(self, statement: Statement) -> bool:
        """The statement certainly writes, or the database has said what it does."""
        return statement.writes or statement.text in self._texts.known

    def is_harmless(self, statement: Statement) -> bool:
        """The statement was let through where nothing can be written, or calls no function and so most likely reads."""
        return self.may_read(statement) and (self.reads(statement) or "(" not in statement.text)

    def forget(self) -> None:
        """What the database has said holds no more: a function may be another one now."""
        self._texts.clear()

    def remember(self, statement: Statement, *, writes: bool = True) -> None:
        """The database has taken the statement for a read, or refused it as a write; a refusal is for good."""
        self._texts.keep(statement.text, writes or self._texts.known.get(statement.text, False))


class Chooser:
    """Chooses among replicas as ``load_balance`` says."""

    __slots__ = ("_least_busy", "_random", "_turns")

    def __init__(self, load_balance: str) -> None:
        self._least_busy = load_balance == "least_busy"
        self._random = load_balance == "random"
        self._turns = itertools.count(1).__next__

    def choose(
        self, readers: Sequence[NodeState], needed: float, token: Token | None = None
    ) -> NodeState | None:
        """A replica that shows everything acknowledged until `needed`, and `token`; None: none does."""
        count = len(readers)
        if not count:
            return None
        if self._least_busy:
            # Those that are equally busy share the work, each for a while: going to and fro costs a tenth of a read.
            begin = self._turns() // _STAY % count
            node = readers[begin]
            if node.fresh_until > needed and token is None and not node.pool.active:
                return node
        else:
            begin = random.randrange(count) if self._random else self._turns() % count
        found, least = None, 0
        for index in range(begin, begin + count):
            node = readers[index % count]
            if node.fresh_until <= needed or (token is not None and not node.shows(token)):
                continue
            if not self._least_busy:
                return node
            load = len(node.pool.active) + len(node.pool.waiters)
            if found is None or load < least:
                found, least = node, load
        return found
