"""Import of the files that are dropped into the inbox."""

import azure.functions as func

from shared.services.context import process
from shared.services.inbox import take, take_left
from shared.settings import Settings
from shared.storage.adapters import container_name, is_container

CONNECTION = "DICOM_BLOBS_CONNECTION"
"""The setting, or the prefix of the settings, by which the Functions host enters the storage account."""
CONTAINER = "inbox"
"""What is watched where the inbox is no container; the embedded host reads nothing from it."""

blueprint = func.Blueprint()
chosen = Settings()


def source(connection: str) -> func.BlobSource:
    """How the host hears of new files: by Event Grid, which Azurite does not have."""
    is_azurite = "UseDevelopmentStorage" in connection or "AccountName=devstoreaccount1" in connection
    return func.BlobSource.LOGS_AND_CONTAINER_SCAN if is_azurite else func.BlobSource.EVENT_GRID


def watch(inbox: str) -> None:
    """Have each file that is dropped there imported."""
    # Imported only where there is an inbox: it is a third of what this application imports.
    from azurefunctions.extensions.bindings.blob import BlobClient

    container = container_name(inbox) if is_container(inbox) else CONTAINER
    told = source(chosen.blobs_connection.get_secret_value() if chosen.blobs_connection else "")

    @blueprint.function_name("import_file")
    @blueprint.blob_trigger("file", f"{container}/{{name}}", CONNECTION, source=told)
    async def import_file(file: BlobClient) -> None:
        """Import one file. The host hands over a client that knows its name: no content passes through the host."""
        await take(await process.services(), file.blob_name)


if chosen.inbox:
    watch(chosen.inbox)


@blueprint.function_name("import_left")
@blueprint.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
async def import_left(timer: func.TimerRequest) -> None:
    """Every five minutes: import the files that no event told of, or that could not be imported then."""
    await take_left(await process.services())
