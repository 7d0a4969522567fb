"""What the metrics tell of operations and the inbox, looked at now and then."""

import pytest

from shared.services import waiting
from shared.services.context import Services
from shared.services.waiting import Waiting
from shared.storage.index.operations import Operation, OperationStatus
from shared.telemetry.metrics import OPERATIONS, Family


def operations(families: list[Family]) -> dict[object, object]:
    (family,) = (each for each in families if each.metric is OPERATIONS)
    return {point.attributes["dicom.operation.status"]: point.value for point in family.points}


async def add(services: Services, status: OperationStatus) -> None:
    await services.index.operations.add(Operation(f"{status}", "reindex", status, 1, 1))


async def test_operations_that_have_not_ended(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Waiting(services)
    assert operations(await asked.families()) == {"notStarted": 0, "running": 0}
    await add(services, OperationStatus.RUNNING)
    await add(services, OperationStatus.FAILED)
    assert operations(await asked.families()) == {"notStarted": 0, "running": 0}
    monkeypatch.setattr(waiting, "FRESH_SECONDS", 0.0)
    assert operations(await Waiting(services).families()) == {"notStarted": 0, "running": 1}
