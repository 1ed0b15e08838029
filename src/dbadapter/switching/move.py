"""What moves of both directions have in common: their steps, what is known of them, and how far they are."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic

from .._core.switching import CatchUp, Record, place_of
from ..config import DatabaseConfig
from ..errors import SwitchAborted
from ..transfer._faults import reporting
from .collections import MovedCollections
from .pacing import Pace

__all__ = ["Move", "Tell"]

Tell = Callable[..., None]


class Move:
    """One move; its methods are called by one thread at a time, and in this order:

    `prepare`, `finish`, then `settle`; or `discard` wherever it has got to. Or, where the data came from the target in
    a switch that installed the capture for the way back: `attach` and `carry_round`, and `prepare` when it is time.

    Attributes:
        token: what tells this move's records from others'.
        rows: how many rows and vectors were copied; rounds: how often changes were carried over.
        verified: both ends were compared, and found equal.
        decided: the record that the decision left in the source.
        follow_back: the target is to note its changes from the decision on, for the way back.
    """

    def __init__(
        self,
        source: DatabaseConfig,
        target: DatabaseConfig,
        tell: Tell,
        *,
        follow_back: bool = False,
        rehearsal: bool = False,
    ) -> None:
        self.follow_back, self._rehearsal = follow_back, rehearsal
        self.source_config, self.target_config, self._told = source, target, tell
        self.token = secrets.token_hex(8)
        self.rows = self.rounds = 0
        self.verified = False
        self.decided: Record | None = None
        self._stack = ExitStack()
        self._collections: MovedCollections | None = None
        self._before: Record | None = None
        self._target_before: Record | None = None
        self._marked = self._round_at = self._before_at = 0.0
        self._pace = Pace()
        self._stopping = self._following = False
        self._is_deciding = self._is_in_doubt = False

    # -- from outside ----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Make the step under way end soon, with `SwitchAborted`; from another thread."""
        self._stopping = True

    def tells(self, tell: Tell) -> None:
        """From now on, progress is told to `tell`."""
        self._told = tell

    def _tell(self, phase: str, **figures: object) -> None:
        if self._stopping and self.decided is None and phase != "discarding":
            raise SwitchAborted("the switch was cancelled")
        self._told(phase, **figures)

    # -- steps -----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Refuse what cannot be moved, then bring the target so far that the rest takes moments."""
        with reporting("the data cannot be moved"):
            if self._following:
                self._announce()
            else:
                self._open()
                self._copy()
            self._catch_up()
            self._speed_up()
            self._verify()
            self._catch_up()
            self._wait_for_notice()
            self._make_ready()
            self._speed_up()

    def attach(self) -> None:
        """Take up a capture that was installed when the data left the target; nothing is copied."""
        with reporting("the old database cannot be kept up to date"):
            self._attach()
            self._vectors.is_filled = True
            self._following = True

    def let_go(self) -> None:
        """Close both ends and leave everything as it is; what changes stays noted."""
        self._stack.close()

    @property
    def shape(self) -> str:
        """What every change of a table's definition in the source changes."""
        raise NotImplementedError

    def carry_round(self) -> int:
        """Carry over what changed; how many changes that were."""
        with reporting("the old database cannot be kept up to date"):
            return self._round()

    def finish(self, patience: float) -> None:
        """The last round, and the decision; the app's own work on the source has ended by now.

        In a rehearsal everything but the decision is done.
        """
        with reporting("the data cannot be moved"):
            self._finish(patience)

    def learn_fate(self) -> None:
        """After `finish` came to grief: whether the decision was made all the same, which the source's record tells.

        Where it cannot be read, nothing is to be undone: the record may say that the target is the home.
        """
        if self.decided is not None or not self._is_deciding:
            return
        try:
            record = self._read_record()
        except Exception:
            self._is_in_doubt = True
            return
        if record is not None and (record.state, record.token) == ("away", self.token):
            self.decided = record

    def settle(self) -> None:
        """Tidy up after the decision, when the app works on."""
        raise NotImplementedError

    def discard(self, *, keep_noting: bool = False) -> None:
        """Undo everything; what cannot be undone now is cleaned at the next attempt.

        `keep_noting`: changes of the source go on being noted, for whoever keeps the target up to date.
        """
        raise NotImplementedError

    def _read_record(self) -> Record | None:
        """The source's record, by a connection of its own."""
        raise NotImplementedError

    def _open(self) -> None:
        """Examine both ends, begin to note the source's changes, and make the target's tables."""
        raise NotImplementedError

    def _copy(self) -> None:
        """Copy all rows and vectors."""
        raise NotImplementedError

    def _attach(self) -> None:
        """See `attach`."""
        raise NotImplementedError

    def _announce(self) -> None:
        """Say on both ends that a switch is under way, where the target was kept up to date."""
        raise NotImplementedError

    def _round(self) -> int:
        """Bring the target to the state of one moment; how many changes that were."""
        raise NotImplementedError

    def _verify(self) -> None:
        """Compare everything at one moment of the source; nobody else writes to the target."""
        raise NotImplementedError

    def _wait_for_notice(self) -> None:
        """Every process that uses the source has to know by now that it must look before it writes."""
        raise NotImplementedError

    def _make_ready(self) -> None:
        """Put out of the way what the pause would have to wait for."""

    def _finish(self, patience: float) -> None:
        """See `finish`."""
        raise NotImplementedError

    # -- what they are made of -------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        watch = CatchUp()
        while not watch.is_done(self._round()):
            if watch.is_hopeless:
                raise SwitchAborted("the app writes faster than its changes can be carried over")
            if watch.is_losing:
                self._slow_down()

    def _slow_down(self) -> None:
        """Have the app's writers wait a little now and then, where that can be done, until `_speed_up` or the end."""

    def _speed_up(self) -> None:
        """Let the app write as fast as it can."""

    @property
    def _vectors(self) -> MovedCollections:
        assert self._collections is not None
        return self._collections

    def _tell_copied(self, table: str, before: int, total: int | None = None) -> Callable[[int], None]:
        """A function that tells how much of a table was copied, of which `before` rows came from earlier ones."""

        def tell(rows: int) -> None:
            self.rows = before + rows
            self._tell("copying", table=table, rows=rows, total=total, rows_copied=self.rows)

        return tell

    def _begin_round(self) -> None:
        """From this moment on, changes are those of the next round."""
        self._before_at, self._round_at = self._round_at, monotonic()

    def _rate_of(self, changes: int) -> float:
        """How many changes a second the app made before the round that found so many."""
        return changes / max(self._round_at - self._before_at, 0.001)

    def _tell_round(self, changes: int) -> None:
        """Tell of a round that is done, and how fast the app had made its changes."""
        self._tell(
            "catching up",
            backlog=changes,
            writes_per_second=round(self._rate_of(changes)),
            rounds=self.rounds,
            rows_copied=self.rows,
        )

    # -- records ---------------------------------------------------------------------------------------------------

    def _came_from(self, record: Record | None) -> None:
        """Remember the source's record as it is to be again if the move is undone.

        Raises `SwitchAborted` if the data do not live there any more: what it holds is of the past.
        """
        if record is not None and record.state == "away":
            raise SwitchAborted("another process has moved the data away from here meanwhile; try again")
        epoch = record.epoch if record else 0
        kept = record if record and record.state == "here" else None
        self._before = kept or (Record(epoch) if epoch else None)

    @property
    def _epoch(self) -> int:
        """The epoch that ends with this move."""
        return self._before.epoch if self._before else 0

    def _leaving(self) -> Record:
        """What the source says while a switch is under way.

        Whoever reads where the data go opens that database ahead of time; a rehearsal's is not for them.
        """
        place = {} if self._rehearsal else place_of(self.target_config)
        return Record(self._epoch, "leaving", self.token, place)

    def _arriving(self, made: tuple[str, ...] = ()) -> Record:
        """What the target says until it is the home, and which tables there are ours to drop."""
        return Record(self._epoch + 1, "arriving", self.token, place_of(self.source_config), made)

    def _here(self) -> Record:
        """What the target says from the decision on."""
        return Record(self._epoch + 1, "here", self.token)

    def _away(self) -> Record:
        """What the source says from the decision on."""
        return Record(self._epoch + 1, "away", self.token, place_of(self.target_config))
