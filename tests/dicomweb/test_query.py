"""Search queries are read as PS3.18 10.6 and real clients write them."""

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dicom.attributes import BY_PATH, LEVEL_UID, SEARCHABLE, Attribute
from shared.dicom.conditions import Equal, Order, Range, Wildcard
from shared.dicom.model import Level
from shared.dicomweb.query import Query, attribute_path, check_query, searched_by
from shared.errors import BadRequest
from tests.dicomweb.queries import RESOURCES, parse, refusal


def test_a_query_that_asks_nothing() -> None:
    nothing = Query(limit=100, offset=0)
    assert parse("") == parse("&&") == parse("accept=application/dicom%2Bjson&Accept=x") == nothing


def test_the_study_list_of_ohif() -> None:
    query = parse(
        "PatientName=*Do%C3%A9*&00100020=*id*&AccessionNumber=*a*&StudyDescription=*d*&ModalitiesInStudy=CT"
        "&StudyDate=20240101-20241231&limit=101&offset=0&fuzzymatching=false"
        "&includefield=00081030,00080060,00080090,00100030"
    )
    assert query.conditions == (
        Wildcard("00100010", ("*doe*",)),
        Wildcard("00100020", ("*id*",)),
        Wildcard("00080050", ("*a*",)),
        Wildcard("00081030", ("*d*",)),
        Equal("00080061", ("ct",)),
        Range("00080020", "20240101", "20241231"),
    )
    assert tuple(query.filters) == ("00100010", "00100020", "00080050", "00081030", "00080061", "00080020")
    assert query.include == {"00081030", "00080090", "00100030"}
    assert (query.limit, query.offset, query.fuzzy) == (101, 0, False)
    assert len(query.warnings) == 1
    assert "Modality" in query.warnings[0]


# Names of parameters and attributes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PatientID", "00100020"),
        ("00100020", "00100020"),
        ("0020000d", "0020000D"),
        ("00091010", "00091010"),
        ("RequestAttributesSequence.ScheduledProcedureStepID", "00400275.00400009"),
        ("00400275.00400009", "00400275.00400009"),
        ("RequestAttributesSequence.00400009", "00400275.00400009"),
        ("patientid", None),
        ("Nonsense", None),
        ("", None),
        ("PatientID.", None),
        ("0010002", None),
        ("001000200", None),
        ("RequestAttributesSequence.ScheduledProcedureStepID.CodeValue", None),
    ],
)
def test_attribute_names(name: str, expected: str | None) -> None:
    assert attribute_path(name) == expected


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("attribute", SEARCHABLE, ids=lambda attribute: attribute.keyword)
def test_what_each_resource_can_be_searched_by(resource: str, attribute: Attribute) -> None:
    level, named = RESOURCES[resource]
    in_path = {LEVEL_UID[each] for each in named}
    for name in (attribute.keyword, attribute.path, attribute.path.lower()):
        if attribute.level > level or attribute.path in in_path:
            detail = refusal(f"{name}=1", resource)
            assert detail.startswith(f"AttributeId {attribute.keyword} is not queryable")
        else:
            assert parse(f"{name}=", resource).filters == {attribute.path: name}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("Modality=CT", "AttributeId Modality is not queryable. If the parameter is an attribute keyword, check"),
        ("00080060=CT", "AttributeId Modality is not queryable."),
        ("TimezoneOffsetFromUTC=1", "AttributeId TimezoneOffsetFromUTC is not queryable."),
        ("00091010=1", "AttributeId 00091010 is not queryable."),
        ("patientID=1", "Unknown query parameter 'patientID'. If the parameter is an attribute keyword, check"),
        ("Doe%5EJohn=1", "Unknown query parameter. If"),
        ("=1", "Unknown query parameter. If"),
        ("PatientID=1&PatientID=1", "Duplicate AttributeId PatientID"),
        ("PatientID=1&00100020=2", "Duplicate AttributeId PatientID"),
        ("PatientID=&PatientID=2", "Duplicate AttributeId PatientID"),
        ("limit=1&limit=1", "'limit' is given more than once"),
        ("limit=1&LIMIT=1", "'limit'"),
        ("offset=1&offset=2", "'offset'"),
        ("fuzzymatching=true&fuzzymatching=true", "'fuzzymatching'"),
        ("PatientID=%FF", "UTF-8"),
        ("&".join(f"includefield=0009{n:04X}" for n in range(501)), "500 parameters"),
    ],
)
def test_parameters_that_cannot_be(raw: str, words: str) -> None:
    assert words in refusal(raw)


def test_names_of_parameters_but_not_keywords_come_in_any_case() -> None:
    query = parse("LIMIT=5&Offset=6&IncludeField=ALL&fuzzyMatching=TRUE&orderBy=StudyDate")
    assert (query.limit, query.offset, query.include_all, query.fuzzy) == (5, 6, True, True)
    assert query.order == (Order("00080020"),)


def test_attributes_beyond_the_core_can_be_searched_by() -> None:
    private = Attribute("00091010", "00091010", "DT", Level.SERIES)
    attributes = {**BY_PATH, private.path: private}
    query = parse("00091010=2024", "series", attributes=attributes)
    assert query.conditions == (Range("00091010", "20240101000000.000000", "20241231235959.999999"),)
    with pytest.raises(BadRequest):
        parse("00091010=2024", "studies", attributes=attributes)


@pytest.mark.parametrize("value", ["", "1", "yes", "tru"])
@pytest.mark.parametrize("name", ["fuzzymatching", "emptyvaluematching", "multiplevaluematching"])
def test_what_is_neither_true_nor_false_is_refused(name: str, value: str) -> None:
    assert f"'{name}'" in refusal(f"{name}={value}")


def test_what_is_not_supported_brings_a_warning() -> None:
    assert parse("multiplevaluematching=true&emptyvaluematching=false").warnings == ()
    assert "emptyvaluematching" in parse("emptyvaluematching=true").warnings[0]


# Pages


@pytest.mark.parametrize(("raw", "limit"), [("limit=1", 1), ("limit=200", 200), ("limit=%207", 7)])
def test_limits(raw: str, limit: int) -> None:
    query = parse(raw)
    assert query.limit == limit
    assert query.warnings == ()


def test_a_limit_above_the_maximum_is_lowered_with_a_warning() -> None:
    query = parse("limit=1000")
    assert query.limit == 200
    assert "200" in query.warnings[0]
    assert parse("limit=1000", max_limit=50, default_limit=20).limit == 50
    assert parse("", max_limit=50, default_limit=20).limit == 20


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.0", "1e2", "%2B5", "9" * 30, "٣"])
def test_limits_that_cannot_be(value: str) -> None:
    detail = "The query parameter 'Limit' is invalid. The field Limit must be between 1 and 200."
    assert refusal(f"limit={value}") == detail


@pytest.mark.parametrize(("raw", "offset"), [("offset=0", 0), ("offset=12345678901", 12345678901)])
def test_offsets(raw: str, offset: int) -> None:
    assert parse(raw).offset == offset


@pytest.mark.parametrize("value", ["-1", "x", "", "9" * 30])
def test_offsets_that_cannot_be(value: str) -> None:
    assert "'Offset' is invalid" in refusal(f"offset={value}")


# Included attributes


@pytest.mark.parametrize(
    ("raw", "resource", "include"),
    [
        ("includefield=PatientID", "studies", {"00100020"}),
        ("includefield=00100020,StudyDate&includefield=0020000d", "studies", {"00100020", "00080020", "0020000D"}),
        ("includefield=", "studies", set()),
        ("includefield=,%20,PatientID%20,", "studies", {"00100020"}),
        ("includefield=00091010", "studies", {"00091010"}),
        ("includefield=00081190,00201206", "studies", {"00081190", "00201206"}),
        ("includefield=TimezoneOffsetFromUTC", "studies", {"00080201"}),
        ("includefield=PatientID,Modality", "studies/1/series", {"00100020", "00080060"}),
        ("includefield=PixelSpacing", "instances", {"00280030"}),
        ("includefield=RequestAttributesSequence.ScheduledProcedureStepID", "series", {"00400275"}),
        ("includefield=00201209,0008103E,00080060,0020000E,00200011,00081190", "series",
         {"00201209", "0008103E", "00080060", "0020000E", "00200011", "00081190"}),
    ],
)  # fmt: skip
def test_included_attributes(raw: str, resource: str, include: set[str]) -> None:
    query = parse(raw, resource)
    assert query.include == include
    assert not query.include_all
    assert query.warnings == ()


@pytest.mark.parametrize(
    "raw", ["includefield=all", "includefield=ALL,PatientID", "includefield=PatientID&includefield=All"]
)
def test_all_attributes_win_over_single_ones(raw: str) -> None:
    assert parse(raw).include_all


@pytest.mark.parametrize(
    ("raw", "resource", "keyword"),
    [
        ("00080060", "studies", "Modality"),
        ("00201209", "studies", "NumberOfSeriesRelatedInstances"),
        ("SOPInstanceUID", "studies", "SOPInstanceUID"),
        ("Rows", "series", "Rows"),
    ],
)
def test_attributes_of_a_lower_level_are_ignored_with_a_warning(raw: str, resource: str, keyword: str) -> None:
    query = parse(f"includefield={raw},PatientID", resource)
    assert query.include == {"00100020"}
    (warning,) = query.warnings
    assert keyword in warning


@pytest.mark.parametrize("raw", ["includefield=patientid", "includefield=PatientID,Nonsense", "includefield=0010002"])
def test_unknown_attributes_cannot_be_included(raw: str) -> None:
    assert refusal(raw).startswith("The query parameter 'includefield' has an unknown attribute '")


# Order


@pytest.mark.parametrize(
    ("raw", "order"),
    [
        ("orderby=StudyDate", [Order("00080020")]),
        ("orderby=-StudyDate,PatientName", [Order("00080020", descending=True), Order("00100010")]),
        ("orderby=00080020:desc&orderby=PatientID:ASC", [Order("00080020", descending=True), Order("00100020")]),
        ("orderby=%2BPatientID", [Order("00100020")]),
        ("orderby=", []),
    ],
)
def test_order(raw: str, order: list[Order]) -> None:
    assert parse(raw).order == tuple(order)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("orderby=Modality", "AttributeId Modality is not queryable"),
        ("orderby=Nonsense", "Unknown"),
        ("orderby=PatientWeight", "can't be ordered by AttributeId PatientWeight"),
        ("orderby=StudyDate:up", "asc or desc"),
        ("orderby=StudyDate,-00080020", "twice"),
    ],
)
def test_orders_that_cannot_be(raw: str, words: str) -> None:
    assert words in refusal(raw)


# Every query string


@pytest.mark.parametrize("raw", ["PatientID=<script>", "a=%3Cb", "%3c=", "x=%2&y=<"])
def test_markup_is_refused(raw: str) -> None:
    with pytest.raises(BadRequest, match=r"^The query string included invalid characters\.$"):
        check_query(raw)


def test_long_queries_are_refused() -> None:
    check_query("a" * 65536)
    with pytest.raises(BadRequest, match="longer"):
        check_query("a" * 65537)


NAMES = st.sampled_from(
    [attribute.keyword for attribute in SEARCHABLE] + ["limit", "offset", "orderby", "includefield"]
)


@given(
    st.lists(st.tuples(NAMES | st.text(max_size=5), st.text(max_size=20)), max_size=5), st.sampled_from(list(RESOURCES))
)
def test_any_query_is_read_or_refused(pairs: list[tuple[str, str]], resource: str) -> None:
    raw = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
    with suppress(BadRequest):
        query = parse(raw, resource)
        assert 1 <= query.limit <= 200
        assert {condition.path for condition in query.conditions} <= set(query.filters)


EXTENDED = {
    "00101010": Attribute("00101010", "00101010", "AS", Level.STUDY),
    "00091002": Attribute("00091002", "00091002", "US", Level.SERIES, "ACME"),
    "00200011": Attribute("00200011", "00200011", "IS", Level.STUDY),
}


def test_extended_query_tags_are_searched_by_like_any_attribute() -> None:
    query = parse("PatientAge=050*&00091002=7&SeriesNumber=3", "series", extended=EXTENDED)
    assert query.conditions == (Wildcard("00101010", ("050*",)), Equal("00091002", (7,)), Equal("00200011", (3,)))
    assert query.filters == {"00101010": "PatientAge", "00091002": "00091002", "00200011": "SeriesNumber"}
    with pytest.raises(BadRequest, match="AttributeId 00091002 is not queryable"):
        parse("00091002=7", "studies", extended=EXTENDED)
    with pytest.raises(BadRequest, match=r"The query parameter .00091002. is invalid\. It takes numbers\."):
        parse("00091002=x", "series", extended=EXTENDED)


def test_one_can_make_an_attribute_searchable_at_a_higher_level() -> None:
    with pytest.raises(BadRequest, match="not queryable"):
        parse("SeriesNumber=3")
    assert parse("SeriesNumber=3", extended=EXTENDED).conditions == (Equal("00200011", (3,)),)


@pytest.mark.parametrize("order", ["PatientAge", "-00101010", "00091002:desc"])
def test_results_are_not_ordered_by_extended_query_tags(order: str) -> None:
    with pytest.raises(BadRequest, match="can't be ordered by AttributeId"):
        parse(f"PatientAge=050Y&orderby={order}", "series", extended=EXTENDED)
    with pytest.raises(BadRequest, match="AttributeId SeriesNumber is not queryable"):
        parse("orderby=SeriesNumber", extended=EXTENDED)


@pytest.mark.parametrize(
    ("raw", "paths"),
    [
        ("", set()),
        ("limit=5&includefield=PatientAge&orderby=StudyDate", set()),
        ("PatientAge=&0009100a=1&limit=5&Nonsense=3", {"00101010", "0009100A"}),
        ("RequestAttributesSequence.ScheduledProcedureStepID=1", {"00400275.00400009"}),
        ("%50atientAge=050Y&PatientAge=1", {"00101010"}),
    ],
)
def test_what_a_query_searches_by(raw: str, paths: set[str]) -> None:
    assert searched_by(raw) == paths
