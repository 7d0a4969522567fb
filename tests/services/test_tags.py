"""Adding and removing extended query tags: what the HTTP tests can't bring about."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.dicom.attributes import Attribute
from shared.dicom.conditions import MatchValue
from shared.dicom.model import Level
from shared.dicom.query_tags import queryable
from shared.errors import BadRequest, Conflict, NotFound, StorageError
from shared.services import operations, tags
from shared.services.context import Services
from shared.services.erasing import ERASE
from shared.services.tags import MAX_TAGS
from shared.storage.index.operations import OperationStatus
from shared.storage.index.tags import QueryStatus, TagDefinition, TagSet, TagStatus
from tests.instances import dataset, new_identity, part10
from tests.services.stepping import ended
from tests.services.storing import store
from tests.services.tagging import ACQUISITION_NUMBER, finds

URL = "http://host/v2"


def private(first: int, count: int) -> list[Attribute]:
    return [
        queryable(f"0011{0x1000 + number:04X}", "SH", Level.SERIES, "TESTS") for number in range(first, first + count)
    ]


async def paths(services: Services) -> list[str]:
    return [tag.definition.path for tag in (await services.index.tags.all()).tags]


async def statuses(services: Services) -> list[OperationStatus]:
    return [each.status for each in await operations.page(services, 0, 100)]


async def test_as_many_tags_as_there_can_be(services: Services) -> None:
    first = private(0, MAX_TAGS - 1)
    await ended(services, await tags.add(services, first, URL))
    with pytest.raises(BadRequest, match=f"at most {MAX_TAGS} extended query tags; {MAX_TAGS - 1} exist already"):
        await tags.add(services, private(MAX_TAGS - 1, 2), URL)
    await ended(services, await tags.add(services, private(MAX_TAGS - 1, 1), URL))
    with pytest.raises(BadRequest):
        await tags.add(services, private(MAX_TAGS, 1), URL)
    assert len(await paths(services)) == MAX_TAGS
    assert [state.tag.definition.path for state in await tags.page(services, 125, 200)] == [
        "0011107D",
        "0011107E",
        "0011107F",
    ]
    assert {state.tag.status for state in await tags.page(services, 0, 200)} == {TagStatus.READY}


async def test_of_several_who_add_tags_at_once_one_does(services: Services) -> None:
    found = await asyncio.gather(
        *(tags.add(services, private(number, 1), URL) for number in range(6)), return_exceptions=True
    )
    (added,) = [each for each in found if not isinstance(each, BaseException)]
    refused = [each for each in found if isinstance(each, Conflict)]
    assert len(refused) == 5
    assert {each.headers["Location"] for each in refused} == {f"{URL}/operations/{added.id}"}
    await ended(services, added)
    assert len(await paths(services)) == 1
    assert sorted(await statuses(services)) == [OperationStatus.CANCELED] * 5 + [OperationStatus.SUCCEEDED]


async def test_an_operation_without_tags_is_not_left_behind(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(definitions: Sequence[TagDefinition], operation: str, generation: int) -> TagSet | None:
        raise StorageError("The index failed.")

    with monkeypatch.context() as patched:
        patched.setattr(services.index.tags, "add", fail)
        with pytest.raises(StorageError):
            await tags.add(services, private(0, 1), URL)
    assert await statuses(services) == [OperationStatus.CANCELED]
    await ended(services, await tags.add(services, private(0, 1), URL))


async def test_tags_that_others_change_time_and_again(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(definitions: Sequence[TagDefinition], operation: str, generation: int) -> TagSet | None:
        return None

    monkeypatch.setattr(services.index.tags, "add", never)
    with pytest.raises(Conflict, match="changed by other requests"):
        await tags.add(services, private(0, 1), URL)
    assert await statuses(services) == [OperationStatus.CANCELED]


async def test_a_tag_whose_indexing_was_given_up_can_be_removed(services: Services) -> None:
    operation = await tags.add(services, private(0, 1), URL)
    await operations.cancel(services, operation.id)
    (state,) = await tags.page(services, 0, 10)
    assert (state.tag.status, state.tag.operation) == (TagStatus.ADDING, None)
    await tags.delete(services, "00111000")
    await ended(services, await tags.add(services, private(0, 1), URL))


async def test_the_values_of_a_removed_tag_are_erased(services: Services) -> None:
    number = queryable(ACQUISITION_NUMBER.path, None, Level.INSTANCE, None)
    identity = new_identity()
    await store(services, [part10(dataset(identity, AcquisitionNumber=7))])
    await ended(services, await tags.add(services, [number], URL))
    assert await finds(services, ACQUISITION_NUMBER, 7) == {identity.instance}
    key = (await tags.get(services, number.path)).tag.key
    await tags.delete(services, number.path)
    (erasing,) = [each for each in await operations.page(services, 0, 10) if each.type == ERASE]
    done = await ended(services, erasing)
    assert (done.status, done.progress["state"]) == (OperationStatus.SUCCEEDED, {"erased": 1})
    assert await services.index.tags.erase(key, 100) == 0


async def test_a_tag_that_is_added_again_has_nothing_of_the_first(services: Services) -> None:
    """Neither its values nor its errors, also while these wait to be erased."""
    text, number = new_identity(), new_identity()
    for identity, vr in ((text, "SH"), (number, "IS")):
        made = dataset(identity)
        made.private_block(0x0011, "TESTS", create=True).add_new(0x00, vr, "12")
        await store(services, [part10(made)])
    kinds = {vr: queryable("00111000", vr, Level.INSTANCE, "TESTS") for vr in ("SH", "IS")}
    found: dict[str, MatchValue] = {"SH": "12", "IS": 12}
    for vr, right, wrong in (("SH", text, number), ("IS", number, text), ("SH", text, number)):
        await ended(services, await tags.add(services, [kinds[vr]], URL))
        assert await finds(services, TagDefinition("00111000", vr, Level.INSTANCE, "TESTS"), found[vr]) == {
            right.instance
        }
        errors = await tags.errors(services, "00111000", 0, 10)
        assert [error.key.instance for error in errors] == [wrong.instance]
        state = await tags.get(services, "00111000")
        assert (state.errors, state.tag.query_status) == (1, QueryStatus.DISABLED)
        await tags.delete(services, "00111000")


async def test_a_tag_is_removed_even_if_its_values_can_not_be_erased(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await ended(services, await tags.add(services, private(0, 1), URL))

    async def fail(operation: object) -> None:
        raise StorageError("The index failed.")

    monkeypatch.setattr(services.index.operations, "add", fail)
    await tags.delete(services, "00111000")
    assert "The values of the removed tag 00111000" in caplog.text
    with pytest.raises(NotFound):
        await tags.get(services, "00111000")
