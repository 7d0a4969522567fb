"""Events: every entry of the change feed is told to an Event Grid topic, in order and at least once.

The place in the feed moves only when the topic has acknowledged what lies before it, so whatever fails is sent again by
the next run, with the same ids. A topic hears of what happens after the first run with it.
"""

import logging
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

from shared.dicomweb.moments import moment_text
from shared.dicomweb.urls import instance_url
from shared.services.context import Services
from shared.settings import Settings
from shared.storage.index.feed import Action, FeedEntry, FeedQuery
from shared.telemetry import describe

if TYPE_CHECKING:
    from azure.eventgrid.aio import EventGridPublisherClient

logger = logging.getLogger(__name__)

CURSOR = "event-grid"
"""The number of the next entry to tell; 0 before the first run, so that a feed still empty then loses nothing."""
BATCH = 100
"""Events sent at once. Each is below 2 KB, Event Grid takes 1 MB."""
MAX_BATCHES = 500
"""What one run sends at most; the next one goes on."""
CONNECT_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 30

TYPES = {
    Action.CREATE: "Microsoft.HealthcareApis.DicomImageCreated",
    Action.UPDATE: "Microsoft.HealthcareApis.DicomImageUpdated",
    Action.DELETE: "Microsoft.HealthcareApis.DicomImageDeleted",
}


async def publish(services: Services) -> int:
    """Send what the topic in the settings has not heard of; gives how many events it took, 0 without a topic."""
    if services.settings.events_topic is None:
        return 0
    feed = services.index.feed
    following, last = await feed.cursor(CURSOR), await feed.last_sequence()
    if not following:
        await feed.move_cursor(CURSOR, 0, last + 1)
    if not 0 < following <= last:
        return 0
    sent = 0
    async with _topic(services.settings) as topic:
        for _ in range(MAX_BATCHES):
            entries = await feed.read(FeedQuery(after=following - 1, limit=BATCH))
            if not entries or not await _send(topic, entries, _origin(services.settings)):
                break
            sent += len(entries)
            seen, following = following, entries[-1].sequence + 1
            if not await feed.move_cursor(CURSOR, seen, following):
                break
    return sent


async def oldest_untold(services: Services) -> float | None:
    """When the oldest change happened that the topic has not heard of, in seconds since the epoch; None without one."""
    feed = services.index.feed
    following, last = await feed.cursor(CURSOR), await feed.last_sequence()
    if not 0 < following <= last:
        return None
    entries = await feed.read(FeedQuery(after=following - 1, limit=1))
    return entries[0].time / 1_000_000 if entries else None


async def _send(topic: "EventGridPublisherClient", entries: Sequence[FeedEntry], origin: str) -> bool:
    """Whether the topic has taken the entries."""
    from azure.core.exceptions import AzureError

    try:
        await topic.send([event(entry, origin) for entry in entries])
    except AzureError as error:
        status = getattr(error, "status_code", None)
        logger.error("Events from %d on were not taken (status %s): %s", entries[0].sequence, status, describe(error))
        return False
    return True


@asynccontextmanager
async def _topic(settings: Settings) -> AsyncIterator["EventGridPublisherClient"]:
    # Imported only where it is used: most services have no topic.
    from azure.core.credentials import AzureKeyCredential
    from azure.eventgrid.aio import EventGridPublisherClient
    from azure.identity.aio import DefaultAzureCredential

    async with AsyncExitStack() as stack:
        credential: AzureKeyCredential | DefaultAzureCredential
        if settings.events_key is None:
            credential = await stack.enter_async_context(DefaultAzureCredential())
        else:
            credential = AzureKeyCredential(settings.events_key.get_secret_value())
        yield await stack.enter_async_context(
            EventGridPublisherClient(
                str(settings.events_topic),
                credential,
                connection_timeout=CONNECT_TIMEOUT_S,
                read_timeout=ANSWER_TIMEOUT_S,
                retry_total=0,
            )
        )


def event(entry: FeedEntry, origin: str) -> dict[str, Any]:
    """An entry in the Event Grid event schema, with the fields of the Microsoft DICOM service.

    ``origin`` is the service's host, and the path prefix it is published under, if any.
    """
    key = entry.key
    return {
        "id": str(uuid5(NAMESPACE_OID, f"{entry.sequence} {entry.version} {key.instance} {key.partition}")),
        "subject": instance_url(f"{origin}/v1/partitions/{key.partition}", key.study, key.series, key.instance),
        "eventType": TYPES[entry.action],
        "eventTime": moment_text(entry.time),
        "dataVersion": "1",
        "data": {
            "partitionName": key.partition,
            "imageStudyInstanceUid": key.study,
            "imageSeriesInstanceUid": key.series,
            "imageSopInstanceUid": key.instance,
            "serviceHostName": origin.partition("/")[0],
            "sequenceNumber": entry.sequence,
        },
    }


def _origin(settings: Settings) -> str:
    """Where the service is published, without the scheme; else the name that Azure or the machine goes by."""
    if settings.public_url is not None:
        return str(settings.public_url).partition("://")[2].rstrip("/")
    return os.environ.get("WEBSITE_HOSTNAME") or socket.gethostname()
