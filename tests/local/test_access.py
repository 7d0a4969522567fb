"""Whom the embedded host lets in, and that neither it nor the Function App starts when it can't tell."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.access.issuer import AUDIENCE, issuing
from tests.server import ROOT, RunningServer, free_port

ISSUER = "https://login.example.org"
WITHOUT = "DICOM_ISSUERS and DICOM_AUDIENCES are not set"
WRONG = [
    ({"DICOM_ISSUERS": ISSUER}, "DICOM_ISSUERS and DICOM_AUDIENCES are set together or not at all."),
    ({"DICOM_AUDIENCES": "x"}, "DICOM_ISSUERS and DICOM_AUDIENCES are set together or not at all."),
    ({"DICOM_ISSUERS": "http://login.example.org", "DICOM_AUDIENCES": "x"}, "DICOM_ISSUERS: http://login.example.org"),
    ({"DICOM_ISSUERS": ISSUER, "DICOM_AUDIENCES": "a b"}, "DICOM_AUDIENCES: String should match pattern"),
    ({"DICOM_ISSUERS": ISSUER, "DICOM_AUDIENCES": "x", "DICOM_ROLES": "["}, "DICOM_ROLES is not JSON: "),
    ({"DICOM_ROLES": '[{"name": "A", "actions": ["reed"]}]'}, 'DICOM_ROLES: role 1 ("A"), field actions'),
    ({"WEBSITE_INSTANCE_ID": "1"}, WITHOUT),
]


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DICOM_")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def start(data: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Start the embedded host, which is to end at once."""
    return run("-m", "local", "--data", str(data), "--port", str(free_port()), *options, **variables)


@pytest.mark.parametrize(("variables", "told"), WRONG)
def test_a_mistake_ends_the_embedded_host_with_a_sentence(tmp_path: Path, variables: dict[str, str], told: str) -> None:
    ended = start(tmp_path / "data", **variables)
    assert ended.returncode == 1
    assert ended.stderr.startswith(told)
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_without_an_issuer_it_listens_on_loopback_only(tmp_path: Path, host: str) -> None:
    ended = start(tmp_path / "data", "--host", host)
    assert ended.returncode == 1
    assert ended.stderr.startswith(WITHOUT)
    assert "loopback" in ended.stderr


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        WRONG[0],
        WRONG[-2],
        ({}, WITHOUT),
        ({"WEBSITE_INSTANCE_ID": "1", "DICOM_LOCAL_DATA": "./data"}, WITHOUT),
    ],
)
def test_a_mistake_fails_the_function_app(variables: dict[str, str], told: str) -> None:
    ended = run("-c", "import function_app", **variables)
    assert ended.returncode == 1
    assert told in ended.stderr


def test_with_an_issuer_the_function_app_starts_in_azure() -> None:
    ended = run("-c", "import function_app", WEBSITE_INSTANCE_ID="1", DICOM_ISSUERS=ISSUER, DICOM_AUDIENCES="x")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_open_access_is_told_at_the_start(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "data", workers=1)
    server.start()
    server.stop()
    assert "Open access: no issuer of tokens is set" in server.log.read_text()


def test_with_an_issuer_it_listens_anywhere_and_asks_for_tokens(tmp_path: Path) -> None:
    with issuing() as issuer:
        server = RunningServer(tmp_path / "data", workers=1, settings=issuer.settings, host="0.0.0.0")
        server.start()
        try:
            bearer = {"Authorization": f"Bearer {issuer.token()}"}
            statuses = [httpx.get(f"{server.url}/v2/studies", headers=each).status_code for each in ({}, bearer)]
        finally:
            server.stop()
    assert statuses == [401, 204]
    assert f"Requests need a token of {issuer.url}." in server.log.read_text()
    assert AUDIENCE not in server.log.read_text()
