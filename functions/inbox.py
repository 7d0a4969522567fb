"""Import of the files that are dropped into the inbox."""

import azure.functions as func
import azurefunctions.extensions.bindings.blob as bindings

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


async def import_file(file: bindings.BlobClient) -> None:
    """Import one file. The host hands over a client that knows its name; the content does not pass through the host."""
    await take(await process.services(), file.blob_name)


if chosen.inbox:
    container = container_name(chosen.inbox) if is_container(chosen.inbox) else CONTAINER
    told = source(chosen.blobs_connection.get_secret_value() if chosen.blobs_connection else "")
    trigger = blueprint.blob_trigger("file", f"{container}/{{name}}", CONNECTION, source=told)
    blueprint.function_name("import_file")(trigger(import_file))


@blueprint.function_name("import_left")
@blueprint.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
async def import_left(timer: func.TimerRequest) -> None:
    """Every five minutes: import the files that no event told of, or that could not be imported then."""
    await take_left(await process.services())
