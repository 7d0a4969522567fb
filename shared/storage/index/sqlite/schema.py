"""The tables, made from the attribute table: one row for each study, series and instance, one column for each
searchable attribute of its level.

What searches look at stands apart from what they return, so that scans and counter updates touch small rows.
"""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass

from shared.dicom.attributes import LEVEL_UID, MODALITIES_IN_STUDY, SEARCHABLE
from shared.dicom.model import Level
from shared.errors import StorageError
from shared.storage.index.model import DEFAULT_PARTITION

SCHEMA_VERSION = 1

TABLES = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}

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

_TABLES = """
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
CREATE TABLE purges (blob TEXT PRIMARY KEY, due REAL NOT NULL) STRICT, WITHOUT ROWID;
"""

_ROWS = {"studies": 1_000_000, "series": 4_000_000, "instances": 20_000_000, "study_modalities": 2_000_000}
_ALL = 0


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

    @property
    def statistics(self) -> tuple[str, str, str]:
        rows = _ROWS[self.table]
        return self.table, self.name, " ".join(str(count or rows) for count in (_ALL, *self.matches))


_INDEXES = (
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


def create(connection: sqlite3.Connection) -> None:
    """Set up an empty database, or do nothing where that is done; several processes may call it at once.

    Raises StorageError if a newer version of this program made the file.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > SCHEMA_VERSION:
            raise StorageError("The index was made by a newer version of this program.")
        if found == 0:
            for statement in _statements():
                connection.execute(statement)
            _fix_statistics(connection)
            connection.execute(
                "INSERT INTO partitions (key, name, created) VALUES (1, ?, ?)", (DEFAULT_PARTITION, time.time())
            )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements() -> Iterator[str]:
    searchable = {
        level.name.lower(): "".join(f", {column.name} {column.type}" for column in COLUMNS[level]) for level in Level
    }
    yield from filter(str.strip, _TABLES.format(**searchable).split(";"))
    yield from (index.definition for index in _INDEXES)
    yield f"PRAGMA user_version = {SCHEMA_VERSION}"


def _fix_statistics(connection: sqlite3.Connection) -> None:
    """Tell the query planner what a large archive looks like.

    So plans never depend on whether ANALYZE ran and on what it met.
    """
    connection.execute("ANALYZE")
    connection.execute("DELETE FROM sqlite_stat1")
    rows = [index.statistics for index in _INDEXES]
    rows.append(
        ("study_modalities", "study_modalities", f"{_ROWS['study_modalities']} {_ROWS['study_modalities']} 100000 1")
    )
    connection.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", rows)
