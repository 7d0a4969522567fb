"""Services over real storage in a temporary folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.services.context import Services, close_services, open_services
from shared.settings import Settings


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    settings = Settings(blobs=str(tmp_path / "blobs"), index=str(tmp_path / "index.sqlite"), reconcile_after_seconds=0)
    opened = await open_services(settings)
    yield opened
    await close_services(opened)
