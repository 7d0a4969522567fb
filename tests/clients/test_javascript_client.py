"""The client of OHIF and other web viewers, run by node: each ``javascript/*.mjs`` says what must hold."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from tests.api.client import Api
from tests.clients.archive import Archive, uids

JAVASCRIPT = Path(__file__).parent / "javascript"
NODE_SECONDS = 120

COMPRESSED = {
    "examples_ybr_color.dcm": ("image/jpeg", "image/jpeg"),
    "emri_small_jpeg_2k_lossless.dcm": ("image/jp2", "image/jp2"),
    "MR_small_jpeg_ls_lossless.dcm": ("image/x-jls", "image/jls"),
    "OBXXXX1A_rle_2frame.dcm": ("image/x-dicom-rle", "image/dicom-rle"),
}
"""Files that pydicom ships: what the client asks for, by names of an older standard, and what it is given."""


def run(script: str, url: str, folder: Path, manifest: list[dict[str, Any]]) -> None:
    """Run a script on a data partition; ``manifest`` describes the files in the folder."""
    (folder / "manifest.json").write_text(json.dumps(manifest))
    node = subprocess.run(
        ["node", "--test", str(JAVASCRIPT / script)],
        env={**os.environ, "SERVICE_URL": url, "ARCHIVE": str(folder)},
        capture_output=True,
        text=True,
        timeout=NODE_SECONDS,
        check=False,
    )
    assert node.returncode == 0, node.stdout + node.stderr
    assert "# pass 0" not in node.stdout


def described(archive: Archive, folder: Path) -> Iterator[dict[str, Any]]:
    for number, (made, file) in enumerate(zip(archive.datasets, archive.files, strict=True)):
        name = f"{number}.dcm"
        (folder / name).write_bytes(file)
        study, series, instance = uids(made)
        yield {
            "file": name,
            "study": study,
            "series": series,
            "instance": instance,
            "frames": int(made.NumberOfFrames),
            "frameLength": int(made.Rows) * int(made.Columns) * 2,
            "pixelOffset": len(file) - len(made.PixelData),
        }


def test_store(empty_url: str, archive: Archive, tmp_path: Path) -> None:
    run("store.mjs", empty_url, tmp_path, list(described(archive, tmp_path)))


def test_search(url: str, archive: Archive, tmp_path: Path) -> None:
    run("search.mjs", url, tmp_path, list(described(archive, tmp_path)))


def test_retrieve(url: str, archive: Archive, tmp_path: Path) -> None:
    run("retrieve.mjs", url, tmp_path, list(described(archive, tmp_path)))


def test_retrieve_compressed(empty_url: str, tmp_path: Path) -> None:
    manifest = []
    with httpx.Client() as client:
        for name, (asked, labelled) in COMPRESSED.items():
            path = Path(str(get_testdata_file(name)))
            (tmp_path / name).write_bytes(path.read_bytes())
            Api(client, empty_url).keep(path.read_bytes())
            manifest.append({"file": name, "mediaType": asked, "labelled": labelled, **compressed(path)})
    run("compressed.mjs", empty_url, tmp_path, manifest)


def compressed(path: Path) -> dict[str, Any]:
    made = dcmread(path)
    frames = generate_frames(made.PixelData, number_of_frames=int(made.get("NumberOfFrames", 1)))
    study, series, instance = uids(made)
    return {
        "study": study,
        "series": series,
        "instance": instance,
        "transferSyntax": str(made.file_meta.TransferSyntaxUID),
        "digests": [hashlib.sha256(frame).hexdigest() for frame in frames],
    }
