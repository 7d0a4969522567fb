"""Dropped files are stored or set aside with the reason; nothing else becomes of them, whatever goes wrong."""

import asyncio
import io
import logging
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from shared.errors import StorageError
from shared.services import inbox, inbox_archive
from shared.services.context import Services
from shared.services.inbox import StillGrowing, take, take_left
from tests.instances import Identity, dataset, new_identity, part10, streamed
from tests.services.dropping import drop, dropped, failed, files, let_age, report, stored, zipped

MIB = 1024 * 1024


def named(identity: Identity, name: str = "A^B", **attributes: object) -> bytes:
    return part10(dataset(identity, PatientName=name, **attributes))


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


def media_directory() -> bytes:
    return Path(get_testdata_file("DICOMDIR")).read_bytes()


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


async def test_an_archive(services: Services) -> None:
    identities = [new_identity() for _ in range(70)]
    entries = {f"CT {number // 10}/IM{number}": named(identity) for number, identity in enumerate(identities)}
    others = {"DICOMDIR": media_directory(), "CT 1/": b"", "__MACOSX/x": b"x", "y/Thumbs.db": b"x", "index": b""}
    await drop(services, "partitions/ward/export.zip", zipped(others | entries))
    await take(services, "partitions/ward/export.zip")
    for identity in identities:
        assert await stored(services, identity, "ward") == named(identity)
    assert await dropped(services) == set()
    assert await files(services.inbox_errors) == {}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_an_archive_under_another_name(services: Services, method: int) -> None:
    identity = new_identity()
    await drop(services, "0001", zipped({"a": named(identity)}, method))
    await take(services, "0001")
    assert await stored(services, identity) == named(identity)


async def test_an_empty_archive(services: Services) -> None:
    await drop(services, "empty.zip", zipped({}))
    await take(services, "empty.zip")
    assert await dropped(services) == set()
    assert await files(services.inbox_errors) == {}


async def test_an_archive_more_than_is_settled_at_once(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "SETTLED_AT_ONCE", 3)
    identities = [new_identity() for _ in range(8)]
    entries = {str(number): named(identity) for number, identity in enumerate(identities)}
    await drop(services, "a.zip", zipped({**entries, "bad": b"x", "again": named(identities[0], "C^D")}))
    await take(services, "a.zip")
    told = await report(services, "a.zip")
    assert (told["stored"], told["failed"]) == (8, 2)
    assert [failure["position"] for failure in told["failures"]] == [9, 10]


async def test_names_in_an_archive_are_no_paths(services: Services, tmp_path: Path) -> None:
    names = [
        "../../outside.dcm",
        "/tmp/outside.dcm",
        "C:\\outside.dcm",
        "partitions/other/x.dcm",
        "a\0b",
        "same",
        "same",
    ]
    identities = [new_identity() for _ in names]
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = zipped([(name, named(identity)) for name, identity in zip(names, identities, strict=True)])
    await drop(services, "a.zip", archive)
    await take(services, "a.zip")
    for identity in identities:
        assert await stored(services, identity) == named(identity)
    assert outside(tmp_path) == []
    assert await files(services.inbox_errors) == {}


def outside(folder: Path) -> list[Path]:
    return [*folder.rglob("outside*"), *folder.parent.glob("outside*")]


async def test_a_mixed_archive_is_set_aside_with_a_line_for_each_failure(services: Services) -> None:
    good, cut, twice = new_identity(), new_identity(), new_identity()
    archive = zipped(
        {
            "good": named(good),
            "text.txt": b"no DICOM " * 100,
            "cut": named(cut)[:-1],
            "twice": named(twice),
            "more.zip": zipped({"inner": named(new_identity())}),
            "twice, the same": named(twice),
            "twice, but not the same": named(twice, "C^D"),
        }
    )
    await drop(services, "mixed.zip", archive)
    await take(services, "mixed.zip")
    assert await stored(services, good) == named(good)
    assert await stored(services, cut) is None
    assert await stored(services, twice) == named(twice)
    assert await dropped(services) == set()
    assert await failed(services) == {"mixed.zip": archive}
    told = await report(services, "mixed.zip")
    assert (told["stored"], told["failed"]) == (3, 4)
    found = [(failure["position"], failure["name"], failure["failureReason"]) for failure in told["failures"]]
    assert found == [
        (2, "text.txt", 43264),
        (3, "cut", 43264),
        (5, "more.zip", 43264),
        (7, "twice, but not the same", 45070),
    ]
    assert told["failures"][2]["details"] == ["An archive within an archive is not opened."]


def patched(archive: bytes, offset: int, value: bytes) -> bytes:
    """Another value in the headers of the first entry; the offset is that in the local one (APPNOTE 4.3.7)."""
    data = bytearray(archive)
    for start in (0, archive.index(b"PK\x01\x02") + 2):
        data[start + offset : start + offset + len(value)] = value
    return bytes(data)


FLAGS, METHOD, SIZE = 6, 8, 22


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (FLAGS, b"\x01\0", "The file is encrypted."),
        (METHOD, b"\x0c\0", "The file is compressed by another method than Deflate."),
        (METHOD, b"\x09\0", "The file is compressed by another method than Deflate."),
        (FLAGS, b"\x40\0", "The archive is damaged or incomplete."),
        (SIZE, b"\xff\0\0\0", "The archive is damaged or incomplete."),
    ],
    ids=["encrypted", "bzip2", "deflate64", "strongly encrypted", "larger than it says"],
)
async def test_entries_that_can_not_be_read_fail_alone(
    services: Services, offset: int, value: bytes, reason: str
) -> None:
    bad, good = new_identity(), new_identity()
    await drop(services, "a.zip", patched(zipped({"bad": named(bad), "good": named(good)}), offset, value))
    await take(services, "a.zip")
    assert await stored(services, bad) is None
    assert await stored(services, good) == named(good)
    (failure,) = (await report(services, "a.zip"))["failures"]
    assert (failure["position"], failure["details"]) == (1, [reason])


async def test_damaged_bytes_in_an_archive_are_not_stored(services: Services) -> None:
    """Neither in a small file nor in one that is streamed to its blob."""
    small, large = new_identity(), new_identity()
    archive = bytearray(zipped({"a": named(small), "b": part10(dataset(large, side=1000))}, zipfile.ZIP_STORED))
    for marker in (b"Test^Patient", b"A^B"):
        place = archive.index(marker)
        archive[place] ^= 1
    await drop(services, "a.zip", bytes(archive))
    await take(services, "a.zip")
    assert await stored(services, small) is None
    assert await stored(services, large) is None
    assert [name async for name, _ in services.blobs.names()] == []
    assert (await report(services, "a.zip"))["failed"] == 2


BROKEN = {
    "cut": lambda archive: archive[:-30],
    "cut amid a file": lambda archive: archive[: len(archive) // 2],
    "no more than its beginning": lambda archive: archive[:4],
    "wrong offsets": lambda archive: archive[:-6] + b"\xff\xff\xff\x7f\0\0",
    "noise": lambda archive: archive[:4] + bytes(range(256)) * 10,
}


@pytest.mark.parametrize("breakage", BROKEN)
async def test_a_broken_archive_is_set_aside(services: Services, breakage: str) -> None:
    archive = BROKEN[breakage](zipped({"a": named(new_identity())}))
    await drop(services, "a.zip", archive)
    await take(services, "a.zip")
    assert await failed(services) == {"a.zip": archive}
    (failure,) = (await report(services, "a.zip"))["failures"]
    assert "archive" in failure["details"][0]


async def test_a_bomb_is_not_inflated(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_archive, "FREE_INFLATED", MIB)
    bomb = zipped({str(number): bytes(4 * MIB) for number in range(20)})
    assert len(bomb) < MIB
    await drop(services, "a.zip", bomb)
    await take(services, "a.zip")
    (failure,) = (await report(services, "a.zip"))["failures"]
    assert failure["details"] == ["The files in the archive are too large for its size. Drop them unpacked."]


@pytest.mark.parametrize(("limit", "value"), [("MAX_ENTRIES", 2), ("MAX_INFLATED", 1000), ("MAX_LISTING", 100)])
async def test_archives_have_limits(
    services: Services, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(inbox_archive, limit, value)
    await drop(services, "a.zip", zipped({str(number): named(new_identity()) for number in range(3)}))
    await take(services, "a.zip")
    assert (await report(services, "a.zip"))["stored"] == 0
    assert await dropped(services) == set()


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


def test_reports_are_bounded() -> None:
    from shared.dicomweb.codes import FailureReason
    from shared.dicomweb.store_answer import Failed
    from shared.services.inbox_errors import MAX_LISTED, Failure, _report

    failures = [Failure(Failed(FailureReason.VALIDATION_FAILED), n) for n in range(MAX_LISTED + 5)]
    told = io.BytesIO(_report("\udcff", 0, failures)).read()
    assert told.count(b'"position"') == MAX_LISTED
    assert f'"failed": {MAX_LISTED + 5}'.encode() in told
