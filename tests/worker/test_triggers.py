"""Functions that HTTP doesn't trigger, each invoked as the host would."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.instances import dataset, new_identity, part10
from tests.worker.app_functions import OTHERS, AppFunction
from tests.worker.client import DICOM, Client
from tests.worker.host import RunningWorker, worker_over

DATA = {
    "timerTrigger": {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": {
            "Last": "2026-01-01T00:00:00.0000000+00:00",
            "Next": "2026-01-01T00:03:00.0000000+00:00",
            "LastUpdated": "2026-01-01T00:00:00.0000000+00:00",
        },
        "IsPastDue": False,
    },
    "blobTrigger": {"Connection": "DICOM_BLOBS_CONNECTION", "ContainerName": "inbox", "BlobName": "gone.dcm"},
}
"""What the host sends with each kind of trigger."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("triggers")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[RunningWorker]:
    """A worker that removes the files of deleted instances at the first chance."""
    with worker_over(tmp_path_factory.mktemp("impatient"), data, {"DICOM_PURGE_AFTER_SECONDS": "0"}) as running:
        yield running


@pytest.mark.parametrize("function", OTHERS, ids=str)
def test_every_trigger(function: AppFunction, impatient: RunningWorker) -> None:
    answer = impatient.invoke(function.name, DATA[function.trigger["type"]])
    assert answer.status_code == 200, answer.text
    assert impatient.failures() == []


def test_a_failing_invocation_is_told(impatient: RunningWorker) -> None:
    before = impatient.failures()
    answer = impatient.invoke("purge", "no timer's data")
    assert answer.status_code == 500
    assert len(impatient.failures()) == len(before) + 1


def test_the_purge_timer_removes_the_files_of_deleted_instances(
    impatient: RunningWorker, http: httpx.Client, data: Path
) -> None:
    def files() -> list[Path]:
        return list((data / "blobs").rglob("*.dcm"))

    before = files()
    client, identity = Client(http, impatient.url), new_identity()
    assert client.ask("POST", "/v2/studies", DICOM, part10(dataset(identity))).status == 200
    assert len(files()) > len(before)
    assert client.ask("DELETE", f"/v2/studies/{identity.study}").status == 204
    assert impatient.invoke("purge", DATA["timerTrigger"]).status_code == 200
    assert files() == before
