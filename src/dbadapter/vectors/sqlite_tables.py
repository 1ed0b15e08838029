"""A local collection's tables, and the statements on them.

- ``<name>``: a row for each record; ``seq`` numbers them in the order they came and is never used twice.
- ``<name>_e``: the vectors, float32 in little-endian order, in parts (see `parts`). They are apart so that going
  through documents and metadata does not mean going through vectors.
- ``<name>_m``: the metadata by key, one row for each value, or item of a list (numbered from 1); it is what
  filters look at. The metadata themselves are in ``<name>`` as JSON.
- ``<name>_log``: what has changed after it was inserted, so that caches can catch up. Its random column tells
  two histories with the same numbers apart (a file restored from a backup).
- ``<name>_t``, ``<name>_tl``: the full-text index and how many words each document has, made when first
  needed. Words are cut by us, so the index only parts them at spaces.

Whatever deletes a record, a cascade included, takes the rest along by trigger.
"""

from __future__ import annotations

from attrs import define, field, frozen

from .._dialects import SQLITE
from .catalog import CATALOG, CollectionInfo

__all__ = ["CREATE_CATALOG", "HAS_CATALOG", "LocalTables", "Parent"]

HAS_CATALOG = f"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '{CATALOG}'"
CREATE_CATALOG = f"""
CREATE TABLE IF NOT EXISTS {CATALOG} (
    uid TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL UNIQUE, dimension INTEGER, metric TEXT NOT NULL,
    metadata TEXT, embedding_function TEXT, reference TEXT, text_index INTEGER NOT NULL, options TEXT
)"""


@frozen
class Parent:
    """The key that ids are tied to, as it was found: quoted names and the column's declared type."""

    table: str
    column: str
    declared: str
    is_integer: bool


@define
class LocalTables:
    """The quoted names of a collection's tables, and the statements."""

    name: str
    records: str = field(init=False)
    vectors: str = field(init=False)
    values: str = field(init=False)
    log: str = field(init=False)
    text: str = field(init=False)
    lengths: str = field(init=False)
    vocabulary: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        quote = SQLITE.quote
        self.records, self.vectors = quote(self.name), quote(self.name + "_e")
        self.values, self.log = quote(self.name + "_m"), quote(self.name + "_log")
        self.text, self.lengths = quote(self.name + "_t"), quote(self.name + "_tl")
        self.vocabulary = quote(self.name + "_tv")

    @staticmethod
    def of(info: CollectionInfo) -> LocalTables:
        """The tables of a collection."""
        return LocalTables(info.table)

    def create(self, parent: Parent | None) -> list[str]:
        """The statements that make the tables."""
        quote = SQLITE.quote
        key = "id TEXT NOT NULL UNIQUE"
        if parent is not None:
            key = (
                f"ref {parent.declared} NOT NULL REFERENCES {parent.table} ({parent.column})"
                " ON DELETE CASCADE ON UPDATE CASCADE,"
                " id TEXT NOT NULL GENERATED ALWAYS AS (CAST(ref AS TEXT)) STORED UNIQUE"
            )
        by_ref = f"CREATE INDEX {quote(self.name + '_ref')} ON {self.records} (ref)"
        return [
            f"CREATE TABLE {self.records} (seq INTEGER PRIMARY KEY AUTOINCREMENT, {key},"
            " document TEXT, uri TEXT, metadata TEXT)",
            *([by_ref] if parent else []),
            f"CREATE TABLE {self.vectors} (seq INTEGER NOT NULL, part INTEGER NOT NULL, embedding BLOB NOT NULL,"
            " PRIMARY KEY (seq, part)) WITHOUT ROWID",
            f"CREATE TABLE {self.values} (seq INTEGER NOT NULL, key TEXT NOT NULL, item INTEGER NOT NULL,"
            " value NOT NULL, PRIMARY KEY (seq, key, item)) WITHOUT ROWID",
            f"CREATE INDEX {quote(self.name + '_mi')} ON {self.values} (key, value, item)",
            f"CREATE TABLE {self.log} (n INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL,"
            " nonce INTEGER NOT NULL DEFAULT (random()))",
            f"INSERT INTO {self.log} (seq) VALUES (0)",
            *self._triggers(has_text=False),
        ]

    def _triggers(self, *, has_text: bool) -> list[str]:
        quote = SQLITE.quote
        text = ""
        if has_text:
            text = f" DELETE FROM {self.text} WHERE rowid = OLD.seq;"
            text += f" DELETE FROM {self.lengths} WHERE seq = OLD.seq;"
        logged = f"INSERT INTO {self.log} (seq) VALUES (OLD.seq);"
        return [
            f"CREATE TRIGGER {quote(self.name + '_gone')} AFTER DELETE ON {self.records} BEGIN"
            f" DELETE FROM {self.vectors} WHERE seq = OLD.seq;"
            f" DELETE FROM {self.values} WHERE seq = OLD.seq;{text} {logged} END",
            f"CREATE TRIGGER {quote(self.name + '_new')} AFTER UPDATE ON {self.records} BEGIN {logged} END",
            f"CREATE TRIGGER {quote(self.name + '_moved')} AFTER UPDATE ON {self.vectors} BEGIN {logged} END",
        ]

    def create_text(self) -> list[str]:
        """The statements that make the full-text index."""
        gone, *_ = self._triggers(has_text=True)
        return [
            f"CREATE VIRTUAL TABLE {self.text} USING fts5(words, tokenize = \"ascii tokenchars '_'\")",
            f"CREATE VIRTUAL TABLE {self.vocabulary} USING fts5vocab({self.text}, 'instance')",
            f"CREATE TABLE {self.lengths} (seq INTEGER PRIMARY KEY, words INTEGER NOT NULL)",
            f"DROP TRIGGER {SQLITE.quote(self.name + '_gone')}",
            gone,
        ]

    def drop(self, *, has_text: bool) -> list[str]:
        """The statements that take the tables away."""
        text = [self.vocabulary, self.text, self.lengths] if has_text else []
        every = [*text, self.values, self.vectors, self.log, self.records]
        return [f"DROP TABLE {table}" for table in every]

    # -- state -----------------------------------------------------------------------------------------

    @property
    def _now(self) -> str:
        return (
            f"SELECT (SELECT coalesce(max(seq), 0) FROM {self.records}) AS top, n, nonce"
            f" FROM {self.log} ORDER BY n DESC LIMIT 1"
        )

    @property
    def state(self) -> str:
        """One row: the highest number of a record, and the log's end with its nonce."""
        return self._now

    @property
    def last_seq(self) -> str:
        """The highest number ever given to a record; no row if none was."""
        return f"SELECT seq FROM sqlite_sequence WHERE name = {SQLITE.literal(self.name)}"

    def found(self, *, vectors: bool) -> str:
        """The records of a JSON list of numbers, and in a last row the state at that moment.

        Columns: 0, and those of `select`; in the last row: 1, highest seq, n, nonce.
        """
        return (
            f"SELECT 0, {self._columns(vectors)} WHERE r.seq IN (SELECT value FROM json_each(?))"
            f" UNION ALL SELECT 1, s.top, s.n, s.nonce, NULL, NULL, NULL, NULL FROM ({self._now}) AS s"
            + (" ORDER BY 1, 2, 7" if vectors else "")
        )

    def select(self, condition: str, *, vectors: bool) -> str:
        """The records that meet a condition, in their order, from an offset up to a limit.

        Columns: seq, id, document, uri, metadata, part, embedding; with vectors a row for each part.
        """
        chosen = f"WHERE {condition} ORDER BY r.seq LIMIT ? OFFSET ?"
        if not vectors:
            return f"SELECT {self._columns(vectors)} {chosen}"
        return (
            f"SELECT {self._columns(vectors)} WHERE r.seq IN (SELECT r.seq FROM {self.records} AS r {chosen})"
            " ORDER BY r.seq, e.part"
        )

    def _columns(self, vectors: bool) -> str:
        columns = "r.seq, r.id, r.document, r.uri, r.metadata"
        if vectors:
            return f"{columns}, e.part, e.embedding FROM {self.records} AS r JOIN {self.vectors} AS e USING (seq)"
        return f"{columns}, NULL, NULL FROM {self.records} AS r"

    def vectors_where(self, condition: str) -> str:
        """Numbers and parts of the vectors whose ``seq`` meets a condition, in the order in which they belong."""
        return f"SELECT seq, embedding FROM {self.vectors} WHERE {condition} ORDER BY seq, part"
