"""What only the folder does: it clears away what dead processes left."""

import os
import time
from pathlib import Path

from shared.storage.blobs.folder import LEFT_BEHIND_SECONDS, PARTIAL, FolderBlobs


async def test_partial_files_of_dead_processes_go_and_others_stay(tmp_path: Path) -> None:
    partials = tmp_path / PARTIAL
    partials.mkdir()
    old, young = partials / "old", partials / "young"
    for path in (old, young):
        path.write_bytes(b"half an image")
    then = time.time() - LEFT_BEHIND_SECONDS - 60
    os.utime(old, (then, then))
    store = FolderBlobs(tmp_path)
    await store.open()
    await store.close()
    assert list(partials.iterdir()) == [young]
