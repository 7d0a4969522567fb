import pytest

from shared.dicom.xml import from_xml, to_xml
from shared.dicomweb.codes import FailureReason
from shared.dicomweb.store_answer import Failed, Outcome, Stored, dataset, status

CLASS = "1.2.840.10008.5.1.4.1.1.2"
URL = "http://h/v2/studies/1/series/2/instances/3"
GOOD = Stored(CLASS, "3", URL)
WARNED = Stored(CLASS, "4", URL, ("DICOM100: (0008,0020) - bad",))
BAD = Failed(FailureReason.VALIDATION_FAILED)
EXISTS = Failed(FailureReason.INSTANCE_EXISTS, CLASS, "5")


@pytest.mark.parametrize(
    ("outcomes", "with_warnings", "without"),
    [
        ([], 204, 204),
        ([GOOD], 200, 200),
        ([GOOD, GOOD], 200, 200),
        ([WARNED], 202, 200),
        ([GOOD, WARNED], 202, 200),
        ([GOOD, BAD], 202, 202),
        ([WARNED, BAD], 202, 202),
        ([BAD], 409, 409),
        ([BAD, EXISTS], 409, 409),
    ],
)
def test_status(outcomes: list[Outcome], with_warnings: int, without: int) -> None:
    assert status(outcomes, warn=True) == with_warnings
    assert status(outcomes, warn=False) == without


def test_a_stored_instance() -> None:
    entry = {
        "00081150": {"vr": "UI", "Value": [CLASS]},
        "00081155": {"vr": "UI", "Value": ["3"]},
        "00081190": {"vr": "UR", "Value": [URL]},
    }
    assert dataset([GOOD], None, warn=False) == {"00081199": {"vr": "SQ", "Value": [entry]}}
    entry["00741048"] = {"vr": "SQ"}
    assert dataset([GOOD], None, warn=True) == {"00081199": {"vr": "SQ", "Value": [entry]}}


def test_a_warning_has_its_reason_and_comments() -> None:
    (entry,) = dataset([WARNED], None, warn=True)["00081199"]["Value"]
    assert entry["00081196"] == {"vr": "US", "Value": [1]}
    assert entry["00741048"]["Value"] == [{"00000902": {"vr": "LO", "Value": ["DICOM100: (0008,0020) - bad"]}}]
    (entry,) = dataset([WARNED], None, warn=False)["00081199"]["Value"]
    assert not entry.keys() & {"00081196", "00741048"}


@pytest.mark.parametrize("reason", FailureReason)
def test_a_failure_names_the_instance_as_far_as_it_is_known(reason: FailureReason) -> None:
    code = {"00081197": {"vr": "US", "Value": [int(reason)]}}
    assert dataset([Failed(reason)], None, warn=True)["00081198"]["Value"] == [code]
    (entry,) = dataset([Failed(reason, CLASS, "5", ("why",))], None, warn=True)["00081198"]["Value"]
    assert entry == {
        "00081150": {"vr": "UI", "Value": [CLASS]},
        "00081155": {"vr": "UI", "Value": ["5"]},
        **code,
        "00741048": {"vr": "SQ", "Value": [{"00000902": {"vr": "LO", "Value": ["why"]}}]},
    }


def test_the_study_is_named_if_something_was_stored_in_it() -> None:
    url = "http://h/v2/studies/1"
    assert dataset([GOOD, BAD], url, warn=True)["00081190"] == {"vr": "UR", "Value": [url]}
    assert "00081190" not in dataset([BAD], url, warn=True)
    assert "00081190" not in dataset([GOOD], None, warn=True)


def test_entries_keep_the_order_of_the_request_and_tags_ascend() -> None:
    answer = dataset([EXISTS, WARNED, BAD, GOOD], "http://h/v2/studies/1", warn=True)
    assert list(answer) == sorted(answer)
    assert [entry["00081155"]["Value"][0] for entry in answer["00081199"]["Value"]] == ["4", "3"]
    assert [entry["00081197"]["Value"][0] for entry in answer["00081198"]["Value"]] == [0xB00E, 0xA900]
    for entry in answer["00081199"]["Value"] + answer["00081198"]["Value"]:
        assert list(entry) == sorted(entry)


def test_it_can_be_written_as_xml() -> None:
    answer = dataset([EXISTS, WARNED, BAD, GOOD], "http://h/v2/studies/1", warn=True)
    assert from_xml(to_xml(answer)) == answer
