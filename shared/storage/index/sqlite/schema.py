"""The tables, made from the attribute table: one row for each study, series and instance, one column for each
searchable attribute of its level.

What searches look at stands apart from what they return, so that scans and counter updates touch small rows.
Beside them: the change feed, the operations, and the extended query tags with the values and errors of each.
"""

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from shared.dicom.attributes import LEVEL_UID, MODALITIES_IN_STUDY, SEARCHABLE
from shared.dicom.model import Level
from shared.errors import StorageError
from shared.storage.index.model import DEFAULT_PARTITION
from shared.storage.index.sqlite.changes import note_all

SCHEMA_VERSION = 3
"""The third has the tables of the second, and metadata that what made the second can't read."""

TABLES = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}
VALUES = {Level.STUDY: "study_values", Level.SERIES: "series_values", Level.INSTANCE: "instance_values"}
"""Where the values for extended query tags are."""

_TYPES = {"IS": "INTEGER", "DS": "REAL", "FL": "REAL", "FD": "REAL"}


@dataclass(frozen=True, slots=True)
class Column:
    """The column that holds a searchable attribute's folded values."""

    path: str
    name: str
    type: str
    is_person_name: bool


def _columns(level: Level) -> tuple[Column, ...]:
    elsewhere = {*LEVEL_UID.values(), MODALITIES_IN_STUDY}
    return tuple(
        Column(
            attribute.path, attribute.keyword.replace(".", "_"), _TYPES.get(attribute.vr, "TEXT"), attribute.vr == "PN"
        )
        for attribute in SEARCHABLE
        if attribute.level is level and attribute.path not in elsewhere
    )


COLUMNS: dict[Level, tuple[Column, ...]] = {level: _columns(level) for level in Level}

_FIRST_TABLES = """
CREATE TABLE partitions (
    key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL,
    studies INTEGER NOT NULL DEFAULT 0, series INTEGER NOT NULL DEFAULT 0, instances INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE studies (
    id INTEGER PRIMARY KEY, partition INTEGER NOT NULL REFERENCES partitions, uid TEXT NOT NULL,
    fingerprint INTEGER NOT NULL, series INTEGER NOT NULL, instances INTEGER NOT NULL {study}
) STRICT;
CREATE TABLE series (
    id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, study INTEGER NOT NULL REFERENCES studies ON DELETE CASCADE,
    uid TEXT NOT NULL, fingerprint INTEGER NOT NULL, instances INTEGER NOT NULL, modality_name TEXT {series}
) STRICT;
CREATE TABLE instances (
    id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, study INTEGER NOT NULL,
    series INTEGER NOT NULL REFERENCES series ON DELETE CASCADE, uid TEXT NOT NULL, version INTEGER NOT NULL,
    replaced INTEGER NOT NULL, blob TEXT NOT NULL, length INTEGER NOT NULL, transfer_syntax TEXT NOT NULL {instance}
) STRICT;
CREATE TABLE studies_content (
    id INTEGER PRIMARY KEY REFERENCES studies ON DELETE CASCADE, dataset BLOB NOT NULL
) STRICT;
CREATE TABLE series_content (
    id INTEGER PRIMARY KEY REFERENCES series ON DELETE CASCADE, dataset BLOB NOT NULL
) STRICT;
CREATE TABLE instances_content (
    id INTEGER PRIMARY KEY REFERENCES instances ON DELETE CASCADE, dataset BLOB NOT NULL,
    metadata BLOB NOT NULL, layout BLOB NOT NULL
) STRICT;
CREATE TABLE study_modalities (
    partition INTEGER NOT NULL, modality TEXT NOT NULL, study INTEGER NOT NULL REFERENCES studies ON DELETE CASCADE,
    name TEXT NOT NULL, PRIMARY KEY (partition, modality, study)
) STRICT, WITHOUT ROWID;
CREATE TABLE purges (blob TEXT PRIMARY KEY, due REAL NOT NULL) STRICT, WITHOUT ROWID"""

_SECOND_TABLES = """
CREATE TABLE feed (
    sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL, partition INTEGER NOT NULL, study TEXT NOT NULL,
    series TEXT NOT NULL, instance TEXT NOT NULL, action TEXT NOT NULL, version INTEGER NOT NULL
) STRICT;
CREATE INDEX feed_but_creations ON feed (sequence, action, partition) WHERE action <> 'Create';
CREATE TABLE cursors (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE operations (
    id TEXT PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    input TEXT NOT NULL, progress TEXT NOT NULL, percent INTEGER, leased_until INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tag_set (generation INTEGER NOT NULL) STRICT;
INSERT INTO tag_set (generation) VALUES (0);
CREATE TABLE tags (
    key INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, vr TEXT NOT NULL, level INTEGER NOT NULL,
    private_creator TEXT, status TEXT NOT NULL, query_status TEXT NOT NULL, operation TEXT
) STRICT;
CREATE TABLE study_values (
    id INTEGER NOT NULL REFERENCES studies ON DELETE CASCADE, tag INTEGER NOT NULL, partition INTEGER NOT NULL,
    version INTEGER NOT NULL, value ANY NOT NULL, PRIMARY KEY (id, tag)
) STRICT, WITHOUT ROWID;
CREATE TABLE series_values (
    id INTEGER NOT NULL REFERENCES series ON DELETE CASCADE, tag INTEGER NOT NULL, partition INTEGER NOT NULL,
    version INTEGER NOT NULL, value ANY NOT NULL, PRIMARY KEY (id, tag)
) STRICT, WITHOUT ROWID;
CREATE TABLE instance_values (
    id INTEGER NOT NULL REFERENCES instances ON DELETE CASCADE, tag INTEGER NOT NULL, partition INTEGER NOT NULL,
    version INTEGER NOT NULL, value ANY NOT NULL, PRIMARY KEY (id, tag)
) STRICT, WITHOUT ROWID;
CREATE TABLE tag_errors (
    id INTEGER NOT NULL REFERENCES instances ON DELETE CASCADE, tag INTEGER NOT NULL, time INTEGER NOT NULL,
    message TEXT NOT NULL, PRIMARY KEY (id, tag)
) STRICT, WITHOUT ROWID"""

_ALL = 0
_ROWS = {
    "studies": 1_000_000,
    "series": 4_000_000,
    "instances": 20_000_000,
    "study_modalities": 2_000_000,
    "feed": 30_000_000,
    "study_values": 8_000_000,
    "series_values": 32_000_000,
    "instance_values": 160_000_000,
    "tag_errors": 1_000_000,
}
_PRIMARY_KEYS = {
    "study_modalities": (_ALL, 100_000, 1),
    "study_values": (8, 1),
    "series_values": (8, 1),
    "instance_values": (8, 1),
    "tag_errors": (2, 1),
}
"""Of tables without row ids: how many rows share the first column, the first two, ..."""


@dataclass(frozen=True, slots=True)
class _Index:
    """``matches`` says how many rows of a large archive share the values of the first column, the first two, ..."""

    table: str
    columns: str
    matches: tuple[int, ...]
    unique: bool = False

    @property
    def name(self) -> str:
        return f"{self.table}_by_{self.columns.replace(', ', '_')}"

    @property
    def definition(self) -> str:
        return f"CREATE {'UNIQUE' if self.unique else ''} INDEX {self.name} ON {self.table} ({self.columns})"


_FIRST_INDEXES = (
    _Index("studies", "partition, uid", (_ALL, 1), unique=True),
    _Index("studies", "partition", (_ALL,)),
    *(
        _Index("studies", f"partition, {column}", (_ALL, matches))
        for column, matches in (
            ("PatientID", 4),
            ("PatientName", 5),
            ("AccessionNumber", 1),
            ("StudyDate", 300),
            ("StudyDescription", 3_000),
            ("StudyID", 20),
            ("ReferringPhysicianName", 1_000),
            ("PatientBirthDate", 40),
        )
    ),
    _Index("series", "partition, uid, study", (_ALL, 1, 1), unique=True),
    _Index("series", "partition", (_ALL,)),
    _Index("series", "study, partition", (4, 4)),
    _Index("series", "partition, Modality", (_ALL, 400_000)),
    _Index("series", "partition, RequestAttributesSequence_ScheduledProcedureStepID", (_ALL, 4)),
    _Index("series", "partition, RequestAttributesSequence_RequestedProcedureID", (_ALL, 4)),
    _Index("instances", "partition, uid, series", (_ALL, 1, 1), unique=True),
    _Index("instances", "partition, version", (_ALL, 1)),
    _Index("instances", "study, partition, version", (80, 80, 1)),
    _Index("instances", "series, partition, version", (20, 20, 1)),
    _Index("instances", "blob", (1,), unique=True),
    _Index("study_modalities", "study", (2,)),
)


_SECOND_INDEXES = (
    _Index("feed", "time", (1,)),
    _Index("feed", "partition", (_ALL,)),
    _Index("feed", "study", (100,)),
    # a tag's value may be rare or that of half the archive: what is known to be selective goes before it
    _Index("study_values", "tag, partition, value", (1_000_000, 1_000_000, 1_000)),
    _Index("series_values", "tag, partition, value", (4_000_000, 4_000_000, 4_000)),
    _Index("instance_values", "tag, partition, value", (20_000_000, 20_000_000, 20_000)),
    _Index("tag_errors", "tag, time", (10_000, 1)),
)


def create(connection: sqlite3.Connection) -> None:
    """Set up an empty database, bring an older one up to date, or do nothing where that is done.

    Several processes may call it at once. Raises StorageError if a newer version of this program made the file.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > SCHEMA_VERSION:
            raise StorageError("The index was made by a newer version of this program.")
        if found < 1:
            _make_first(connection)
        if found < 2:
            _make_second(connection)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _make_first(connection: sqlite3.Connection) -> None:
    """Studies, series and instances."""
    searchable = {
        level.name.lower(): "".join(f", {column.name} {column.type}" for column in COLUMNS[level]) for level in Level
    }
    _make(connection, _FIRST_TABLES.format(**searchable), _FIRST_INDEXES)
    connection.execute("INSERT INTO partitions (key, name, created) VALUES (1, ?, ?)", (DEFAULT_PARTITION, time.time()))
    # makes the table of the statistics
    connection.execute("ANALYZE")


def _make_second(connection: sqlite3.Connection) -> None:
    """The feed, which begins with what is there; extended query tags and operations."""
    _make(connection, _SECOND_TABLES, _SECOND_INDEXES)
    note_all(connection)
    _fix_statistics(connection)


def _make(connection: sqlite3.Connection, tables: str, indexes: Iterable[_Index]) -> None:
    for statement in (*tables.split(";"), *(index.definition for index in indexes)):
        connection.execute(statement)


def _fix_statistics(connection: sqlite3.Connection) -> None:
    """Tell the query planner what a large archive looks like.

    So plans never depend on whether ANALYZE ran and on what it met.
    """
    connection.execute("DELETE FROM sqlite_stat1")
    matches = {(index.table, index.name): index.matches for index in (*_FIRST_INDEXES, *_SECOND_INDEXES)}
    matches |= {(table, table): counts for table, counts in _PRIMARY_KEYS.items()}
    rows = [
        (table, name, " ".join(str(count or _ROWS[table]) for count in (_ALL, *counts)))
        for (table, name), counts in matches.items()
    ]
    connection.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", rows)
