"""Every change is told to the Event Grid topic, in order and at least once."""

import asyncio
import logging
import random
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import HttpUrl, SecretStr

from shared.services import events
from shared.services.context import Services
from shared.services.delete import delete
from shared.services.events import BATCH, publish
from shared.storage.index.feed import FeedEntry, FeedQuery
from shared.storage.index.port import CommitMode
from tests.azure.identity import azure_cli, trust
from tests.instances import Identity, dataset, multipart, new_identity, part10
from tests.server import free_port, running
from tests.services.storing import scope, store
from tests.services.topic import KEY, Fault, Topic, serving

CREATED, UPDATED, DELETED = (f"Microsoft.HealthcareApis.DicomImage{what}" for what in ("Created", "Updated", "Deleted"))
PARTS = 'multipart/related; type="application/dicom"; boundary=a-boundary'
PATIENCE_SECONDS = 60.0


@pytest.fixture
async def topic() -> AsyncIterator[Topic]:
    async with serving() as started:
        yield started
    assert started.problems == []


def publishing(services: Services, url: str, **settings: object) -> Services:
    """The same services with a topic to tell."""
    told = {"events_topic": HttpUrl(url), "events_key": SecretStr(KEY), **settings}
    return replace(services, settings=services.settings.model_copy(update=told))


@pytest.fixture
async def told(services: Services, topic: Topic) -> Services:
    """Services whose topic is to hear of everything from now on."""
    publisher = publishing(services, topic.url)
    assert await publish(publisher) == 0
    return publisher


async def keep(
    services: Services, count: int = 1, partition: str = "Microsoft.Default", mode: CommitMode = CommitMode.CREATE
) -> list[Identity]:
    """Store instances of one study, and see that their changes have numbers."""
    first = new_identity()
    identities = [first, *(new_identity(first.study, first.series) for _ in range(count - 1))]
    await store(services, [part10(dataset(each, side=1)) for each in identities], mode, partition)
    await services.index.feed.number()
    return identities


async def feed(services: Services, after: int = 0) -> list[FeedEntry]:
    found: list[FeedEntry] = []
    while page := await services.index.feed.read(FeedQuery(after=found[-1].sequence if found else after)):
        found += page
    return found


async def publish_all(services: Services, topic: Topic) -> int:
    """Publish until the topic has taken a whole run without trouble; gives how many runs that took."""
    for run in range(1, 100):
        await publish(services)
        if not topic.faults and not await publish(services):
            return run
    raise AssertionError("The topic never heard of everything.")


async def test_without_a_topic_nothing_is_sent_nor_read(services: Services) -> None:
    await keep(services)
    assert await publish(services) == 0
    assert await services.index.feed.cursor(events.CURSOR) == 0


async def test_a_topic_hears_of_what_happens_after_the_first_run(services: Services, topic: Topic) -> None:
    publisher = publishing(services, topic.url)
    await keep(services, 2)
    assert await publish(publisher) == 0
    assert await publish(publisher) == 0
    assert topic.requests == 0
    (identity,) = await keep(services)
    assert await publish(publisher) == 1
    assert [event["data"]["imageSopInstanceUid"] for event in topic.events] == [identity.instance]
    assert await publish(publisher) == 0


async def test_what_the_topic_has_not_heard_of_has_an_age(told: Services) -> None:
    assert await events.oldest_untold(told) is None
    await keep(told, 2)
    (first, _) = await feed(told)
    assert await events.oldest_untold(told) == first.time / 1_000_000
    await publish(told)
    assert await events.oldest_untold(told) is None


async def test_a_first_run_over_an_empty_feed_misses_nothing_after_it(told: Services, topic: Topic) -> None:
    await keep(told, 3)
    assert await publish(told) == 3
    assert topic.sequences == [1, 2, 3]


async def test_what_an_event_says(told: Services, topic: Topic) -> None:
    publisher = publishing(told, topic.url, public_url=HttpUrl("https://dicom.example.org:8443/archive/"))
    (identity,) = await keep(publisher, partition="ward-7")
    assert await publish(publisher) == 1
    (entry,) = await feed(publisher)
    (event,) = topic.events
    assert event == {
        "id": event["id"],
        "subject": f"dicom.example.org:8443/archive/v1/partitions/ward-7{identity.path}",
        "eventType": CREATED,
        "eventTime": event["eventTime"],
        "dataVersion": "1",
        "data": {
            "partitionName": "ward-7",
            "imageStudyInstanceUid": identity.study,
            "imageSeriesInstanceUid": identity.series,
            "imageSopInstanceUid": identity.instance,
            "serviceHostName": "dicom.example.org:8443",
            "sequenceNumber": entry.sequence,
        },
    }
    assert event["eventTime"] == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(entry.time // 10**6)) + (
        f".{entry.time % 10**6:06}Z"
    )


async def test_every_kind_of_change_in_order(told: Services, topic: Topic) -> None:
    (identity,) = await keep(told)
    file = part10(dataset(identity, side=1, PatientID="another"))
    for step in (store(told, [file], CommitMode.REPLACE), delete(told, scope(identity)), store(told, [file])):
        await step
        await told.index.feed.number()
    assert await publish(told) == 4
    assert [event["eventType"] for event in topic.events] == [CREATED, UPDATED, DELETED, CREATED]
    assert topic.sequences == [1, 2, 3, 4]
    assert len({event["id"] for event in topic.events}) == 4
    assert len({event["subject"] for event in topic.events}) == 1
    for event in topic.events:
        (entry,) = await told.index.feed.read(FeedQuery(after=event["data"]["sequenceNumber"] - 1, limit=1))
        assert entry.key.instance == event["data"]["imageSopInstanceUid"]


@pytest.mark.parametrize("variable", ["of-azure.azurewebsites.net", None])
async def test_the_host_without_a_public_url(
    told: Services, topic: Topic, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    monkeypatch.delenv("WEBSITE_HOSTNAME", raising=False)
    if variable is not None:
        monkeypatch.setenv("WEBSITE_HOSTNAME", variable)
    (identity,) = await keep(told)
    await publish(told)
    (event,) = topic.events
    host = variable or socket.gethostname()
    assert event["data"]["serviceHostName"] == host
    assert event["subject"] == f"{host}/v1/partitions/Microsoft.Default{identity.path}"


async def test_events_go_in_batches(told: Services, topic: Topic) -> None:
    await keep(told, 2 * BATCH + 7)
    assert await publish(told) == 2 * BATCH + 7
    assert [len(batch) for batch in topic.batches] == [BATCH, BATCH, 7]
    assert topic.sequences == list(range(1, 2 * BATCH + 8))


async def test_a_run_ends_and_the_next_one_goes_on(
    told: Services, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BATCH", 2)
    monkeypatch.setattr(events, "MAX_BATCHES", 2)
    await keep(told, 5)
    assert [await publish(told) for _ in range(3)] == [4, 1, 0]
    assert topic.sequences == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("fault", Fault)
async def test_what_fails_is_told_to_the_log_and_sent_by_the_next_run(
    told: Services, topic: Topic, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(events, "BATCH", 2)
    await keep(told, 5)
    first, *rest = [fault] * 2
    await told.index.feed.move_cursor(events.CURSOR, 1, 3)
    topic.faults = [first]
    began = time.monotonic()
    with caplog.at_level(logging.ERROR):
        assert await publish(told) == 0
    assert time.monotonic() - began < PATIENCE_SECONDS / 2
    assert topic.requests == 1
    assert "Events from 3 on were not taken" in caplog.text
    assert await told.index.feed.cursor(events.CURSOR) == 3
    topic.faults = rest
    await publish(told)
    assert await publish(told) == 3
    taken = [3, 4] if fault is Fault.LOST else []
    assert topic.sequences == [*taken, *taken, 3, 4, 5]


async def test_each_event_arrives_at_least_once_whatever_fails(
    told: Services, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BATCH", 3)
    choose = random.Random(7)
    await keep(told, 40)
    topic.faults = [choose.choice(list(Fault)) for _ in range(25)]
    assert await publish_all(told, topic) > 5
    once = {event["id"]: event for event in topic.events}
    assert [event["data"]["sequenceNumber"] for event in once.values()] == list(range(1, 41))
    assert all(event == once[event["id"]] for event in topic.events)
    assert len(topic.events) > 40


async def test_a_run_that_dies_is_made_up_for(told: Services, topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BATCH", 5)
    await keep(told, 60)
    for requests in (1, 3, 4):
        dying = asyncio.create_task(publish(told))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while topic.requests < requests and not dying.done():
            assert time.monotonic() < deadline
            await asyncio.sleep(0)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    await publish_all(told, topic)
    assert list(dict.fromkeys(topic.sequences)) == list(range(1, 61))


async def test_two_at_once_miss_nothing(told: Services, topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BATCH", 4)
    await keep(told, 30)
    await asyncio.gather(publish(told), publish(told))
    await publish_all(told, topic)
    assert set(topic.sequences) == set(range(1, 31))
    assert await told.index.feed.cursor(events.CURSOR) == 31


async def test_nobody_at_the_topic(told: Services, topic: Topic, caplog: pytest.LogCaptureFixture) -> None:
    await keep(told)
    nowhere = publishing(told, f"http://127.0.0.1:{free_port()}/api/events")
    with caplog.at_level(logging.ERROR):
        assert await publish(nowhere) == 0
    assert "Events from 1 on were not taken" in caplog.text
    assert await publish(told) == 1


async def test_the_embedded_host_publishes_as_whoever_is_signed_in(tmp_path: Path) -> None:
    """By its timer, without a key, to a topic over https."""
    trusted = trust(tmp_path)
    secured = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secured.load_cert_chain(trusted.server.certificate, trusted.server.key)
    cli = azure_cli(tmp_path / "bin")
    async with serving(secured) as topic:
        settings = {
            "PATH": f"{cli}:/usr/bin:/bin",
            "SSL_CERT_FILE": str(trusted.authority),
            "DICOM_EVENTS_TOPIC": topic.url,
        }
        stored = await asyncio.to_thread(store_until_told, tmp_path / "data", settings, topic)
    assert topic.problems == []
    assert topic.authorizations
    assert all(each.startswith("Bearer ") for each in topic.authorizations)
    assert "https://eventgrid.azure.net" in (cli / "calls").read_text()
    told = [event["data"]["imageSopInstanceUid"] for event in topic.events]
    first = stored.index(told[0])
    assert told == stored[first : first + len(told)]


def store_until_told(data: Path, settings: dict[str, str], topic: Topic) -> list[str]:
    """Store one instance a second until the topic hears of some; gives all that were stored."""
    stored: list[str] = []
    with running(data, workers=1, settings=settings) as server:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not topic.batches:
            assert time.monotonic() < deadline, server.log.read_text()
            identity = new_identity()
            body = multipart([part10(dataset(identity, side=1))])
            answer = httpx.post(f"{server.url}/v2/studies", content=body, headers={"Content-Type": PARTS})
            assert answer.status_code == 200, answer.text
            stored.append(identity.instance)
            time.sleep(1)
    return stored
