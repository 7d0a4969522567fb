import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from shared.dicom.model import ByteRange
from shared.dicom.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
)
from shared.errors import StorageError
from shared.services.context import Services
from shared.services.extents import INFLATE_CHUNK, WHOLE_READ, Extent, read, read_part, swapped
from shared.settings import Settings
from shared.storage.adapters import index
from shared.storage.blobs.folder import FolderBlobs
from shared.storage.index.model import InstanceKey, StoredInstance
from tests.dicom.building import PREAMBLE, deflate, file_meta

FILE = bytes(range(250)) * 4
BLOB = "p/one.dcm"


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    """A blob store; the index is never opened."""
    settings = Settings(blobs=str(tmp_path / "blobs"), index=str(tmp_path / "index.sqlite"))
    blobs = FolderBlobs(tmp_path / "blobs")
    await blobs.open()
    yield Services(settings, blobs, index(settings))
    await blobs.close()


async def stored(services: Services, file: bytes, transfer_syntax: str) -> StoredInstance:
    await services.blobs.put(BLOB, stream([file]))
    key = InstanceKey("p", "1", "2", "3")
    return StoredInstance(key, 1, BLOB, len(file), transfer_syntax, metadata=b"", layout=b"")


def extent(*ranges: tuple[int, int], vr: str = "OB") -> Extent:
    return Extent(tuple(ByteRange(*found) for found in ranges), vr)


def cut(file: bytes, *ranges: tuple[int, int]) -> bytes:
    return b"".join(file[offset : offset + length] for offset, length in ranges)


RANGES: list[tuple[tuple[int, int], ...]] = [
    (),
    ((0, 10),),
    ((100, 50),),
    ((999, 1),),
    ((10, 0),),
    ((10, 5), (20, 5), (40, 1)),
    ((40, 5), (20, 5)),
    ((0, 1000),),
]


@pytest.mark.parametrize("ranges", RANGES)
def test_a_part_of_an_extent(ranges: tuple[tuple[int, int], ...]) -> None:
    whole = extent(*ranges)
    data = cut(FILE, *ranges)
    assert whole.length == len(data)
    edges = sorted({0, 1, 3, 5, 7, len(data) // 2, len(data)} & set(range(len(data) + 1)))
    for offset in edges:
        for end in (edge for edge in edges if edge >= offset):
            part = whole.part(offset, end - offset)
            assert part.length == end - offset
            assert cut(FILE, *((found.offset, found.length) for found in part.ranges)) == data[offset:end]
            assert all(found.length for found in part.ranges)


def test_a_part_keeps_the_vr_and_ends_with_the_extent() -> None:
    part = extent((0, 10), vr="OW").part(4, 100)
    assert (part.ranges, part.vr) == ((ByteRange(4, 6),), "OW")


@pytest.mark.parametrize("word", [2, 4, 8])
@pytest.mark.parametrize("cuts", [(), (1,), (8,), (3, 4, 5, 11), tuple(range(1, 48))])
async def test_words_are_swapped_wherever_chunks_end(word: int, cuts: Sequence[int]) -> None:
    data = bytes(range(48))
    chunks = [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]
    expected = b"".join(data[at : at + word][::-1] for at in range(0, len(data), word))
    assert await joined(swapped(stream(chunks), word)) == expected


async def test_half_a_word_at_the_end_stays_as_it_is() -> None:
    assert await joined(swapped(stream([b"abcde"]), 2)) == b"badce"
    assert await joined(swapped(stream([]), 2)) == b""


@pytest.mark.parametrize("ranges", RANGES)
async def test_reading_what_is_stored_as_it_is_sent(services: Services, ranges: tuple[tuple[int, int], ...]) -> None:
    instance = await stored(services, FILE, EXPLICIT_VR_LITTLE_ENDIAN)
    for vr in ("OB", "OW", "OD"):
        assert await joined(read(services, instance, extent(*ranges, vr=vr))) == cut(FILE, *ranges)


@pytest.mark.parametrize(("vr", "word"), [("OB", 1), ("UN", 1), ("OW", 2), ("OF", 4), ("OL", 4), ("OD", 8), ("OV", 8)])
@pytest.mark.parametrize(("offset", "length"), [(0, 800), (0, 1), (1, 1), (7, 9), (3, 2), (8, 16), (799, 1), (5, 795)])
async def test_reading_a_part_of_big_endian_words(
    services: Services, vr: str, word: int, offset: int, length: int
) -> None:
    """Words that either end cuts come out right too."""
    instance = await stored(services, FILE, EXPLICIT_VR_BIG_ENDIAN)
    value = FILE[101:901]
    expected = b"".join(value[at : at + word][::-1] for at in range(0, len(value), word))
    whole = extent((101, 800), vr=vr)
    assert await joined(read(services, instance, whole)) == expected
    assert await joined(read_part(services, instance, whole, offset, length)) == expected[offset : offset + length]


async def test_reading_a_part_of_several_ranges(services: Services) -> None:
    instance = await stored(services, FILE, EXPLICIT_VR_LITTLE_ENDIAN)
    ranges = ((10, 5), (20, 5), (40, 10))
    assert await joined(read_part(services, instance, extent(*ranges), 3, 9)) == cut(FILE, *ranges)[3:12]


async def test_what_is_too_large_for_one_read_is_streamed(services: Services) -> None:
    file = bytes(range(256)) * (WHOLE_READ // 128)
    instance = await stored(services, file, EXPLICIT_VR_LITTLE_ENDIAN)
    chunks = [chunk async for chunk in read(services, instance, extent((5, len(file) - 5)))]
    assert len(chunks) > 1
    assert b"".join(chunks) == file[5:]


HEADER = PREAMBLE + file_meta(DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
DATA_SET = bytes(range(253)) * 9000
"""More than is inflated at once."""


@pytest.mark.parametrize(
    "ranges",
    [
        ((0, len(HEADER)),),
        ((len(HEADER), 10),),
        ((len(HEADER) - 5, 10),),
        ((len(HEADER) + len(DATA_SET) - 1, 1),),
        ((len(HEADER) + 1_048_570, 20),),
        ((len(HEADER) + 5, 7), (len(HEADER) + 1000, 1_500_000), (len(HEADER) + 2_000_000, 3)),
        ((0, len(HEADER) + len(DATA_SET)),),
    ],
)
async def test_reading_what_is_deflated(services: Services, ranges: tuple[tuple[int, int], ...]) -> None:
    """Offsets count as if it never had been."""
    instance = await stored(services, HEADER + deflate(DATA_SET), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    assert await joined(read(services, instance, extent(*ranges))) == cut(HEADER + DATA_SET, *ranges)
    whole = cut(HEADER + DATA_SET, *ranges)
    part = await joined(read_part(services, instance, extent(*ranges), len(whole) // 3, len(whole) // 2))
    assert part == whole[len(whole) // 3 :][: len(whole) // 2]


@pytest.mark.parametrize("more", range(0, 600, 7))
async def test_the_last_byte_of_what_is_deflated_is_not_left_in_the_inflater(services: Services, more: int) -> None:
    """It holds back what is over the size of a piece, even when it has read all of its input."""
    data_set = bytes(INFLATE_CHUNK + more)
    instance = await stored(services, HEADER + deflate(data_set), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    assert await joined(read(services, instance, extent((len(HEADER) + len(data_set) - 1, 1)))) == b"\0"


async def test_a_deflated_file_that_ends_too_soon_is_an_error(services: Services) -> None:
    instance = await stored(services, HEADER + deflate(b"short"), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    with pytest.raises(StorageError):
        await joined(read(services, instance, extent((len(HEADER), 100))))


async def test_a_deflated_file_is_inflated_no_further_than_is_read(services: Services) -> None:
    """What follows the range is not even valid."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    begun = compressor.compress(DATA_SET) + compressor.flush(zlib.Z_FULL_FLUSH)
    instance = await stored(services, HEADER + begun + b"\xff" * 2_000_000, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    assert await joined(read(services, instance, extent((len(HEADER), 50)))) == DATA_SET[:50]
