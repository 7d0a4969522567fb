"""The conformance statement says what the code does, no less and no more."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.datadict import keyword_for_tag

import function_app
from functions.headers import ALWAYS, EXPOSED, PREFLIGHT
from functions.registration import ROUTES
from functions.store import METADATA_TYPES
from shared import errors
from shared.dicom.attributes import SEARCHABLE, default_tags
from shared.dicom.model import Level
from shared.dicomweb import query
from shared.dicomweb.accept import REPRESENTATIONS, Representation, Resource
from shared.dicomweb.codes import FailureReason, WarningReason
from shared.dicomweb.media_types import DICOM, FRAME_SYNTAXES
from shared.services.search import COMPUTED
from shared.settings import Settings

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "conformance.md").read_text()
README = (ROOT / "README.md").read_text()

PARTITIONED = ("Store", "Search", "Retrieve", "Delete", "Import")
UNPARTITIONED = ("Change feed", "Extended query tags", "Operations", "Others")
SUCCESSES = {200, 201, 202, 204, 206, 304}

Row = dict[str, str]


def section(page: str, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    (found,) = re.findall(rf"^#+ {re.escape(heading)}$\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)
    return str(found)


def tables(page: str, heading: str) -> Iterator[list[Row]]:
    """The tables under a heading, cells by the names of their columns."""
    for block in re.findall(r"(?:^\|.*\|$\n?)+", section(page, heading), re.MULTILINE):
        names, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines())
        yield [dict(zip(map(str.strip, names), map(str.strip, row), strict=True)) for row in rows]


def table(heading: str, page: str = PAGE) -> list[Row]:
    """The first table under a heading."""
    return next(tables(page, heading))


def code(cell: str) -> list[str]:
    """What a cell sets in code type."""
    return re.findall(r"`([^`]+)`", cell)


def documented_routes() -> dict[str, set[str]]:
    """Methods by route template, as the code registers them."""
    routes: defaultdict[str, set[str]] = defaultdict(set)
    for heading in PARTITIONED:
        for row in table(heading):
            (path,) = code(row["Path"])
            for prefix in ("{version}", "{version}/partitions/{partition}"):
                routes[prefix + path] |= set(row["Method"].split(", "))
    for row in (row for heading in UNPARTITIONED for row in table(heading)):
        (path,) = code(row["Path"])
        routes[path.removeprefix("/")] |= set(row["Method"].split(", "))
    return routes


def test_routes_and_methods() -> None:
    assert function_app.app
    registered: defaultdict[str, set[str]] = defaultdict(set)
    for route in ROUTES:
        registered[route.template] |= set(route.methods)
    assert documented_routes() == registered


def service_errors(root: type[errors.ServiceError] = errors.ServiceError) -> Iterator[type[errors.ServiceError]]:
    yield root
    for child in root.__subclasses__():
        yield from service_errors(child)


def test_errors() -> None:
    documented = [(int(row["Status"]), row["Title"]) for row in table("Errors")]
    assert sorted(documented) == sorted({(error.status, error.title) for error in service_errors()})


@pytest.mark.parametrize("heading", [*PARTITIONED, *UNPARTITIONED])
def test_routes_answer_with_statuses_that_there_are(heading: str) -> None:
    known = SUCCESSES | {error.status for error in service_errors()}
    for row in table(heading):
        assert {int(status) for status in row["Statuses"].split()} <= known


def media_types(resource: str, row: Row) -> list[str]:
    """In the order of the page; frames stand for every media type of theirs."""
    if "*Frames*" not in row["Media types"]:
        return code(row["Media types"])
    single = [media_type for each in table("Frames") for media_type in code(each["Media type"])]
    multipart = [f'multipart/related; type="{media_type}"' for media_type in single]
    return multipart + single if resource == "FRAME" else multipart


def other_names(representations: tuple[Representation, ...]) -> set[str]:
    return {name for representation in representations for name in representation.other_names}


def test_media_types_of_answers() -> None:
    rows = {row["Resource"]: row for row in table("Media types of answers")}
    assert list(rows) == [resource.name for resource in Resource]
    for resource, representations in REPRESENTATIONS.items():
        row = rows[resource.name]
        assert media_types(resource.name, row) == [str(representation) for representation in representations]
        assert set(code(row["Asked for as, too"])) == other_names(representations)


def test_retrieved_resources_are_those_of_the_table() -> None:
    named = {name for row in table("Retrieve") for name in row["Media types"].split(", ")}
    others = {Resource.STORE, Resource.SEARCH, Resource.PROBLEM}
    assert named == {resource.name for resource in Resource if resource not in others}


def test_frames() -> None:
    documented = {
        code(row["Media type"])[0]: dict(re.findall(r"(?:^|, )([^`]+) `([0-9.]+)`", row["Transfer syntaxes"]))
        for row in table("Frames")
    }
    names = {media_type: {name: uid for uid, name in uids.items()} for media_type, uids in FRAME_SYNTAXES.items()}
    assert documented == names


def test_media_types_of_store_requests() -> None:
    _, taken, *_ = tables(PAGE, "Store")
    assert {code(row["Content-Type of the request"])[0] for row in taken} == {
        DICOM,
        *(f'multipart/related; type="{media_type}"' for media_type in METADATA_TYPES | {DICOM}),
    }


@pytest.mark.parametrize(
    ("heading", "reasons"), [("Failure reasons", FailureReason), ("Warning reasons", WarningReason)]
)
def test_reasons(heading: str, reasons: type[FailureReason] | type[WarningReason]) -> None:
    documented = [(row["Decimal"], row["Hex"], row["Meaning"]) for row in table(heading)]
    assert sorted(documented) == sorted((str(int(each)), f"{int(each):04X}", each.meaning) for each in reasons)


def test_query_parameters() -> None:
    named = {name for row in table("Query parameters") for name in code(row["Parameter"])}
    assert named == query._CONTROLS
    (limit,) = (row["Value"] for row in table("Query parameters") if row["Parameter"] == "`limit`")
    assert re.findall("[0-9]+", limit.replace("299", "")) == ["1", str(query.DEFAULT_LIMIT), str(query.MAX_LIMIT)]


def test_searchable_attributes() -> None:
    documented = [
        (*code(row["Keyword"]), *code(row["Tag"]), row["VR"], row["Level"]) for row in table("Searchable attributes")
    ]
    assert documented == [(each.keyword, each.path, each.vr, each.level.name.capitalize()) for each in SEARCHABLE]


def test_every_vr_has_a_matching_rule() -> None:
    named = {vr for row in table("Matching") for vr in row["VR"].split(", ")}
    assert {each.vr for each in SEARCHABLE} - named <= {"LO", "SH"}
    assert "others" in named


def keywords(tags: set[str] | frozenset[str]) -> set[str]:
    return {keyword_for_tag(int(tag, 16)) for tag in tags}


def test_attributes_of_search_answers() -> None:
    rows = {row["Level"]: row for row in table("Answers")}
    assert list(rows) == [level.name.capitalize() for level in Level]
    for level in Level:
        row = rows[level.name.capitalize()]
        assert set(row["Computed"].split()) == keywords(COMPUTED[level])
        assert set(row["v1"].split()) == keywords(default_tags(level, 1))
        assert set(row["v2"].split()) == keywords(default_tags(level, 2))


def test_headers() -> None:
    documented = {header for row in table("Headers of answers") for header in code(row["Header"])}
    fixed = {**ALWAYS, **PREFLIGHT, "Access-Control-Expose-Headers": EXPOSED, "Warning": "299"}
    assert {header for header in documented if ": " in header} == {f"{name}: {text}" for name, text in fixed.items()}
    source = "".join(path.read_text() for path in (ROOT / "functions").glob("*.py"))
    assert all(header.partition(": ")[0] in source for header in documented)


def test_settings() -> None:
    named = [name for row in table("Settings", README) for name in code(row["Setting"])]
    assert named == [f"DICOM_{name.upper()}" for name in Settings.model_fields]
    assert set(re.findall(r"DICOM_[A-Z_]+", PAGE)) <= set(named)
