"""Dropped files are stored or set aside with the reason; nothing else becomes of them, whatever goes wrong."""

import asyncio
import io
import logging
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import StorageError
from shared.services import inbox, uploads
from shared.services.context import Services
from shared.services.inbox import StillGrowing, take, take_left
from tests.instances import dataset, new_identity, streamed
from tests.services.dropping import (
    drop,
    dropped,
    failed,
    files,
    let_age,
    media_directory,
    report,
    stored,
    zipped,
)
from tests.services.storing import PARTITION, named

MIB = 1024 * 1024


async def test_a_file_is_stored_and_goes(services: Services) -> None:
    identity = new_identity()
    await drop(services, "image.dcm", named(identity))
    await take(services, "image.dcm")
    assert await stored(services, identity) == named(identity)
    assert await dropped(services) == set()
    assert await files(services.inbox_errors) == {}


async def test_a_tree_of_files_under_any_names(services: Services) -> None:
    names = ["Müller^Jürgen 1970/CT/IM 1", "Müller^Jürgen 1970/CT/IM 2", "a#b?c%41.bin", "deep/" * 20 + "x", "x.JSON"]
    identities = {name: new_identity() for name in names}
    for name, identity in identities.items():
        await drop(services, name, named(identity))
    for name in names:
        await take(services, name)
    for identity in identities.values():
        assert await stored(services, identity) == named(identity)
    assert await dropped(services) == set()
    assert await files(services.inbox_errors) == {}


async def test_what_was_never_there_or_is_gone_is_done(services: Services) -> None:
    await drop(services, "image.dcm", named(new_identity()))
    await take(services, "image.dcm")
    impossible = ("../x", "", "a\0b", "/") if services.inbox and services.inbox.grows else ()
    for name in ("image.dcm", "other", "a//b", "partitions/x", *impossible):
        await take(services, name)


async def test_without_an_inbox_there_is_nothing_to_do(services: Services) -> None:
    without = Services(services.settings, services.blobs, services.index)
    await take(without, "image.dcm")
    await take_left(without)


async def test_a_file_without_preamble(services: Services) -> None:
    identity = new_identity()
    await drop(services, "bare", named(identity)[132:])
    await take(services, "bare")
    assert await stored(services, identity) == named(identity)
    await drop(services, "bare", named(identity)[132:])
    await take(services, "bare")
    assert await dropped(services) == set()
    assert await failed(services) == {}


async def test_a_preamble_that_looks_like_an_archive(services: Services) -> None:
    identity = new_identity()
    file = b"PK\x03\x04" + named(identity)[4:]
    await drop(services, "image", file)
    await take(services, "image")
    assert await stored(services, identity) == file


@pytest.mark.parametrize(
    ("name", "partition"),
    [
        ("partitions/ward-7/a/b.dcm", "ward-7"),
        ("partitions/ward-7/b.dcm", "ward-7"),
        ("partitions/b.dcm", "Microsoft.Default"),
        ("Partitions/ward-7/b.dcm", "Microsoft.Default"),
        ("a/partitions/ward-7/b.dcm", "Microsoft.Default"),
    ],
)
async def test_the_first_folders_choose_the_partition(services: Services, name: str, partition: str) -> None:
    identity = new_identity()
    await drop(services, name, named(identity))
    await take(services, name)
    assert await stored(services, identity, partition) == named(identity)
    names = {each.name for each in await services.index.partitions()}
    assert names == {"Microsoft.Default", partition}


async def test_a_partition_that_can_not_be(services: Services) -> None:
    await drop(services, "partitions/ward 7/b.dcm", named(new_identity()))
    await take(services, "partitions/ward 7/b.dcm")
    told = await report(services, "partitions/ward 7/b.dcm")
    assert "'partitions'" in told["failures"][0]["details"][0]
    assert await dropped(services) == set()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("disc/DICOMDIR", b"anything"),
        ("disc/dicomdir", b"anything"),
        ("index-of-the-disc", media_directory()),
        ("a/Thumbs.db", b"pictures"),
        ("a/.DS_Store", b"Bud1"),
        ("__MACOSX/a/b.dcm", b"fork"),
        ("a/empty", b""),
    ],
)
async def test_what_is_no_image_goes_without_a_word(services: Services, name: str, data: bytes) -> None:
    await drop(services, name, data)
    await take(services, name)
    assert await dropped(services) == set()
    assert await files(services.inbox_errors) == {}
    assert [name async for name, _ in services.blobs.names()] == []


async def test_what_is_no_dicom_is_set_aside_beside_the_reason(services: Services) -> None:
    before = time.time()
    await drop(services, "notes/read me.txt", b"Patient X is fine. " * 50)
    await take(services, "notes/read me.txt")
    assert await dropped(services) == set()
    assert await failed(services) == {"notes/read me.txt": b"Patient X is fine. " * 50}
    told = await report(services, "notes/read me.txt")
    assert time.strptime(told.pop("time"), "%Y-%m-%dT%H:%M:%SZ") >= time.gmtime(before - 1)
    assert told == {
        "name": "notes/read me.txt",
        "stored": 0,
        "failed": 1,
        "failures": [
            {
                "failureReason": 43264,
                "meaning": "A required attribute is missing or invalid, or the data can't be read as DICOM.",
                "details": ["The file is not DICOM: it does not begin with 128 bytes and 'DICM' (PS3.10 7.1)."],
            }
        ],
    }


async def test_a_report_names_the_instance_but_no_value(services: Services) -> None:
    identity = new_identity()
    await drop(services, "cut.dcm", named(identity, "SECRET^NAME")[:-10])
    await take(services, "cut.dcm")
    (failure,) = (await report(services, "cut.dcm"))["failures"]
    assert failure["sopInstanceUid"] == identity.instance
    assert failure["sopClassUid"] == "1.2.840.10008.5.1.4.1.1.2"
    reports = [data for name, data in (await files(services.inbox_errors)).items() if name.endswith(".json")]
    assert b"SECRET" not in b"".join(reports)


async def test_the_same_bytes_again_are_no_failure(services: Services) -> None:
    identity = new_identity()
    for _ in range(2):
        await drop(services, "image.dcm", named(identity))
        await take(services, "image.dcm")
    assert await dropped(services) == set()
    assert await files(services.inbox_errors) == {}
    assert len([name async for name, _ in services.blobs.names()]) == 1


@pytest.mark.parametrize("other", ["C^D", "Longer^Name"])
async def test_other_bytes_of_a_stored_instance_are(services: Services, other: str) -> None:
    identity = new_identity()
    await drop(services, "image.dcm", named(identity))
    await take(services, "image.dcm")
    await drop(services, "image.dcm", named(identity, other))
    await take(services, "image.dcm")
    assert await stored(services, identity) == named(identity)
    assert await failed(services) == {"image.dcm": named(identity, other)}
    (failure,) = (await report(services, "image.dcm"))["failures"]
    assert failure["failureReason"] == 45070
    assert failure["sopInstanceUid"] == identity.instance


async def test_files_that_fail_under_one_name_are_all_kept(services: Services) -> None:
    for data in (b"first", b"second", b"first", b"third"):
        await drop(services, "a.dcm", data)
        await take(services, "a.dcm")
    assert await failed(services) == {"a.dcm": b"first", "a.dcm.2": b"second", "a.dcm.3": b"third"}
    for name in await failed(services):
        assert (await report(services, name))["name"] == "a.dcm"


async def test_a_file_named_like_a_report_is_none(services: Services) -> None:
    await drop(services, "a.dcm.json", b"{}")
    await take(services, "a.dcm.json")
    await drop(services, "a.dcm", b"not DICOM")
    await take(services, "a.dcm")
    assert await failed(services) == {"a.dcm.json.2": b"{}", "a.dcm": b"not DICOM"}
    assert (await report(services, "a.dcm"))["name"] == "a.dcm"
    assert (await report(services, "a.dcm.json.2"))["name"] == "a.dcm.json"


async def test_storage_that_fails_leaves_the_file_where_it_is(services: Services) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise StorageError("The index is down.")

    identity = new_identity()
    await drop(services, "a.zip", zipped({"a": named(identity), "bad": b"bad"}))
    down = Services(
        services.settings,
        services.blobs,
        Broken(),  # type: ignore[arg-type]
        inbox=services.inbox,
        inbox_errors=services.inbox_errors,
    )
    with pytest.raises(StorageError):
        await take(down, "a.zip")
    assert await dropped(services) == {"a.zip"}
    assert await files(services.inbox_errors) == {}
    await take(services, "a.zip")
    assert await stored(services, identity) == named(identity)
    assert await dropped(services) == set()


async def test_a_file_told_of_twice_at_once(services: Services) -> None:
    identities = [new_identity() for _ in range(5)]
    await drop(services, "a.zip", zipped({str(n): named(identity) for n, identity in enumerate(identities)}))
    await drop(services, "bad", b"not DICOM")
    outcomes = await asyncio.gather(
        *(take(services, name) for name in ("a.zip", "bad") for _ in range(3)), return_exceptions=True
    )
    assert all(outcome is None or isinstance(outcome, StorageError) for outcome in outcomes)
    for name in ("a.zip", "bad"):
        await take(services, name)
    for identity in identities:
        assert await stored(services, identity) == named(identity)
    assert await dropped(services) == set()
    assert await failed(services) == {"bad": b"not DICOM"}
    assert (await report(services, "bad"))["failed"] == 1


async def test_a_large_file_is_streamed(services: Services) -> None:
    """Bounded memory: the file is larger than all that may be held at once."""
    identity = new_identity()
    made = dataset(identity, side=2048, frames=16)
    await drop(services, "large.dcm", streamed(made))
    tracemalloc.start()
    try:
        await take(services, "large.dcm")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * MIB
    assert await dropped(services) == set()
    found = await stored(services, identity)
    assert found == b"".join(streamed(made))
    assert len(found) > 128 * MIB


async def test_a_young_file_that_fails_may_still_grow(services: Services) -> None:
    identity = new_identity()
    for name, cut in (
        ("cut.dcm", named(identity)[:-10]),
        ("empty", b""),
        ("a.zip", zipped({"a": named(identity)})[:-5]),
    ):
        await drop(services, name, cut, age=5)
        if services.inbox is not None and services.inbox.grows:
            with pytest.raises(StillGrowing):
                await take(services, name)
            assert name in await dropped(services)
            let_age(Path(services.settings.inbox or "") / name, 61)
        await take(services, name)
    assert await dropped(services) == set()
    assert set(await failed(services)) == {"cut.dcm", "a.zip"}


async def test_what_was_left_is_taken_up_and_the_rest_is_let_be(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    old = [new_identity() for _ in range(6)]
    for number, identity in enumerate(old):
        await drop(services, f"old {number}", named(identity), age=700)
    await drop(services, "old and bad", b"no DICOM", age=700)
    await asyncio.sleep(1.1)
    await drop(services, "a young one", named(new_identity()), age=0)
    assert services.inbox is not None
    young = await services.inbox.find("a young one")
    assert young is not None
    monkeypatch.setattr(inbox, "LEFT_SECONDS", time.time() - young.changed + 0.5)
    with caplog.at_level(logging.INFO):
        await take_left(services)
    assert await dropped(services) == {"a young one"}
    assert await failed(services) == {"old and bad": b"no DICOM"}
    for identity in old:
        assert await stored(services, identity) == named(identity)
    assert "old" not in caplog.text


async def test_what_fails_in_a_sweep_holds_up_nothing(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(inbox, "LEFT_SECONDS", -10)
    real = inbox.take

    async def sometimes(opened: Services, name: str) -> None:
        if name.startswith("SECRET"):
            raise StorageError("The storage is down.")
        await real(opened, name)

    monkeypatch.setattr(inbox, "take", sometimes)
    identity = new_identity()
    for name in ("SECRET 1", "b", "SECRET 2"):
        await drop(services, name, named(identity))
    with caplog.at_level(logging.ERROR):
        await take_left(services)
    assert await dropped(services) == {"SECRET 1", "SECRET 2"}
    assert await stored(services, identity) is not None
    assert len(caplog.records) == 2
    assert "SECRET" not in caplog.text


async def test_logs_tell_no_names_and_no_values(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "shared"):
        for name, data in {
            "SECRET/a": named(new_identity(), "SECRET^NAME"),
            "SECRET/b": named(new_identity(), "SECRET^NAME")[:-10],
            "SECRET.zip": zipped({"SECRET": b"SECRET" * 100}),
            "partitions/SECRET X/a": b"SECRET",
        }.items():
            await drop(services, name, data)
            await take(services, name)
    assert "A dropped file" in caplog.text
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize("partition", [PARTITION, "Ward.7", ".ward", "...", "-ward", "__MACOSX"])
async def test_what_is_uploaded_into_a_partition_of_any_name_is_imported(services: Services, partition: str) -> None:
    identity = new_identity()
    upload = await uploads.offer(services, partition, "a.dcm")

    async def chunks() -> AsyncIterator[bytes]:
        yield named(identity)

    await uploads.receive(services, partition, upload.name, chunks())
    (name,) = await dropped(services)
    assert name == upload.path
    await take(services, name)
    assert await stored(services, identity, partition) == named(identity)
    assert await dropped(services) == set()


def test_reports_are_bounded() -> None:
    from shared.dicomweb.codes import FailureReason
    from shared.dicomweb.store_answer import Failed
    from shared.services.inbox_errors import MAX_LISTED, Failure, _report

    failures = [Failure(Failed(FailureReason.VALIDATION_FAILED), n) for n in range(MAX_LISTED + 5)]
    told = io.BytesIO(_report("\udcff", 0, failures)).read()
    assert told.count(b'"position"') == MAX_LISTED
    assert f'"failed": {MAX_LISTED + 5}'.encode() in told
