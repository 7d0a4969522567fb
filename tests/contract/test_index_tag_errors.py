"""How every index adapter keeps errors of extended query tags, and what removed tags leave, over each adapter."""

from dataclasses import replace

from shared.dicom.conditions import Equal
from shared.dicom.model import Level
from shared.storage.index.model import DEFAULT_PARTITION, InstanceRecord, Scope, Search
from shared.storage.index.port import Index
from shared.storage.index.tags import (
    QueryStatus,
    QueryTag,
    TagError,
)
from tests.contract.records import record
from tests.contract.steps import CREATED, DUE, PARTITION, REPLACED, keys
from tests.contract.tag_steps import COMMENT, PRIVATE, PROTOCOL, READER, add, commit, entry, found, put

# Errors


def error(tag: QueryTag, it: InstanceRecord, time: int = 1, message: str = "The value is bad.") -> TagError:
    return TagError(tag.key, it.key, it.version, time, message)


async def test_errors_come_oldest_first_and_disable_their_tags(index: Index) -> None:
    comment, private, reader = await add(index, COMMENT, PRIVATE, READER)
    records = [record(f"{n}", f"{n}.1", f"{n}.1.1", partition=f"ward{n % 2}") for n in range(5)]
    await commit(index, *records)
    times = [1_700_000_000_000_004, 3, 1_700_000_000_000_005, 1, 2]
    errors = [error(comment, it, at, f"Ärger {at}") for it, at in zip(records, times, strict=True)]
    await index.tags.record_errors([*errors, error(private, records[0])])
    expected = sorted(errors, key=lambda each: each.time)
    assert await index.tags.errors(comment.key, 0, 10) == expected
    assert await index.tags.errors(comment.key, 1, 2) == expected[1:3]
    assert await index.tags.errors(comment.key, 5, 10) == []
    assert await index.tags.errors(private.key, 0, 10) == [error(private, records[0])]
    assert await index.tags.errors(reader.key, 0, 10) == []
    counted = await index.tags.error_counts([reader.key, comment.key, private.key, 77])
    assert counted == {comment.key: 5, private.key: 1}
    assert await index.tags.error_counts([private.key]) == {private.key: 1}
    states = {tag.key: tag.query_status for tag in (await index.tags.all()).tags}
    assert states == {
        comment.key: QueryStatus.DISABLED,
        private.key: QueryStatus.DISABLED,
        reader.key: QueryStatus.ENABLED,
    }


async def test_an_instance_has_one_error_for_each_tag(index: Index) -> None:
    comment, private = await add(index, COMMENT, PRIVATE)
    it = record()
    await commit(index, it)
    await index.tags.record_errors([error(comment, it), error(private, it)])
    await index.tags.set_query_status(comment.key, QueryStatus.ENABLED)
    await index.tags.record_errors([error(comment, it)])
    assert await index.tags.error_counts([comment.key, private.key]) == {comment.key: 1, private.key: 1}
    assert (await index.tags.all()).tags[0].query_status is QueryStatus.DISABLED


async def test_errors_go_with_the_version_they_are_of(index: Index) -> None:
    (comment,) = await add(index, COMMENT)
    kept, replaced, gone = (record(instance=name) for name in ("kept", "replaced", "gone"))
    await commit(index, kept, replaced, gone)
    await index.tags.record_errors([error(comment, it) for it in (kept, replaced, gone)])
    assert await index.tags.error_counts([comment.key]) == {comment.key: 3}
    await put(index, record(instance="replaced"))
    await index.delete(Scope(DEFAULT_PARTITION, "1", "1.1", "gone"), DUE)
    assert await index.tags.errors(comment.key, 0, 10) == [error(comment, kept)]
    assert await index.tags.error_counts([comment.key]) == {comment.key: 1}
    await index.tags.record_errors([error(comment, it) for it in (replaced, gone)])
    assert await index.tags.errors(comment.key, 0, 10) == [error(comment, kept)]
    await index.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    assert await index.tags.error_counts([comment.key]) == {}


async def test_errors_leave_values_and_instances_as_they_are(index: Index) -> None:
    comment, private = await add(index, COMMENT, PRIVATE)
    it = record(PatientID="P")
    await commit(index, it, values={comment: "good"})
    before = await index.instance(it.key)
    await index.tags.record_errors([error(private, it)])
    assert await index.instance(it.key) == before
    assert await found(index, comment, "good") == {"1.1.1"}
    assert await put(index, it) == [CREATED]
    assert await index.tags.error_counts([private.key]) == {private.key: 1}


# Removing


async def test_what_a_removed_tag_left_counts_no_more(index: Index) -> None:
    tags = await add(index, READER, PROTOCOL, COMMENT)
    first, second = record(), record(instance="2")
    await commit(index, first, values=dict.fromkeys(tags, "old"))
    await commit(index, second)
    await index.tags.record_errors([error(tags[2], second)])
    for tag in tags:
        assert await index.tags.remove(tag.key)
    assert await index.tags.error_counts([tag.key for tag in tags]) == {}
    assert await index.tags.errors(tags[2].key, 0, 10) == []
    again = await add(index, READER, PROTOCOL, COMMENT)
    for tag in again:
        assert await found(index, tag, "old") == set()
    await index.tags.index([entry(first, dict.fromkeys((*tags, *again), "new"))])
    await index.tags.record_errors([error(tag, second) for tag in tags])
    for tag in again:
        assert len(await found(index, tag, "new")) == 1
    assert await index.tags.error_counts([tag.key for tag in (*tags, *again)]) == {}


async def test_values_and_errors_of_a_removed_tag_are_erased_bit_by_bit(index: Index) -> None:
    tags = await add(index, READER, PROTOCOL, COMMENT)
    (kept,) = await add(index, PRIVATE)
    records = [record(f"{n}", f"{n}.1", f"{n}.1.1", partition=f"ward{n % 2}") for n in range(7)]
    for it in records[:5]:
        await commit(index, it, values=dict.fromkeys((*tags, kept), "x"))
    await commit(index, *records[5:])
    await index.tags.record_errors([error(tag, it) for it in records[5:] for tag in (tags[2], kept)])
    for tag, left in zip(tags, (5, 5, 7), strict=True):
        await index.tags.remove(tag.key)
        erased = []
        while count := await index.tags.erase(tag.key, 3):
            erased.append(count)
        assert sum(erased) == left
        assert max(erased) <= 3
        assert await index.tags.erase(tag.key, 3) == 0
    scopes = [Scope("ward0"), Scope("ward1")]
    search = Search(Level.INSTANCE, PARTITION, (Equal(PRIVATE.path, ("x",)),), tags=(kept.index_key,))
    assert sum([len(await keys(index, replace(search, scope=scope))) for scope in scopes]) == 5
    assert await index.tags.error_counts([kept.key]) == {kept.key: 2}
    assert await put(index, record("0", "0.1", "0.1.1", partition="ward0"), values={kept: "y"}) == [REPLACED]
    assert sum([len(await keys(index, replace(search, scope=scope))) for scope in scopes]) == 4
