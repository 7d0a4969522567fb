"""Numbering changes for the change feed, where the index notes them first: on Cosmos DB."""

import azure.functions as func

from shared.services.context import process
from shared.settings import Settings
from shared.storage.adapters import COSMOS

CONNECTION = "DICOM_INDEX_CONNECTION"
"""The setting, or the prefix of the settings, by which the Functions host enters the Cosmos DB account."""
KEY_PREFIX = "cosmos:"
NOTE = "event"
"""The kind of documents that note changes."""
POLL_MS = 1000

blueprint = func.Blueprint()
chosen = Settings()


async def sequence(documents: func.DocumentList) -> None:
    """Number what was just noted. The host goes on even if this fails: then ``sequence_rest`` makes up for it."""
    studies = frozenset((each["partition"], each["study"]) for each in documents if each["kind"] == NOTE)
    if studies:
        await (await process.services()).index.feed.number(studies)


if COSMOS.fullmatch(chosen.index):
    trigger = blueprint.cosmos_db_trigger(
        arg_name="documents",
        connection=CONNECTION,
        database_name=chosen.index.rpartition("/")[2].removeprefix(KEY_PREFIX),
        container_name="index",
        lease_container_name="leases",
        # who enters with an identity may not create containers: the host would not start the function
        create_lease_container_if_not_exists=chosen.index.startswith(KEY_PREFIX),
        feed_poll_delay=POLL_MS,
    )
    blueprint.function_name("sequence")(trigger(sequence))


@blueprint.function_name("sequence_rest")
@blueprint.timer_trigger(arg_name="timer", schedule="0 * * * * *")
async def sequence_rest(timer: func.TimerRequest) -> None:
    """Every minute: number whatever still waits for it."""
    await (await process.services()).index.feed.number()
