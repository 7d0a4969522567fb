"""Elements in every form that files have them in, right and not quite right."""

from struct import pack
from typing import Any

import pytest

from shared.dicom.model import ByteRange, DataSet
from shared.dicom.scanner import scan
from shared.dicom.transfer_syntax import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from shared.errors import InvalidInstance, TruncatedInstance
from tests.dicom.building import (
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    explicit,
    fragments,
    implicit,
    item,
    part10,
    sequence,
    tag_bytes,
    undefined_item,
)

NAME = explicit(0x00100010, "PN", b"DOE^JOHN")
IMPLICIT_NAME = implicit(0x00100010, b"DOE^JOHN")
JSON_NAME = {"vr": "PN", "Value": [{"Alphabetic": "DOE^JOHN"}]}


def read(*elements: bytes, syntax: str | None = EXPLICIT_VR_LITTLE_ENDIAN) -> DataSet:
    return scan(part10(b"".join(elements), syntax)).dataset


def read_implicit(*elements: bytes) -> DataSet:
    return read(*elements, syntax=IMPLICIT_VR_LITTLE_ENDIAN)


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("make_item", [item, undefined_item])
def test_sequences_and_items_of_either_kind_of_length(undefined: bool, make_item: Any) -> None:
    inner = sequence(0x00081199, make_item(NAME), undefined=undefined)
    dataset = read(sequence(0x00081140, make_item(inner), make_item(b""), undefined=undefined), NAME)
    items = [{"00081199": {"vr": "SQ", "Value": [{"00100010": JSON_NAME}]}}, {}]
    assert dataset == {"00081140": {"vr": "SQ", "Value": items}, "00100010": JSON_NAME}


@pytest.mark.parametrize("undefined", [False, True])
def test_a_sequence_without_items_has_no_value(undefined: bool) -> None:
    assert read(sequence(0x00081140, undefined=undefined)) == {"00081140": {"vr": "SQ"}}


def test_tags_come_in_ascending_order_and_the_last_of_two_counts() -> None:
    dataset = read(
        explicit(0x00200010, "SH", b"ID"),
        explicit(0x00100020, "LO", b"first "),
        sequence(0x00081140, item(explicit(0x00081155, "UI", b"1.2\0") + explicit(0x00081150, "UI", b"1.3\0"))),
        explicit(0x00100020, "LO", b"second"),
    )
    assert list(dataset) == ["00081140", "00100020", "00200010"]
    assert list(dataset["00081140"]["Value"][0]) == ["00081150", "00081155"]
    assert dataset["00100020"]["Value"] == ["second"]


def test_bulk_data_of_an_element_that_is_replaced_is_forgotten() -> None:
    long = explicit(0x00420011, "OB", bytes(2000))
    instance = scan(part10(sequence(0x00081140, item(long)) + long + sequence(0x00081140, item())))
    assert list(instance.bulk) == ["00420011"]


def test_group_lengths_are_left_out() -> None:
    assert read(explicit(0x00100000, "UL", pack("<I", 16)), NAME) == {"00100010": JSON_NAME}
    assert read_implicit(implicit(0x00100000, pack("<I", 16)), IMPLICIT_NAME) == {"00100010": JSON_NAME}


def test_misplaced_file_meta_stays_in_the_data_set() -> None:
    dataset = read(NAME, explicit(0x00020016, "AE", b"STORE "))
    assert dataset == {"00020016": {"vr": "AE", "Value": ["STORE"]}, "00100010": JSON_NAME}


@pytest.mark.parametrize("zeros", [1, 4, 7, 8, 9, 512, 10_000])
def test_zeros_behind_the_data_set_are_padding(zeros: int) -> None:
    assert read(NAME, bytes(zeros)) == {"00100010": JSON_NAME}
    assert read_implicit(IMPLICIT_NAME, bytes(zeros)) == {"00100010": JSON_NAME}


def test_data_set_trailing_padding_is_an_attribute() -> None:
    dataset = read(NAME, explicit(0xFFFCFFFC, "OB", bytes(2000)))
    assert dataset["FFFCFFFC"] == {"vr": "OB", "BulkDataURI": "FFFCFFFC"}


def test_odd_lengths_are_taken_as_they_are() -> None:
    assert read(explicit(0x00100020, "LO", b"ODD"), NAME)["00100020"]["Value"] == ["ODD"]
    assert read(explicit(0x00420011, "OB", b"\1\2\3"), NAME)["00420011"]["InlineBinary"] == "AQID"


def test_an_element_may_overrun_its_item() -> None:
    dataset = read(explicit(0x00081140, "SQ", item(NAME, length=10)), explicit(0x00200010, "SH", b"ID"))
    assert dataset["00081140"]["Value"] == [{"00100010": JSON_NAME}]
    assert dataset["00200010"]["Value"] == ["ID"]


@pytest.mark.parametrize("vr", ["ZZ", "XY"])
def test_a_vr_that_no_one_knows_may_have_either_form_of_length(vr: str) -> None:
    short = tag_bytes(0x00091001) + vr.encode() + pack("<H", 2) + b"\1\2"
    long = tag_bytes(0x00091002) + vr.encode() + pack("<HI", 0, 2) + b"\3\4"
    dataset = read(short, long, NAME)
    assert dataset["00091001"] == {"vr": "UN", "InlineBinary": "AQI="}
    assert dataset["00091002"] == {"vr": "UN", "InlineBinary": "AwQ="}
    assert dataset["00100010"] == JSON_NAME


@pytest.mark.parametrize("form", [0, 1])
def test_an_element_may_lack_its_vr(form: int) -> None:
    inner = (IMPLICIT_NAME, NAME)[form] + implicit(0x00100020, b"ID")
    dataset = read(explicit(0x00080060, "CS", b"CT"), sequence(0x00081140, item(inner)), IMPLICIT_NAME)
    assert dataset["00100010"] == JSON_NAME
    assert dataset["00081140"]["Value"][0]["00100020"] == {"vr": "LO", "Value": ["ID"]}


def test_an_implicit_item_may_hold_a_length_that_looks_like_a_vr() -> None:
    long = implicit(0x00104000, b"x" * 0x4C4F)  # 4F 4C is "OL"
    dataset = read(sequence(0x00081140, item(IMPLICIT_NAME + long)))
    assert len(dataset["00081140"]["Value"][0]["00104000"]["Value"][0]) == 0x4C4F


class TestMissingDelimiters:
    """A delimiter that is missing is taken to stand where the next one shows that it should have been."""

    def test_an_item_ends_where_the_next_one_begins(self) -> None:
        content = item(NAME, UNDEFINED) + item(NAME, UNDEFINED)
        dataset = read(explicit(0x00081140, "SQ", content, UNDEFINED), SEQUENCE_END, NAME)
        assert dataset["00081140"]["Value"] == [{"00100010": JSON_NAME}] * 2
        assert dataset["00100010"] == JSON_NAME

    def test_an_item_of_defined_length_may_end_early(self) -> None:
        content = item(NAME + ITEM_END, length=100)
        dataset = read(explicit(0x00081140, "SQ", content, UNDEFINED), SEQUENCE_END, NAME)
        assert dataset["00081140"]["Value"] == [{"00100010": JSON_NAME}]

    def test_delimiters_outside_sequences_are_passed_over(self) -> None:
        assert read(NAME, ITEM_END, SEQUENCE_END, NAME, ITEM_END) == {"00100010": JSON_NAME}

    def test_an_item_outside_a_sequence_is_refused(self) -> None:
        with pytest.raises(InvalidInstance, match="outside"):
            read(NAME, item(NAME))

    def test_other_things_than_items_are_refused(self) -> None:
        with pytest.raises(InvalidInstance, match="00081140"):
            read(explicit(0x00081140, "SQ", NAME))


class TestUnknown:
    """UN is resolved where the dictionaries know better (PS3.5 6.2.2)."""

    def test_a_public_attribute_gets_its_vr(self) -> None:
        dataset = read(explicit(0x00100020, "UN", b"ID"), explicit(0x00280010, "UN", pack("<H", 512)))
        assert dataset["00100020"] == {"vr": "LO", "Value": ["ID"]}
        assert dataset["00280010"] == {"vr": "US", "Value": [512]}

    def test_a_long_value_stays_unknown(self) -> None:
        dataset = read(explicit(0x00104000, "UN", b"x" * 0x10000))
        assert dataset["00104000"] == {"vr": "UN", "BulkDataURI": "00104000"}

    def test_a_private_attribute_gets_the_vr_that_its_creator_says(self) -> None:
        creator = explicit(0x00290010, "UN", b"SIEMENS CSA HEADER")
        dataset = read(creator, explicit(0x00291008, "UN", b"CODE"), explicit(0x00291108, "UN", b"CODE"))
        assert dataset["00290010"] == {"vr": "LO", "Value": ["SIEMENS CSA HEADER"]}
        assert dataset["00291008"] == {"vr": "CS", "Value": ["CODE"]}
        assert dataset["00291108"] == {"vr": "UN", "InlineBinary": "Q09ERQ=="}

    @pytest.mark.parametrize("inner", [IMPLICIT_NAME, NAME])
    def test_undefined_length_makes_it_a_sequence(self, inner: bytes) -> None:
        for tag in (0x00091001, 0x00081140):
            dataset = read(explicit(tag, "UN", item(inner) + SEQUENCE_END, UNDEFINED), NAME)
            assert dataset[f"{tag:08X}"] == {"vr": "SQ", "Value": [{"00100010": JSON_NAME}]}
            assert dataset["00100010"] == JSON_NAME

    def test_it_is_little_endian_even_in_big_endian(self) -> None:
        unknown = explicit(0x00091001, "UN", item(IMPLICIT_NAME) + SEQUENCE_END, UNDEFINED, order="<")
        swapped = explicit(0x00091001, "UN", b"", UNDEFINED, order=">") + unknown[12:]
        dataset = read(swapped, explicit(0x00280010, "US", b"\2\0", order=">"), syntax=EXPLICIT_VR_BIG_ENDIAN)
        assert dataset["00091001"]["Value"] == [{"00100010": JSON_NAME}]
        assert dataset["00280010"]["Value"] == [512]

    @pytest.mark.parametrize("inner", [IMPLICIT_NAME, NAME])
    def test_a_known_sequence_of_defined_length_is_read(self, inner: bytes) -> None:
        dataset = read(explicit(0x00081140, "UN", item(inner)))
        assert dataset["00081140"] == {"vr": "SQ", "Value": [{"00100010": JSON_NAME}]}

    def test_a_known_sequence_that_holds_no_items_stays_unknown(self) -> None:
        assert read(explicit(0x00081140, "UN", b"\1\2\3\4\5\6\7\x08"))["00081140"]["vr"] == "UN"
        assert read(explicit(0x00081140, "UN", b"\1\2"))["00081140"]["vr"] == "UN"
        assert read(explicit(0x00081140, "UN"))["00081140"] == {"vr": "SQ"}


class TestImplicit:
    """Without VRs, the dictionaries and the other attributes tell them (PS3.5 A.1)."""

    def test_public_and_private_attributes(self) -> None:
        dataset = read_implicit(
            implicit(0x00090010, b"NOBODY"),
            implicit(0x00091001, b"\1\2"),
            implicit(0x00190010, b"GEMS_ACQU_01"),
            implicit(0x00191002, pack("<i", -5)),
            implicit(0x00311001, b"\1\2"),
            implicit(0x0048FF03, b"\1\2"),
            implicit(0x60003000, b"\1\2"),
        )
        assert dataset["00091001"] == {"vr": "UN", "InlineBinary": "AQI="}
        assert dataset["00191002"] == {"vr": "SL", "Value": [-5]}
        assert dataset["00311001"]["vr"] == "UN"
        assert dataset["0048FF03"]["vr"] == "UN"
        assert dataset["60003000"]["vr"] == "OW"

    @pytest.mark.parametrize(("signed", "vr", "number"), [(0, "US", 0xFFFF), (1, "SS", -1), (None, "US", 0xFFFF)])
    def test_pixel_representation_decides_between_us_and_ss(self, signed: int | None, vr: str, number: int) -> None:
        said = b"" if signed is None else implicit(0x00280103, pack("<H", signed))
        smallest = implicit(0x00280106, b"\xff\xff")
        dataset = read_implicit(said, smallest, implicit(0x00283000, item(smallest)))
        assert dataset["00280106"] == {"vr": vr, "Value": [number]}
        assert dataset["00283000"]["Value"] == [{"00280106": {"vr": vr, "Value": [number]}}]

    def test_the_pixel_representation_of_an_item_comes_first(self) -> None:
        own = implicit(0x00280103, pack("<H", 1)) + implicit(0x00280106, b"\xff\xff")
        dataset = read_implicit(implicit(0x00280103, pack("<H", 0)), implicit(0x00283000, item(own)))
        assert dataset["00283000"]["Value"][0]["00280106"] == {"vr": "SS", "Value": [-1]}

    @pytest.mark.parametrize(("entries", "vr"), [(1, "US"), (256, "OW")])
    def test_lut_data_is_us_if_it_is_one_entry(self, entries: int, vr: str) -> None:
        dataset = read_implicit(implicit(0x00283002, pack("<3H", entries, 0, 16)), implicit(0x00283006, b"\1\0"))
        assert dataset["00283006"]["vr"] == vr

    def test_an_unknown_attribute_of_undefined_length_is_a_sequence(self) -> None:
        for tag in (0x00091001, 0x0048FF03):
            dataset = read_implicit(implicit(tag, item(IMPLICIT_NAME), UNDEFINED), SEQUENCE_END, IMPLICIT_NAME)
            assert dataset[f"{tag:08X}"] == {"vr": "SQ", "Value": [{"00100010": JSON_NAME}]}

    def test_text_may_be_longer_than_explicit_lengths_go(self) -> None:
        long = b"x" * 100_000
        assert read_implicit(implicit(0x00104000, long))["00104000"]["Value"] == [long.decode()]


class TestCharacterSets:
    def test_items_inherit_or_replace_the_character_set(self) -> None:
        name = explicit(0x00100010, "PN", b"\xd9")
        dataset = read(
            explicit(0x00080005, "CS", b"ISO_IR 126"),
            sequence(0x00081140, item(name), item(explicit(0x00080005, "CS", b"ISO_IR 144") + name), item(name)),
            name,
        )
        first, second, third = dataset["00081140"]["Value"]
        assert [first, third] == [{"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Ω"}]}}] * 2
        assert second["00100010"]["Value"] == [{"Alphabetic": "й"}]
        assert dataset["00100010"]["Value"] == [{"Alphabetic": "Ω"}]

    def test_the_attribute_says_what_the_file_is_written_in(self) -> None:
        dataset = read(explicit(0x00080005, "CS", b"\\ISO 2022 IR 87 "))
        assert dataset["00080005"] == {"vr": "CS", "Value": [None, "ISO 2022 IR 87"]}
        assert read(explicit(0x00080005, "CS")) == {"00080005": {"vr": "CS"}}

    def test_only_text_is_written_in_it(self) -> None:
        code = explicit(0x00080060, "CS", b"\xd9")
        assert read(explicit(0x00080005, "CS", b"ISO_IR 126"), code)["00080060"]["Value"] == ["Ù"]


class TestBulkData:
    @pytest.mark.parametrize("vr", ["OB", "OD", "OF", "OL", "OV", "OW", "UN"])
    def test_binary_beyond_the_limit_stays_in_the_file(self, vr: str) -> None:
        element = explicit(0x00091001, vr, bytes(1032))
        data = part10(NAME[:0] + explicit(0x00091001, vr, bytes(1024)) + element.replace(b"\x01\x10", b"\x02\x10", 1))
        instance = scan(data)
        assert "InlineBinary" in instance.dataset["00091001"]
        assert instance.dataset["00091002"] == {"vr": vr, "BulkDataURI": "00091002"}
        assert instance.bulk == {"00091002": (ByteRange(len(data) - 1032, 1032),)}

    def test_within_sequences_the_reference_is_a_path(self) -> None:
        long = explicit(0x54001010, "OW", b"\1\2" * 1000)
        data = part10(sequence(0x54000100, item(), item(sequence(0x00081140, undefined_item(long), undefined=True))))
        instance = scan(data)
        (reference,) = instance.bulk
        assert reference == "54000100/1/00081140/0/54001010"
        item_ = instance.dataset["54000100"]["Value"][1]["00081140"]["Value"][0]
        assert item_ == {"54001010": {"vr": "OW", "BulkDataURI": reference}}
        ((where,),) = instance.bulk.values()
        assert data[where.offset : where.offset + where.length] == b"\1\2" * 1000

    @pytest.mark.parametrize("tag", [0x7FE00008, 0x7FE00009, 0x7FE00010])
    def test_pixel_data_always_stays_in_the_file(self, tag: int) -> None:
        pixels = explicit(tag, "OW", b"\1\2")
        instance = scan(part10(sequence(0x00880200, item(pixels)) + pixels + explicit(0xFFFCFFFC, "OB", b"\0\0")))
        assert set(instance.bulk) == {f"00880200/0/{tag:08X}", f"{tag:08X}"}
        assert instance.dataset["FFFCFFFC"]["InlineBinary"] == "AAA="
        assert read(explicit(tag, "OW")) == {f"{tag:08X}": {"vr": "OW"}}

    def test_long_arrays_of_numbers_stay_in_the_file(self) -> None:
        dataset = read(explicit(0x00720083, "UV", bytes(65_544)), explicit(0x00720082, "SV", bytes(65_536)))
        assert dataset["00720083"] == {"vr": "UV", "BulkDataURI": "00720083"}
        assert len(dataset["00720082"]["Value"]) == 8192

    def test_encapsulated_data_is_a_range_for_each_fragment(self) -> None:
        data = part10(fragments(b"ab", b"", b"c" * 3000, table=b"\0\0\0\0") + NAME)
        instance = scan(data)
        assert [data[part.offset : part.offset + part.length] for part in instance.bulk["7FE00010"]] == [
            b"ab",
            b"",
            b"c" * 3000,
        ]
        assert instance.dataset["7FE00010"] == {"vr": "OB", "BulkDataURI": "7FE00010"}

    def test_encapsulation_elsewhere_has_no_offset_table(self) -> None:
        data = part10(fragments(b"ab", b"cd", tag=0x00091001))
        instance = scan(data)
        assert [part.length for part in instance.bulk["00091001"]] == [0, 2, 2]

    def test_within_an_icon_it_is_no_frame_of_the_instance(self) -> None:
        instance = scan(part10(sequence(0x00880200, item(fragments(b"ab")))))
        assert set(instance.bulk) == {"00880200/0/7FE00010"}
        assert instance.frames is None

    def test_no_fragments_are_no_value(self) -> None:
        assert read(fragments()) == {"7FE00010": {"vr": "OB"}}

    @pytest.mark.parametrize("content", [NAME, item(b"", UNDEFINED)])
    def test_encapsulated_data_of_something_else_is_refused(self, content: bytes) -> None:
        with pytest.raises(InvalidInstance, match="items"):
            read(explicit(0x7FE00010, "OB", item() + content, UNDEFINED), SEQUENCE_END)


@pytest.mark.parametrize(
    "cut",
    [
        explicit(0x7FE00010, "OW", bytes(100), length=102),
        explicit(0x00420011, "OB", bytes(100), length=UNDEFINED - 1),
        explicit(0x7FE00010, "OB", item() + item(b"abcd"), UNDEFINED),
        explicit(0x7FE00010, "OB", item() + item(b"abcd", length=20), UNDEFINED),
        explicit(0x00081140, "SQ", item(NAME), UNDEFINED),
        explicit(0x00081140, "SQ", item(NAME, UNDEFINED), UNDEFINED),
        explicit(0x00081140, "SQ", item(NAME), length=100),
        explicit(0x00100020, "LO", b"ID", length=3),
        explicit(0x00100000, "UL", b"\0\0", length=4),
        tag_bytes(0x00100020) + b"LO",
    ],
)
def test_what_is_not_all_there_is_truncated(cut: bytes) -> None:
    with pytest.raises(TruncatedInstance):
        read(NAME, cut)
