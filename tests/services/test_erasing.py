"""What instances had for an extended query tag is erased once the tag is removed."""

import pytest

from shared.errors import Conflict
from shared.services import erasing, operations
from shared.services.context import Services
from shared.services.erasing import ERASE
from shared.storage.index.operations import OperationStatus
from tests.instances import dataset, new_identity, part10
from tests.services.stepping import Died, dying, ended, found, left_behind, let_time_pass
from tests.services.storing import store
from tests.services.tagging import MANUFACTURER, PATIENT_AGE, add_tags, finds, tag

COUNT = 7


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "BATCH", 2)


async def removed_tag(services: Services) -> int:
    """The key of a tag that was removed and had as many values and errors, beside another that stays."""
    study = new_identity().study
    makers = [["One", "Two"] if number % 2 else "Maker" for number in range(COUNT)]
    files = [part10(dataset(new_identity(study), Manufacturer=maker, PatientAge="030Y")) for maker in makers]
    await store(services, files)
    await ended(services, await add_tags(services, MANUFACTURER, PATIENT_AGE))
    key = (await tag(services, MANUFACTURER)).key
    assert (await services.index.tags.error_counts([key]))[key] == COUNT // 2
    assert len(await finds(services, MANUFACTURER, "maker")) == COUNT - COUNT // 2
    assert await services.index.tags.remove(key)
    return key


async def test_values_and_errors_are_erased(services: Services, small_batches: None) -> None:
    key = await removed_tag(services)
    done = await ended(services, await operations.start(services, ERASE, {"key": key}))
    assert (done.status, done.percent) == (OperationStatus.SUCCEEDED, 100)
    assert await services.index.tags.erase(key, 1000) == 0
    assert len(await finds(services, PATIENT_AGE, "030y")) == 1


@pytest.mark.parametrize("after", [False, True])
async def test_another_process_goes_on_where_one_died(services: Services, small_batches: None, after: bool) -> None:
    key = await removed_tag(services)
    started = await left_behind(services, ERASE, input={"key": key})
    with pytest.raises(Died):
        await operations.run_due(dying(services, "erase", 2, after=after))
    await let_time_pass(services, started)
    await operations.run_due(services)
    assert (await found(services, started)).status is OperationStatus.SUCCEEDED
    assert await services.index.tags.erase(key, 1000) == 0


async def test_erasing_can_not_be_cancelled(services: Services) -> None:
    started = await left_behind(services, ERASE, input={"key": 1})
    with pytest.raises(Conflict):
        await operations.cancel(services, started.id)
