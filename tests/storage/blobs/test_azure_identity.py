"""Blobs on Azure entered with an identity instead of a key."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from azure.storage.blob import BlobServiceClient

from tests.azure.azurite import KEY, Azurite
from tests.azure.identity import Trust, azure_cli, trust
from tests.server import ROOT


@dataclass(frozen=True, slots=True)
class Entry:
    """What a process of its own found in the container, and how often it asked the Azure CLI for a token."""

    found: dict[str, object]
    calls: list[str]


@dataclass(frozen=True, slots=True)
class Secured:
    """An Azurite over https that checks access tokens."""

    azurite: Azurite
    trust: Trust

    def environment(self, cli: Path) -> dict[str, str]:
        """For a process that trusts it, enters its container ``images``, and finds ``az`` in a folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "DICOM_"))}
        return {
            **kept,
            "PATH": f"{cli}{os.pathsep}{kept['PATH']}",
            "SSL_CERT_FILE": str(self.trust.authority),
            "DICOM_BLOBS": f"{self.azurite.endpoint}/images",
            "DICOM_AUDIT": f"{self.azurite.endpoint}/audit",
        }


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("identity")
    trusted = trust(folder)
    server = Azurite(folder / "azurite.log", trusted.server)
    server.start()
    yield Secured(server, trusted)
    server.stop()


@pytest.fixture(scope="module")
def entry(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> Entry:
    cli = azure_cli(tmp_path_factory.mktemp("cli") / "bin")
    command = [sys.executable, "-m", "tests.azure.enter"]
    done = subprocess.run(command, cwd=ROOT, env=secured.environment(cli), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Entry(json.loads(done.stdout), (cli / "calls").read_text().splitlines())


def test_whoever_is_signed_in_to_the_azure_cli_may_enter(entry: Entry) -> None:
    assert entry.found["names"] == ["large", "small"]
    assert entry.found["large"] == list(range(9))


def test_tokens_are_for_storage_and_kept(entry: Entry) -> None:
    assert all("https://storage.azure.com" in call for call in entry.calls)
    assert len(entry.calls) <= 5


def test_the_audit_is_kept(entry: Entry, secured: Secured) -> None:
    service = BlobServiceClient(secured.azurite.endpoint, KEY, connection_verify=str(secured.trust.authority))
    with service, service.get_container_client("audit") as container:
        (blob,) = container.list_blobs()
        assert container.download_blob(blob.name).readall() == b"first\nsecond\n"


def test_an_upload_url_is_signed_with_a_key_that_stands_for_the_identity(entry: Entry, secured: Secured) -> None:
    # Azurite can give the key, but does not know what Azure's present API version signs with it.
    url = httpx.URL(str(entry.found["upload"]))
    signed = url.params
    assert url.path.endswith("/images/uploaded")
    assert (signed["sp"], signed["sr"], signed["spr"]) == ("cw", "b", "https")
    assert uuid.UUID(signed["skoid"]) != uuid.UUID(signed["sktid"])
    expiry = datetime.fromisoformat(signed["se"])
    assert timedelta(minutes=3) < expiry - datetime.now(UTC) <= timedelta(minutes=5)
    assert datetime.fromisoformat(signed["ske"]) == expiry


def test_nobody_signed_in_is_told_in_a_sentence(secured: Secured, tmp_path: Path) -> None:
    cli = tmp_path / "bin"
    cli.mkdir()
    (cli / "az").write_text("#!/bin/sh\necho \"Please run 'az login'\" >&2\nexit 1\n")
    (cli / "az").chmod(0o755)
    command = [sys.executable, "-m", "local", "--data", str(tmp_path / "data"), "--port", "1"]
    done = subprocess.run(command, cwd=ROOT, env=secured.environment(cli), capture_output=True, text=True)
    assert done.returncode == 1
    last_line = done.stderr.strip().splitlines()[-1]
    assert last_line == "The storage can't be opened: The blob store did not accept the service's credentials."
    assert "Unclosed" not in done.stderr
