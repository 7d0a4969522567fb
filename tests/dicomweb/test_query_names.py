"""Names of query parameters may be told, values never."""

import pytest

from shared.dicomweb.query_names import MOST_NAMES, UNKNOWN, query_names


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (b"", ()),
        (b"PatientName=Doe*&limit=10", ("PatientName", "limit")),
        (b"00100010=Doe", ("00100010",)),
        (b"RequestAttributesSequence.00400009=1", ("RequestAttributesSequence.00400009",)),
        (
            b"FuzzyMatching=true&IncludeField=all&includefield=00100010",
            ("FuzzyMatching", "IncludeField", "includefield"),
        ),
        (b"limit=1&limit=2&&", ("limit",)),
        (b"startTime=2020&includeMetadata=false", ("startTime", "includeMetadata")),
        (b"Doe^John", (UNKNOWN,)),
        (b"Doe^John=1&PatientID=2&%C3%A9=3", (UNKNOWN, "PatientID")),
        (b"PatientName%3DDoe", (UNKNOWN,)),
        (b"PatientName.Doe=1", (UNKNOWN,)),
        (b"=Doe", (UNKNOWN,)),
        (b"\xff\x00=1", (UNKNOWN,)),
    ],
)
def test_only_names_that_are_known(query: bytes, names: tuple[str, ...]) -> None:
    assert query_names(query) == names


def test_there_is_an_end_to_them() -> None:
    many = b"&".join(b"%08X=x" % number for number in range(10 * MOST_NAMES))
    assert len(query_names(many)) == MOST_NAMES
