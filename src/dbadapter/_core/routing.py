"""Where a statement runs: on the writer or on a connection for reading; on the primary or on which replica."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from ..errors import ConfigError
from .consistency import CONSISTENCIES, Token
from .statement import Statement
from .statement_cache import StatementCache
from .topology import NodeState

__all__ = ["LoadBalancer", "StatementMemory", "check_consistency"]

# How many reads in a row go to one replica while all are equally busy.
_STAY = 32


def check_consistency(consistency: str | None, after: str | None) -> Token | None:
    """The token of a read's arguments. Raises `ConfigError` or `ParameterError` for what is none of ours."""
    if consistency is not None and consistency not in CONSISTENCIES:
        raise ConfigError(f"consistency must be one of {', '.join(CONSISTENCIES)}, not {consistency!r}")
    return None if after is None else Token.parse(after)


class StatementMemory:
    """Which statements that look like reads are reads, as the database itself has shown.

    A guess from the text is not reliable: functions (also those that a view calls) and common table expressions may
    write. But where nothing may be written, the database refuses such a statement before it has done anything.
    """

    __slots__ = ("_texts",)

    def __init__(self) -> None:
        self._texts: StatementCache[bool] = StatementCache()

    def may_read(self, statement: Statement) -> bool:
        """Whether the statement may be a read: nothing says that it writes."""
        return not (statement.writes or self._texts.known.get(statement.text, False))

    def reads(self, statement: Statement) -> bool:
        """Whether the statement has run where nothing can be written, and so is a read."""
        return self._texts.known.get(statement.text) is False

    def is_known(self, statement: Statement) -> bool:
        """Whether it is certain what the statement does: from its text, or because the database has shown it."""
        return statement.writes or statement.text in self._texts.known

    def is_harmless(self, statement: Statement) -> bool:
        """Whether the statement is a read, or most likely one because its text calls no function."""
        return self.may_read(statement) and (self.reads(statement) or "(" not in statement.text)

    def forget(self) -> None:
        """Forget what the database has shown: after a change of the schema, a function may be another one."""
        self._texts.clear()

    def remember(self, statement: Statement, *, writes: bool = True) -> None:
        """Note that the database has refused the statement as a write, which is for good, or let it pass as a read."""
        self._texts.keep(statement.text, writes or self._texts.known.get(statement.text, False))


class LoadBalancer:
    """Chooses among the replicas that are fresh enough, as the setting ``load_balance`` says."""

    __slots__ = ("_least_busy", "_random", "_turns")

    def __init__(self, load_balance: str) -> None:
        self._least_busy = load_balance == "least_busy"
        self._random = load_balance == "random"
        self._turns = itertools.count(1).__next__

    def choose(
        self, readers: Sequence[NodeState], needed: float, token: Token | None = None
    ) -> NodeState | None:
        """A replica that shows everything acknowledged until `needed`, and what `token` stands for; None: none does."""
        count = len(readers)
        if not count:
            return None
        if self._least_busy:
            # Replicas that are equally busy take turns of many reads: changing with each one costs a tenth of a read.
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
