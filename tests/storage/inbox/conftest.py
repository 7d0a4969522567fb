"""The inbox adapters."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from shared.settings import Settings
from shared.storage import adapters
from shared.storage.inbox.port import Inbox
from tests.azure.azurite import Azurite
from tests.azure.connections import connections_closed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


@pytest.fixture(params=["folder", "azurite"])
async def inbox(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Inbox]:
    settings = Settings(inbox=str(folder))
    if request.param == "azurite":
        azurite: Azurite = request.getfixturevalue("azurite")
        settings = Settings(inbox=f"azure:{uuid4()}", blobs_connection=azurite.connection)
    opened = adapters.inbox(settings)
    assert opened is not None
    await opened.open()
    yield opened
    await opened.close()
    await connections_closed()
