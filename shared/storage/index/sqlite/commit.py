# ruff: noqa: S608 - only names of our own go into SQL texts, values are bound
"""Putting records into the index: what is there is read once, the changes are worked out, then written by table."""

import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from itertools import count

import orjson

from shared.dicom.conditions import MatchValue
from shared.dicom.model import DataSet, Level
from shared.storage.index.model import Attributes
from shared.storage.index.port import CommitResult
from shared.storage.index.sqlite.changes import LAST_TIME, next_time, note
from shared.storage.index.sqlite.plan import Draft, Known, NextIds, Parent, Plan, column_values
from shared.storage.index.sqlite.rows import MOST_ROWS, Row, execute, joined, split
from shared.storage.index.sqlite.schema import COLUMNS, TABLES

_MODALITY = "00080060"


def commit(connection: sqlite3.Connection, drafts: Sequence[Draft]) -> list[CommitResult | None]:
    """Put the records in, in order, within the transaction that is open; None with those of another generation."""
    results: list[CommitResult | None] = []
    for start in range(0, len(drafts), MOST_ROWS):
        batch = drafts[start : start + MOST_ROWS]
        plan = _look_up(connection, batch)
        results += [plan.place(draft) for draft in batch]
        _write(connection, plan)
    return results


_LOOK_UP = """
SELECT json_group_array(json_array(
    k.column1, p.key, st.id, st.fingerprint, se.id, se.fingerprint, i.id, i.version, i.replaced, i.blob))
FROM (VALUES {rows}) AS k
LEFT JOIN partitions p ON p.name = k.column2
LEFT JOIN studies st ON st.partition = p.key AND st.uid = k.column3
LEFT JOIN series se ON se.partition = p.key AND se.uid = k.column4 AND se.study = st.id
LEFT JOIN instances i ON i.partition = p.key AND i.uid = k.column5 AND i.series = se.id
"""
_LAST = f"""
SELECT {LAST_TIME}, (SELECT max(key) FROM partitions), (SELECT max(id) FROM studies), (SELECT max(id) FROM series),
       (SELECT max(id) FROM instances), generation
FROM tag_set
"""


def _look_up(connection: sqlite3.Connection, drafts: Sequence[Draft]) -> Plan:
    """A plan that knows the rows which the records belong to."""
    last_time, *last_ids, generation = connection.execute(_LAST).fetchone()
    plan = Plan(NextIds(*(count((last or 0) + 1) for last in last_ids)), next_time(last_time), generation)
    keys = [draft.record.key for draft in drafts]
    sought = [(number, key.partition, key.study, key.series, key.instance) for number, key in enumerate(keys)]
    for (found,) in execute(connection, _LOOK_UP, sought):
        for number, partition, study, study_told, series, series_told, instance, *rest in orjson.loads(found):
            key = keys[number]
            if partition is not None:
                plan.partitions.setdefault(key.partition, Parent(partition, (key.partition,)))
            if study is not None:
                row = Parent(study, (partition, key.study), study_told)
                plan.studies.setdefault((key.partition, key.study), row)
            if series is not None:
                row = Parent(series, (partition, study, key.series), series_told)
                plan.series.setdefault((key.partition, key.study, key.series), row)
            if instance is not None:
                version, replaced, blob = rest
                plan.instances[key] = Known(instance, version, bool(replaced), blob)
    return plan


def _write(connection: sqlite3.Connection, plan: Plan) -> None:
    _write_partitions(connection, plan.partitions.values())
    _write_parents(connection, _STUDIES, plan.studies.values())
    series_told = _write_parents(connection, _SERIES, plan.series.values())
    execute(connection, _PUT_INSTANCES, list(plan.instance_rows.values()))
    execute(connection, _PUT_CONTENTS, list(plan.content_rows.values()))
    refresh_modalities(connection, {parent.identity[1] for parent in series_told})
    execute(connection, _QUEUE_PURGES, list(plan.purges.items()))
    note(connection, plan.changes)
    plan.values.write(connection)


def _write_partitions(connection: sqlite3.Connection, partitions: Collection[Parent]) -> None:
    now = time.time()
    created = [(parent.id, *parent.identity, now) for parent in partitions if parent.is_new]
    execute(connection, "INSERT INTO partitions (key, name, created) VALUES {rows}", created)
    grown = [(parent.id, parent.studies, parent.series, parent.instances) for parent in partitions if parent.instances]
    execute(connection, _counting("partitions", "key", ("studies", "series", "instances")), grown)


def _write_parents(connection: sqlite3.Connection, table: "_ParentTable", parents: Collection[Parent]) -> list[Parent]:
    """Make new rows, merge news into old ones and raise the counters; gives those that had news."""
    told = [parent for parent in parents if parent.news]
    known = _datasets(connection, table, [parent for parent in told if not parent.is_new])
    merged = [_merge(known.get(parent.id, {}), parent.news) for parent in told]
    counted = [(parent.id, *table.counts(parent)) for parent in parents if parent.instances and not parent.news]
    execute(connection, table.count, counted)
    execute(connection, table.put, [table.row(parent, now) for parent, now in zip(told, merged, strict=True)])
    contents = [(parent.id, orjson.dumps(now.dataset)) for parent, now in zip(told, merged, strict=True)]
    execute(connection, table.put_content, contents)
    return told


def _datasets(connection: sqlite3.Connection, table: "_ParentTable", parents: Sequence[Parent]) -> dict[int, DataSet]:
    found: dict[int, DataSet] = {}
    for described, blob in execute(connection, table.load, [(parent.id,) for parent in parents]):
        ids, lengths = zip(*orjson.loads(described), strict=True)
        found.update(zip(ids, map(orjson.loads, split(blob, lengths)), strict=True))
    return found


def _merge(dataset: DataSet, news: Sequence[Attributes]) -> Attributes:
    """The newest value of each attribute; one that the news lack keeps the value it has."""
    merged = dict(dataset)
    match: dict[str, MatchValue] = {}
    for attributes in news:
        merged.update(attributes.dataset)
        match.update(attributes.match)
    return Attributes(dict(sorted(merged.items())), match)


def _counting(table: str, key: str, counters: Sequence[str]) -> str:
    """The statement that raises counters: each row holds the key and by how much."""
    raised = ", ".join(f"{name} = t.{name} + v.column{place}" for place, name in enumerate(counters, 2))
    return f"UPDATE {table} AS t SET {raised} FROM (VALUES {{rows}}) AS v WHERE t.{key} = v.column1"


def _putting(table: str, fixed: Sequence[str], updates: Mapping[str, str]) -> str:
    """The statement that makes rows or, where the id is taken, applies ``updates``: an expression for each column.

    In these ``t`` is the row that is there and ``excluded`` the new one. ``fixed`` columns never change.
    """
    sets = ", ".join(f"{name} = {expression}" for name, expression in updates.items())
    columns = ", ".join((*fixed, *updates))
    return f"INSERT INTO {table} AS t ({columns}) VALUES {{rows}} ON CONFLICT (id) DO UPDATE SET {sets}"


def _replacing(columns: Sequence[str]) -> dict[str, str]:
    return {name: f"excluded.{name}" for name in columns}


class _ParentTable:
    """The statements that write the rows of studies or series."""

    def __init__(self, level: Level, above: Sequence[str], counters: Sequence[str], extra: Sequence[str] = ()) -> None:
        name = TABLES[level]
        columns = (*extra, *(column.name for column in COLUMNS[level]))
        updates = {
            "fingerprint": "excluded.fingerprint",
            **{counter: f"t.{counter} + excluded.{counter}" for counter in counters},
            **{column: f"coalesce(excluded.{column}, t.{column})" for column in columns},
        }
        self._level = level
        self._counters = counters
        self.put = _putting(name, ("id", *above, "uid"), updates)
        self.put_content = _putting(f"{name}_content", ("id",), _replacing(("dataset",)))
        self.count = _counting(name, "id", counters)
        self.load = (
            f"SELECT json_group_array(json_array(id, length(dataset))), {joined('dataset')} "
            f"FROM {name}_content WHERE id IN (VALUES {{rows}})"
        )

    def counts(self, parent: Parent) -> Row:
        """By how much the row's counters rise."""
        return tuple(getattr(parent, counter) for counter in self._counters)

    def row(self, parent: Parent, told: Attributes) -> Row:
        """The row as ``put`` takes it."""
        extra = (_modality_name(told),) if self._level is Level.SERIES else ()
        values = column_values(self._level, told)
        return parent.id, *parent.identity, parent.fingerprint, *self.counts(parent), *extra, *values


def _modality_name(series: Attributes) -> str | None:
    """The modality as it is written, which ModalitiesInStudy answers."""
    values = series.dataset.get(_MODALITY, {}).get("Value")
    return str(values[0]) if values else None


_STUDIES = _ParentTable(Level.STUDY, ("partition",), ("series", "instances"))
_SERIES = _ParentTable(Level.SERIES, ("partition", "study"), ("instances",), extra=("modality_name",))
_PUT_INSTANCES = _putting(
    "instances",
    ("id", "partition", "study", "series", "uid"),
    _replacing(
        (
            *("version", "replaced", "blob", "length", "transfer_syntax"),
            *(column.name for column in COLUMNS[Level.INSTANCE]),
        )
    ),
)
_PUT_CONTENTS = _putting("instances_content", ("id",), _replacing(("dataset", "metadata", "layout")))
_QUEUE_PURGES = "INSERT INTO purges (blob, due) VALUES {rows} ON CONFLICT (blob) DO UPDATE SET due = excluded.due"


def refresh_modalities(connection: sqlite3.Connection, studies: Collection[int]) -> None:
    """Work out anew which modalities the studies with these ids hold."""
    rows = [(study,) for study in studies]
    execute(connection, "DELETE FROM study_modalities WHERE study IN (VALUES {rows})", rows)
    execute(
        connection,
        "INSERT OR IGNORE INTO study_modalities (partition, modality, study, name) "
        "SELECT partition, Modality, study, modality_name FROM series "
        "WHERE study IN (VALUES {rows}) AND Modality IS NOT NULL AND modality_name IS NOT NULL",
        rows,
    )
