"""Archives in the inbox are opened with care: what is in them is stored, what can't be is told one by one."""

import zipfile
from pathlib import Path

import pytest

from shared.services import inbox, inbox_archive
from shared.services.context import Services
from shared.services.inbox import take
from tests.instances import dataset, new_identity, part10
from tests.services.dropping import drop, dropped, failed, files, media_directory, report, stored, zipped
from tests.services.storing import named

MIB = 1024 * 1024


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
