"""The trail of records: groups, bounds, failures."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from shared.audit import Trail, trail
from shared.errors import StorageError
from tests.audit.waiting import soon, until


class Store:
    """An ``AuditStore`` in memory. ``gate`` holds ``keep`` up while it is not set; ``failure`` is raised there."""

    pause = 0.0

    def __init__(self, *, at_once: bool = False) -> None:
        self.at_once = at_once
        self.groups: list[list[bytes]] = []
        self.written: list[bytes] = []
        self.attempts = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.closed = False

    def write(self, line: bytes) -> bool:
        if self.at_once:
            self.written.append(line)
        return self.at_once

    async def keep(self, lines: Sequence[bytes]) -> None:
        self.attempts += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.groups.append(list(lines))

    async def check(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        self.closed = True

    @property
    def lines(self) -> list[bytes]:
        return [line for group in self.groups for line in group]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(trail, "LAST_RETRY", 0.02)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def audit(store: Store) -> AsyncIterator[Trail]:
    opened = Trail(store, most_bytes=100)
    yield opened
    store.gate.set()
    await opened.close()


def recording(audit: Trail, line: bytes) -> asyncio.Task[None]:
    return asyncio.create_task(audit.record(line))


async def test_a_record_is_kept_when_it_was_taken(audit: Trail, store: Store) -> None:
    await audit.record(b"one\n")
    assert store.lines == [b"one\n"]
    assert audit.waiting == 0


async def test_records_that_come_meanwhile_share_the_next_group(audit: Trail, store: Store) -> None:
    store.gate.clear()
    first = recording(audit, b"0\n")
    await until(lambda: store.attempts == 1)
    others = [recording(audit, b"%d\n" % number) for number in range(1, 10)]
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in [first, *others])
    store.gate.set()
    await soon(asyncio.gather(first, *others))
    assert store.groups == [[b"0\n"], [b"%d\n" % number for number in range(1, 10)]]


async def test_what_the_store_writes_at_once_is_not_waited_for(audit: Trail, store: Store) -> None:
    store.at_once = True
    store.gate.clear()
    for line in (b"a\n", b"b\n", b"c\n"):
        await audit.record(line)
    assert store.written == [b"a\n", b"b\n", b"c\n"]
    assert audit.waiting == 3
    store.gate.set()
    await until(lambda: audit.waiting == 0)
    assert store.lines == []


async def test_a_record_whose_request_is_gone_is_kept_and_holds_up_no_other(audit: Trail, store: Store) -> None:
    store.gate.clear()
    first = recording(audit, b"0\n")
    await until(lambda: store.attempts == 1)
    gone, left = recording(audit, b"1\n"), recording(audit, b"2\n")
    await asyncio.sleep(0)
    gone.cancel()
    first.cancel()
    await asyncio.gather(gone, first, return_exceptions=True)
    store.gate.set()
    await soon(left)
    assert store.lines == [b"0\n", b"1\n", b"2\n"]


async def test_a_store_that_fails_is_seen_and_holds_nobody_up(
    audit: Trail, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.failure = StorageError("The audit is full.")
    await audit.record(b"1\n")
    assert not audit.works
    store.gate.clear()
    for line in (b"2\n", b"3\n"):
        await audit.record(line)
    with pytest.raises(StorageError, match=r"The audit is full\. 3 audit records wait, 0 were lost\."):
        await audit.check()
    assert [(each.levelname, each.message.partition(":")[0]) for each in caplog.records] == [
        ("ERROR", "Audit records can't be kept")
    ]


async def test_what_could_not_be_kept_is_kept_in_order_once_it_can_be(
    audit: Trail, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.failure = StorageError("The audit is full.")
    for number in range(5):
        await audit.record(b"%d\n" % number)
    store.failure = None
    await until(lambda: audit.works)
    await audit.check()
    assert store.lines == [b"0\n", b"1\n", b"2\n", b"3\n", b"4\n"]
    assert caplog.records[-1].levelname == "WARNING"
    assert caplog.records[-1].message == "Audit records are kept again; 0 were lost."


async def test_written_lines_that_were_not_made_durable_are_written_anew(audit: Trail, store: Store) -> None:
    store.at_once = True
    store.gate.clear()
    await audit.record(b"before\n")
    await until(lambda: store.attempts == 1)
    await audit.record(b"meanwhile\n")
    store.failure = StorageError("The disk is gone.")
    store.gate.set()
    await until(lambda: not audit.works)
    await audit.record(b"after\n")
    store.failure = None
    await until(lambda: audit.works)
    assert store.lines == [b"before\n", b"meanwhile\n", b"after\n"]


async def test_an_error_that_nobody_foresaw_is_a_failure_like_others(audit: Trail, store: Store) -> None:
    store.failure = ValueError("secret")
    await audit.record(b"1\n")
    with pytest.raises(StorageError, match="does not answer") as raised:
        await audit.check()
    assert "secret" not in raised.value.detail
    store.failure = None
    await until(lambda: audit.works)
    assert store.lines == [b"1\n"]


async def test_a_store_that_hangs_counts_as_failed(audit: Trail, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "KEEP_SECONDS", 0.02)
    store.gate.clear()
    await soon(recording(audit, b"1\n"))
    assert not audit.works
    store.gate.set()
    await until(lambda: audit.works)
    assert store.lines == [b"1\n"]


async def test_beyond_the_bound_records_wait_for_room(audit: Trail, store: Store) -> None:
    store.gate.clear()
    full = recording(audit, b"x" * 99 + b"\n")
    await until(lambda: store.attempts == 1)
    late = recording(audit, b"late\n")
    await asyncio.sleep(0.01)
    assert not late.done()
    store.gate.set()
    await soon(asyncio.gather(full, late))
    assert store.lines == [b"x" * 99 + b"\n", b"late\n"]
    assert audit.lost == 0


async def test_while_the_store_fails_records_beyond_the_bound_are_lost_and_counted(
    audit: Trail, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.failure = StorageError("The audit is full.")
    await audit.record(b"x" * 99 + b"\n")
    for _ in range(20):
        await audit.record(b"y\n")
    assert audit.lost == 20
    complaints = [each.message for each in caplog.records if "no room" in each.message]
    assert complaints == ["There is no room for audit records: 1 were lost so far."]
    with pytest.raises(StorageError, match="1 audit records wait, 20 were lost"):
        await audit.check()
    store.failure = None
    await until(lambda: audit.works)
    await audit.record(b"z\n")
    assert store.lines == [b"x" * 99 + b"\n", b"z\n"]


async def test_closing_keeps_what_waits(store: Store) -> None:
    audit = Trail(store)
    store.at_once = True
    store.gate.clear()
    await audit.record(b"1\n")
    closing = asyncio.create_task(audit.close())
    await asyncio.sleep(0.01)
    assert not store.closed
    store.gate.set()
    await soon(closing)
    assert store.closed
    assert audit.waiting == 0


async def test_closing_does_not_wait_for_the_next_attempt(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trail, "FIRST_RETRY", 3600)
    audit = Trail(store)
    store.failure = StorageError("The audit is full.")
    await audit.record(b"1\n")
    await soon(asyncio.create_task(audit.close()))
    assert store.closed
    assert "1 audit records were lost when the service stopped." in caplog.messages


async def test_closing_tries_once_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "FIRST_RETRY", 3600)
    audit = Trail(store)
    store.failure = StorageError("The audit is full.")
    await audit.record(b"1\n")
    store.failure = None
    await soon(asyncio.create_task(audit.close()))
    assert store.lines == [b"1\n"]


async def test_a_trail_of_which_nothing_was_asked_closes(store: Store) -> None:
    await Trail(store).close()
    assert store.closed


async def test_without_a_store_there_is_nothing_to_do(caplog: pytest.LogCaptureFixture) -> None:
    audit = Trail()
    with caplog.at_level(logging.DEBUG):
        await audit.record(b"1\n")
        await audit.check()
        await audit.close()
    assert (audit.waiting, audit.lost, audit.works) == (0, 0, False)
    assert not caplog.records
