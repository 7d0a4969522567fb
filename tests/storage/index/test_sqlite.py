"""What is particular to the index in SQLite: group commit, locks and broken files."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.dicom.model import Level
from shared.errors import StorageError
from shared.storage.index.model import DEFAULT_PARTITION, InstanceRecord, Scope, Search
from shared.storage.index.port import CommitMode
from shared.storage.index.sqlite import SqliteIndex, adapter, connection, writer
from shared.storage.index.sqlite.connection import connect, storage_error
from shared.storage.index.sqlite.turn import Turn
from tests.contract.records import record
from tests.contract.steps import CREATED, DUE, commit, stored
from tests.storage.index.steps import held_back, unwritable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


@pytest.fixture
async def index(path: Path) -> AsyncIterator[SqliteIndex]:
    opened = SqliteIndex(path)
    await opened.open()
    yield opened
    await opened.close()


# Group commit


async def test_a_change_that_fails_takes_no_other_in_its_transaction_with_it(index: SqliteIndex, path: Path) -> None:
    good = [record("1", "1.1", f"{number}") for number in range(10)]
    outcomes = await held_back(
        path,
        *(commit(index, it) for it in good[:5]),
        commit(index, record("2", "2.1", "0"), unwritable("1")),
        *(commit(index, it) for it in good[5:]),
        index.delete(Scope(DEFAULT_PARTITION, "1", "1.1", "0"), DUE),
    )
    assert isinstance(outcomes[5], OverflowError)
    assert outcomes[:5] + outcomes[6:11] == [[CREATED]] * 10
    assert outcomes[11] == [good[0].blob]
    assert [found.key.instance for found in await stored(index)] == [f"{number}" for number in range(1, 10)]
    assert await index.search(Search(Level.STUDY, Scope(DEFAULT_PARTITION, "2"))) == await index.search(
        Search(Level.STUDY, Scope("nowhere"))
    )


async def test_changes_that_wait_share_one_transaction(index: SqliteIndex, path: Path) -> None:
    with closing(sqlite3.connect(path)) as watching:
        before = watching.execute("PRAGMA data_version").fetchone()
        committed = []

        async def watched(it: InstanceRecord) -> None:
            await commit(index, it)
            committed.append(watching.execute("SELECT count(*) FROM instances").fetchone()[0])

        await held_back(path, *(watched(record(instance=f"{number}")) for number in range(50)))
        assert watching.execute("PRAGMA data_version").fetchone() != before
    # the first was taken before the lock held the writer back, the rest came together
    assert sorted(set(committed)) in ([50], [1, 50])


async def test_too_many_waiting_changes_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_WAITING", 5)
    index = SqliteIndex(path)
    await index.open()
    with closing(Turn(path)) as turn:
        with turn.taken():
            first = asyncio.ensure_future(commit(index, record(instance="first")))
            await asyncio.sleep(0.1)
            waiting = [asyncio.ensure_future(commit(index, record(instance=f"{number}"))) for number in range(8)]
            await asyncio.sleep(0.1)
            assert [task.done() for task in waiting] == [False] * 5 + [True] * 3
        outcomes = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert outcomes[:6] == [[CREATED]] * 6
    assert all(isinstance(outcome, StorageError) for outcome in outcomes[6:])
    assert len(await stored(index)) == 6
    await index.close()


async def test_too_many_waiting_reads_are_refused(index: SqliteIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.storage.index.sqlite.readers.MOST_WAITING", 3)
    outcomes = await asyncio.gather(*(index.partitions() for _ in range(5)), return_exceptions=True)
    assert [isinstance(outcome, StorageError) for outcome in outcomes] == [False] * 3 + [True] * 2
    assert len(await index.partitions()) == 1


async def test_closing_finishes_the_changes_that_wait(path: Path) -> None:
    index = SqliteIndex(path)
    await index.open()
    tasks = [asyncio.ensure_future(commit(index, record(instance=f"{number}"))) for number in range(100)]
    await asyncio.sleep(0)
    await index.close()
    assert await asyncio.gather(*tasks) == [[CREATED]] * 100
    with pytest.raises(StorageError, match="closed"):
        await commit(index, record())
    with pytest.raises(StorageError, match="closed"):
        await index.partitions()
    await index.close()


async def test_giving_up_waiting_harms_nobody(index: SqliteIndex) -> None:
    impatient = [asyncio.ensure_future(commit(index, record(instance=f"{number}"))) for number in range(20)]
    await asyncio.sleep(0)
    for task in impatient:
        task.cancel()
    assert await commit(index, record(instance="patient")) == [CREATED]
    assert "patient" in {found.key.instance for found in await stored(index)}


# Locks and broken files


async def test_another_programs_lock_is_waited_for_only_so_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.2)
    index = SqliteIndex(path)
    await index.open()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="locked"):
            await commit(index, record())
        assert await stored(index) == []
        other.execute("ROLLBACK")
    assert await commit(index, record()) == [CREATED]
    await index.close()


async def test_a_check_does_not_wait_for_ever(index: SqliteIndex, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await index.check()
    monkeypatch.setattr(adapter, "CHECK_TIMEOUT_S", 0.2)
    with closing(Turn(path)) as turn, turn.taken(), pytest.raises(StorageError, match="does not answer"):
        await index.check()
    await index.check()


@pytest.mark.parametrize("content", [b"This is no database. " * 100, b"SQLite format 3\0" + b"\xff" * 4096])
async def test_a_file_that_is_no_index_is_refused(path: Path, content: bytes) -> None:
    await asyncio.to_thread(path.write_bytes, content)
    index = SqliteIndex(path)
    with pytest.raises(StorageError, match="damaged"):
        await index.open()
    await index.close()
    assert await asyncio.to_thread(path.read_bytes) == content


async def test_an_index_of_a_newer_version_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageError, match="newer version"):
        await SqliteIndex(path).open()


async def test_a_folder_that_cannot_be_made_is_an_error(path: Path) -> None:
    await asyncio.to_thread(path.write_bytes, b"")
    with pytest.raises(StorageError, match="folder"):
        await SqliteIndex(path / "index.sqlite").open()


async def test_damage_met_while_reading_is_an_error(path: Path) -> None:
    index = SqliteIndex(path)
    await index.open()
    await commit(index, *(record(instance=f"{number}", metadata=bytes(5000)) for number in range(200)))
    await index.close()
    await asyncio.to_thread(path.write_bytes, (await asyncio.to_thread(path.read_bytes))[:200_000])

    async def read_all(damaged: SqliteIndex) -> None:
        await damaged.open()
        await stored(damaged)

    damaged = SqliteIndex(path)
    with pytest.raises(StorageError, match="damaged"):
        await read_all(damaged)
    await damaged.close()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_FULL, "full"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "locked"),
        (sqlite3.SQLITE_IOERR_FSYNC, "disk that holds the index failed"),
        (sqlite3.SQLITE_READONLY, "read-only"),
        (sqlite3.SQLITE_CANTOPEN, "can't be opened"),
        (sqlite3.SQLITE_CORRUPT_INDEX, "damaged"),
        (sqlite3.SQLITE_MISUSE, "The index failed"),
        (None, "The index failed"),
    ],
)
def test_errors_are_told_in_words_without_values(code: int | None, words: str) -> None:
    error = sqlite3.OperationalError("UNIQUE constraint failed: Doe^John")
    if code is not None:
        error.sqlite_errorcode = code
    told = storage_error(error)
    assert words in told.detail
    assert "Doe" not in told.detail


async def test_commits_are_made_durable_before_they_are_answered(index: SqliteIndex, path: Path) -> None:
    await index.commit([record()], CommitMode.CREATE, DUE)
    with closing(connect(path, writes=True)) as opened:
        assert opened.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert opened.execute("PRAGMA synchronous").fetchone() == (2,)
        assert opened.execute("PRAGMA foreign_key_check").fetchall() == []
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
