"""What a scan gives, what it refuses, and that it stays small whatever it is fed."""

import tracemalloc
import zlib
from itertools import repeat
from time import perf_counter

import orjson
import pytest
from pydicom.data import get_testdata_file

from shared.dicom.limits import DEFAULT_LIMITS, ScanLimits
from shared.dicom.model import ByteRange, NativeFrames
from shared.dicom.scanner import Scanner, scan
from shared.dicom.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from shared.errors import HostileInstance, InvalidInstance, NotPart10, TruncatedInstance
from tests.dicom.building import (
    PREAMBLE,
    SEQUENCE_END,
    UNDEFINED,
    deflate,
    explicit,
    file_meta,
    fragments,
    implicit,
    item,
    part10,
    sequence,
    undefined_item,
)
from tests.garbage import garbage

UID = explicit(0x00080018, "UI", b"1.2.3\0")
MIB = bytes(1024 * 1024)


class TestFileMeta:
    def test_is_kept_apart_from_the_data_set(self) -> None:
        instance = scan(part10(UID))
        assert instance.file_meta == {
            "00020003": {"vr": "UI", "Value": ["1.2"]},
            "00020010": {"vr": "UI", "Value": [EXPLICIT_VR_LITTLE_ENDIAN]},
        }
        assert instance.dataset == {"00080018": {"vr": "UI", "Value": ["1.2.3"]}}
        assert instance.length == len(part10(UID))

    @pytest.mark.parametrize("said", [0, 1, 1000, 2**32 - 1])
    def test_may_have_a_wrong_group_length(self, said: int) -> None:
        length = explicit(0x00020000, "UL", said.to_bytes(4, "little"))
        instance = scan(PREAMBLE + length + file_meta(EXPLICIT_VR_LITTLE_ENDIAN) + UID)
        assert list(instance.file_meta) == ["00020003", "00020010"]
        assert list(instance.dataset) == ["00080018"]

    def test_may_have_bulk_data_and_be_out_of_order(self) -> None:
        private = explicit(0x00020102, "OB", bytes(2000))
        data = PREAMBLE + private + file_meta(EXPLICIT_VR_LITTLE_ENDIAN) + UID
        instance = scan(data)
        assert list(instance.file_meta) == ["00020003", "00020010", "00020102"]
        assert instance.bulk == {"00020102": (ByteRange(len(PREAMBLE) + 12, 2000),)}

    def test_may_be_implicit(self) -> None:
        meta = implicit(0x00020003, b"1.2\0") + implicit(0x00020010, EXPLICIT_VR_LITTLE_ENDIAN.encode() + b"\0")
        instance = scan(PREAMBLE + meta + UID)
        assert instance.file_meta["00020003"] == {"vr": "UI", "Value": ["1.2"]}
        assert list(instance.dataset) == ["00080018"]

    def test_may_be_missing(self) -> None:
        instance = scan(PREAMBLE + UID)
        assert instance.file_meta == {}
        assert instance.transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN
        assert list(instance.dataset) == ["00080018"]

    def test_may_be_all_there_is(self) -> None:
        instance = scan(part10(b"", EXPLICIT_VR_BIG_ENDIAN))
        assert instance.dataset == {}
        assert instance.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN

    @pytest.mark.parametrize("cut", [1, 5, 20])
    def test_may_not_be_cut_short(self, cut: int) -> None:
        with pytest.raises(TruncatedInstance):
            scan(part10(b"")[:-cut])


class TestPreamble:
    @pytest.mark.parametrize("data", [b"", b"DICM", bytes(128), bytes(128) + b"DIC", bytes(132), UID * 20])
    def test_what_lacks_it_is_not_dicom(self, data: bytes) -> None:
        with pytest.raises(NotPart10):
            scan(data)

    def test_an_empty_file_is_said_to_be_empty(self) -> None:
        with pytest.raises(NotPart10, match="empty"):
            scan(b"")

    def test_is_refused_as_soon_as_it_is_there(self) -> None:
        scanner = Scanner()
        scanner.feed(bytes(131))
        with pytest.raises(NotPart10):
            scanner.feed(b"X")

    def test_may_hold_anything(self) -> None:
        assert list(scan(b"II*\0" + bytes(124) + part10(UID)[128:]).dataset) == ["00080018"]


class TestTransferSyntax:
    """The bytes are believed, not what is said of them."""

    BIG = explicit(0x00080018, "UI", b"1.2.3\0", order=">")
    IMPLICIT = implicit(0x00080018, b"1.2.3\0")
    JPEG = "1.2.840.10008.1.2.4.50"
    GE = "1.2.840.113619.5.2"

    @pytest.mark.parametrize(
        ("declared", "dataset", "found"),
        [
            (IMPLICIT_VR_LITTLE_ENDIAN, IMPLICIT, IMPLICIT_VR_LITTLE_ENDIAN),
            (IMPLICIT_VR_LITTLE_ENDIAN, UID, EXPLICIT_VR_LITTLE_ENDIAN),
            (EXPLICIT_VR_LITTLE_ENDIAN, UID, EXPLICIT_VR_LITTLE_ENDIAN),
            (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT, IMPLICIT_VR_LITTLE_ENDIAN),
            (EXPLICIT_VR_BIG_ENDIAN, BIG, EXPLICIT_VR_BIG_ENDIAN),
            (EXPLICIT_VR_BIG_ENDIAN, IMPLICIT, IMPLICIT_VR_LITTLE_ENDIAN),
            (DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, deflate(UID), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN),
            (DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, deflate(IMPLICIT), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN),
            ("1.2.840.10008.1.2.4.95", deflate(UID), "1.2.840.10008.1.2.4.95"),
            (JPEG, UID, JPEG),
            (JPEG, IMPLICIT, JPEG),
            (GE, IMPLICIT, GE),
            ("1.2.3.4", UID, "1.2.3.4"),
            (None, UID, EXPLICIT_VR_LITTLE_ENDIAN),
            (None, IMPLICIT, IMPLICIT_VR_LITTLE_ENDIAN),
            (None, BIG, EXPLICIT_VR_BIG_ENDIAN),
        ],
    )
    def test_is_what_the_data_set_shows(self, declared: str | None, dataset: bytes, found: str) -> None:
        instance = scan(part10(dataset, declared))
        assert instance.transfer_syntax == found
        assert instance.dataset == {"00080018": {"vr": "UI", "Value": ["1.2.3"]}}

    def test_an_empty_uid_is_none(self) -> None:
        instance = scan(PREAMBLE + explicit(0x00020010, "UI") + UID)
        assert instance.transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN


class TestDeflated:
    PIXELS = explicit(0x00280010, "US", b"\2\0") + explicit(0x00280011, "US", b"\2\0")
    PIXELS += explicit(0x00280100, "US", b"\x08\0") + explicit(0x7FE00010, "OB", b"abcd")

    def test_ranges_count_in_the_inflated_file(self) -> None:
        data = part10(deflate(self.PIXELS) + b"\0", DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
        instance = scan(data)
        inflated = part10(self.PIXELS, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
        assert instance.frames == NativeFrames("7FE00010", "OB", ByteRange(len(inflated) - 4, 4), 32, 1)
        assert instance.length == len(data)

    def test_a_stream_that_does_not_end_is_truncated(self) -> None:
        data = part10(deflate(self.PIXELS), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
        for cut in (1, 5, len(deflate(self.PIXELS))):
            with pytest.raises(TruncatedInstance):
                scan(data[:-cut])

    def test_a_stream_that_ends_within_an_element_is_truncated(self) -> None:
        with pytest.raises(TruncatedInstance):
            scan(part10(deflate(self.PIXELS[:-1]), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN))

    def test_a_broken_stream_is_refused(self) -> None:
        with pytest.raises(InvalidInstance, match="inflated"):
            scan(part10(b"\xff" * 100, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN))

    def test_a_bomb_is_refused_before_it_is_unpacked(self) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        pixels = explicit(0x7FE00010, "OB", b"", length=100 * len(MIB))
        bomb = packer.compress(pixels) + b"".join(map(packer.compress, repeat(MIB, 100))) + packer.flush()
        data = part10(bomb, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
        assert scan(data).bulk["7FE00010"][0].length == 100 * len(MIB)
        tracemalloc.start()
        try:
            with pytest.raises(HostileInstance, match="inflates"):
                scan(data, ScanLimits(inflated=50 * len(MIB)))
            assert tracemalloc.get_traced_memory()[1] < 8 * len(MIB)
        finally:
            tracemalloc.stop()


class TestProgress:
    def test_the_header_is_there_as_soon_as_it_has_been_read(self) -> None:
        scanner = Scanner()
        assert scanner.header is None
        data = part10(UID + explicit(0x0020000D, "UI", b"1.2.4\0"))
        scanner.feed(data[:-3])
        assert scanner.header == {"00080018": {"vr": "UI", "Value": ["1.2.3"]}}
        scanner.feed(data[-3:])
        assert scanner.header["0020000D"]["Value"] == ["1.2.4"]
        assert scanner.finish().dataset == scanner.header

    def test_what_is_wrong_is_said_before_the_rest_arrives(self) -> None:
        scanner = Scanner()
        with pytest.raises(InvalidInstance):
            scanner.feed(part10(sequence(0x00081140, UID)) + UID)

    def test_an_empty_chunk_changes_nothing(self) -> None:
        scanner = Scanner()
        for chunk in (b"", part10(UID), b""):
            scanner.feed(chunk)
        assert scanner.finish() == scan(part10(UID))


class TestMemory:
    """Headers may be large: none of a scan waits for the garbage collector."""

    def test_a_scan_lets_go_of_everything(self) -> None:
        with garbage() as left:
            for data in (
                part10(sequence(0x00081140, item(UID)) + UID),
                part10(deflate(UID), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN),
            ):
                scan(data)
        assert left == []

    def test_a_scan_that_breaks_off_does_too(self) -> None:
        within = part10(sequence(0x00081140, undefined_item(UID)))[:-12]
        with garbage() as left:
            Scanner().feed(within)
            with pytest.raises(TruncatedInstance):
                scan(within)
            with pytest.raises(NotPart10):
                scan(MIB)
        assert left == []


class TestBounds:
    """Time and memory do not follow what a file claims (HostileInstance), nor how long its bulk data is."""

    def refused(self, data: bytes, limits: ScanLimits = DEFAULT_LIMITS) -> str:
        began = perf_counter()
        with pytest.raises(HostileInstance) as caught:
            Scanner(limits).feed(data)
        assert perf_counter() - began < 2
        return caught.value.detail

    @pytest.mark.parametrize(
        "claim",
        [
            explicit(0x00104000, "UT", b"x", length=0xFFFFFFFE),
            explicit(0x7FE00001, "OV", b"x", length=0xFFFFFFF8),
            explicit(0x7FE00010, "OB", item(b"\0\0\0\0", length=0xFFFFFFFC), UNDEFINED),
        ],
    )
    def test_a_value_that_must_be_read_whole_may_not_claim_gigabytes(self, claim: bytes) -> None:
        assert "longer than" in self.refused(part10(claim))

    def test_nor_may_it_without_a_vr(self) -> None:
        claim = implicit(0x00100020, b"x", length=0xFFFFFFFE)
        assert "longer than" in self.refused(part10(claim, IMPLICIT_VR_LITTLE_ENDIAN))

    def test_sequences_may_be_nested_so_deep_and_no_deeper(self) -> None:
        def nested(depth: int) -> bytes:
            opening = explicit(0x00081140, "SQ", b"", UNDEFINED) + item(b"", UNDEFINED)
            return part10(opening * depth + (implicit(0xFFFEE00D) + SEQUENCE_END) * depth)

        assert len(orjson.dumps(scan(nested(DEFAULT_LIMITS.depth)).dataset)) > 1000
        assert "nested" in self.refused(nested(DEFAULT_LIMITS.depth + 1))
        assert "nested" in self.refused(nested(10_000))

    @pytest.mark.parametrize(
        "many",
        [
            sequence(0x00081140, *[item()] * 20_000),
            sequence(0x00081140, *[undefined_item(b"")] * 20_000, undefined=True),
            b"".join(explicit(0x00091000 + number, "LO") for number in range(20_000)),
            fragments(*[b""] * 20_000),
        ],
    )
    def test_elements_items_and_fragments_are_counted(self, many: bytes) -> None:
        assert "more than" in self.refused(part10(many), ScanLimits(elements=10_000))
        scan(part10(many))

    @pytest.mark.parametrize(
        "many",
        [
            b"".join(explicit(0x00091000 + number, "DS", b"\\" * 60_000) for number in range(10)),
            explicit(0x00091000, "UC", b"\\" * 500_000),
        ],
        ids=["many elements", "one element"],
    )
    def test_values_are_counted(self, many: bytes) -> None:
        assert "values" in self.refused(part10(many), ScanLimits(values=300_000))

    def test_contours_of_a_million_numbers_are_read(self) -> None:
        contour = b"\\".join([b"-12.5"] * 10_000)
        found = scan(part10(b"".join(explicit(0x00091000 + number, "DS", contour) for number in range(100))))
        assert found.dataset["00091063"]["Value"] == [-12.5] * 10_000

    def test_bulk_data_deep_in_sequences_counts_for_the_length_of_its_reference(self) -> None:
        pixels = item(explicit(0x7FE00010, "OB", b"\0\0")) * 2000
        for _ in range(40):
            pixels = item(explicit(0x00081140, "SQ", b"", UNDEFINED) + pixels + SEQUENCE_END)
        data = part10(explicit(0x00081140, "SQ", b"", UNDEFINED) + pixels + SEQUENCE_END)
        assert "more than" in self.refused(data, ScanLimits(elements=20_000))

    def test_there_is_room_for_large_enhanced_objects(self) -> None:
        frames, elements = 20_000, 40
        assert frames * elements < DEFAULT_LIMITS.elements

    def test_the_header_as_a_whole_is_bounded(self) -> None:
        text = explicit(0x00104000, "LT", b"x" * 60_000)
        assert "without bulk data" in self.refused(part10(text * 20), ScanLimits(header=1_000_000))
        assert "without bulk data" in self.refused(part10(text * 20), ScanLimits(header=70_000))

    def test_bulk_data_is_not_part_of_the_header(self) -> None:
        data = part10(explicit(0x00420011, "OB", bytes(50_000)) * 20 + explicit(0x7FE00010, "OB", bytes(10**6)))
        scan(data, ScanLimits(header=10_000))

    def test_bulk_data_passes_without_being_kept(self) -> None:
        dataset = explicit(0x00420011, "OB", b"", length=2**30)
        tail = explicit(0xFFFCFFFC, "OB", b"\0\0")
        encapsulated = explicit(0x7FE00010, "OB", item() + item(b"", length=2**30), UNDEFINED)
        scanner = Scanner()
        tracemalloc.start()
        try:
            began = perf_counter()
            scanner.feed(part10(dataset))
            for _ in range(1024):
                scanner.feed(MIB)
            scanner.feed(encapsulated)
            for _ in range(1024):
                scanner.feed(MIB)
            scanner.feed(SEQUENCE_END + tail)
            assert perf_counter() - began < 1
            assert tracemalloc.get_traced_memory()[1] < 100_000
        finally:
            tracemalloc.stop()
        instance = scanner.finish()
        assert [part.length for ranges in instance.bulk.values() for part in ranges] == [2**30, 2**30]
        assert list(instance.dataset) == ["00420011", "7FE00010", "FFFCFFFC"]

    def test_many_small_chunks_cost_no_more_than_they_must(self) -> None:
        data = part10(explicit(0x00104000, "UT", b"x" * 2_000_000))
        scanner = Scanner()
        began = perf_counter()
        for at in range(0, len(data), 10):
            scanner.feed(data[at : at + 10])
        assert perf_counter() - began < 3
        assert scanner.finish().dataset["00104000"]["Value"] == ["x" * 2_000_000]

    def test_every_byte_of_a_header_may_come_alone(self) -> None:
        with open(get_testdata_file("CT_small.dcm"), "rb") as file:
            data = file.read()
        scanner = Scanner()
        for at in range(len(data)):
            scanner.feed(data[at : at + 1])
        assert scanner.finish() == scan(data)
