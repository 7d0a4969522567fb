"""Instances of a study come in their order, and are read ahead of their turn in bounded memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from shared.dicom.model import ByteRange
from shared.services.context import Services
from shared.services.retrieve import files
from shared.storage.blobs.ahead import READ_AHEAD, READ_AHEAD_BYTES, WHOLE_READ
from shared.storage.blobs.memory import MemoryBlobs
from shared.storage.index.model import Scope
from tests.instances import dataset, new_identity, new_uid, part10
from tests.services.storing import PARTITION, store


class SlowBlobs(MemoryBlobs):
    """Takes a moment for each read, and counts how many are under way and how much they will hold."""

    reading = most = held = 0

    async def read_ranges(self, name: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        self.reading += 1
        self.most = max(self.most, self.reading)
        try:
            await asyncio.sleep(0.05 / self.reading)
            self.held += sum(part.length for part in ranges)
            return await super().read_ranges(name, ranges)
        finally:
            self.reading -= 1


@pytest.fixture
def slow(services: Services) -> tuple[Services, SlowBlobs]:
    blobs = SlowBlobs()
    return replace(services, blobs=blobs), blobs


async def stored_study(services: Services, sides: Sequence[int]) -> tuple[Scope, list[bytes]]:
    """A study of instances, one for each number of rows and columns."""
    study = new_uid()
    made = [part10(dataset(new_identity(study), side=side, InstanceNumber=n)) for n, side in enumerate(sides)]
    await store(services, made)
    return Scope(PARTITION, study), made


async def test_instances_come_in_order_though_many_are_read_at_once(slow: tuple[Services, SlowBlobs]) -> None:
    services, blobs = slow
    scope, made = await stored_study(services, [16] * 40)
    read = [b"".join([chunk async for chunk in content]) async for _, content in files(services, scope)]
    assert read == made
    assert READ_AHEAD // 2 < blobs.most <= READ_AHEAD + 1


async def test_what_is_read_ahead_stays_within_its_bytes(slow: tuple[Services, SlowBlobs]) -> None:
    services, blobs = slow
    scope, made = await stored_study(services, [700] * 20)
    given = 0
    async for stored, content in files(services, scope):
        async for _ in content:
            await asyncio.sleep(0.1)
        given += stored.length
        assert blobs.held - given <= READ_AHEAD_BYTES + WHOLE_READ
    assert given == sum(map(len, made))


async def test_large_instances_are_streamed_in_their_turn(slow: tuple[Services, SlowBlobs]) -> None:
    services, blobs = slow
    scope, made = await stored_study(services, [16, 1200, 16, 1200])
    read = [b"".join([chunk async for chunk in content]) async for _, content in files(services, scope)]
    assert sorted(read) == sorted(made)
    assert blobs.held == len(made[0]) + len(made[2])


async def test_a_reader_that_leaves_ends_the_reading_ahead(slow: tuple[Services, SlowBlobs]) -> None:
    services, blobs = slow
    scope, _ = await stored_study(services, [16] * 40)
    reading = files(services, scope)
    await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]
    assert blobs.reading == 0
