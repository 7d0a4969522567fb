# ruff: noqa: S608 - only names of our own go into SQL texts, values are bound
"""Taking instances out of the index, and the queue of blobs to be purged."""

import sqlite3

from shared.storage.index.model import Scope
from shared.storage.index.sqlite.changes import note_deletion
from shared.storage.index.sqlite.commit import refresh_modalities

_LOCATE = """
SELECT st.partition, st.id, se.id, i.id
FROM studies st
LEFT JOIN series se ON se.partition = st.partition AND se.uid = :series AND se.study = st.id
LEFT JOIN instances i ON i.partition = st.partition AND i.uid = :instance AND i.series = se.id
WHERE st.partition = (SELECT key FROM partitions WHERE name = :partition) AND st.uid = :study
AND (:series IS NULL OR se.id IS NOT NULL) AND (:instance IS NULL OR i.id IS NOT NULL)
"""


def delete(connection: sqlite3.Connection, scope: Scope, purge_due: float) -> list[str]:
    """Remove all instances of a study, series or instance, note it and queue their blobs; gives these blobs' names.

    Series and studies go with their last instance.
    """
    names = {"partition": scope.partition, "study": scope.study, "series": scope.series, "instance": scope.instance}
    place = connection.execute(_LOCATE, names).fetchone()
    if place is None:
        return []
    partition, study, series, instance = place
    blobs = _delete_instances(connection, study, series, instance, purge_due)
    removed = len(blobs)
    emptied = _delete_series(connection, study, series, removed)
    connection.execute(
        "UPDATE studies SET series = series - ?, instances = instances - ? WHERE id = ?", (emptied, removed, study)
    )
    gone = connection.execute("DELETE FROM studies WHERE id = ? AND instances = 0", (study,)).rowcount
    connection.execute(
        "UPDATE partitions SET studies = studies - ?, series = series - ?, instances = instances - ? WHERE key = ?",
        (gone, emptied, removed, partition),
    )
    if emptied and not gone:
        refresh_modalities(connection, [study])
    return blobs


def _delete_instances(
    connection: sqlite3.Connection, study: int, series: int | None, instance: int | None, purge_due: float
) -> list[str]:
    column, row = ("study", study) if series is None else ("series", series) if instance is None else ("id", instance)
    connection.execute(
        f"INSERT INTO purges (blob, due) SELECT blob, ? FROM instances WHERE {column} = ? "
        "ON CONFLICT (blob) DO UPDATE SET due = excluded.due",
        (purge_due, row),
    )
    note_deletion(connection, column, row)
    deleted = connection.execute(f"DELETE FROM instances WHERE {column} = ? RETURNING blob", (row,))
    return [blob for (blob,) in deleted]


def _delete_series(connection: sqlite3.Connection, study: int, series: int | None, removed: int) -> int:
    """Remove the emptied series; gives how many. ``series`` is None if all instances of the study are gone."""
    if series is None:
        return connection.execute("DELETE FROM series WHERE study = ?", (study,)).rowcount
    connection.execute("UPDATE series SET instances = instances - ? WHERE id = ?", (removed, series))
    return connection.execute("DELETE FROM series WHERE id = ? AND instances = 0", (series,)).rowcount


def postpone_purge(connection: sqlite3.Connection, blob: str, due: float) -> None:
    """Set a new due time."""
    connection.execute("UPDATE purges SET due = ? WHERE blob = ?", (due, blob))


def forget_purge(connection: sqlite3.Connection, blob: str) -> None:
    """Drop a blob from the queue."""
    connection.execute("DELETE FROM purges WHERE blob = ?", (blob,))
