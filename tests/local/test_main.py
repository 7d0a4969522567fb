import argparse
import os
from pathlib import Path

import pytest

from functions.gate import EMBEDDED
from local.__main__ import arguments, configure, is_loopback

SETTINGS = ("DICOM_BLOBS", "DICOM_INDEX", "DICOM_AUDIT", "DICOM_CORS_ORIGINS", "DICOM_INBOX")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.5.5.5", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("", False),
        ("no-such-host.invalid", False),
    ],
)
def test_only_loopback_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    "wrong", [["--host", "no-such-host.invalid"], ["--workers", "0"], ["--port", "http"], ["--unknown"]]
)
def test_wrong_arguments_are_refused(
    wrong: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["local", *wrong])
    with pytest.raises(SystemExit) as caught:
        arguments()
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without the settings; what is set in a test is undone."""
    for name in (*SETTINGS, EMBEDDED):
        monkeypatch.setenv(name, "before")
        monkeypatch.delenv(name)
    return monkeypatch


def chosen(blobs: str | None = None, index: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(data=Path("somewhere"), blobs=blobs, index=index)


def test_the_data_folder_holds_blobs_and_index(environment: pytest.MonkeyPatch) -> None:
    configure(chosen())
    assert [os.environ[name] for name in SETTINGS] == [
        "somewhere/blobs",
        "somewhere/index.sqlite",
        "somewhere/audit",
        "loopback",
        "somewhere/inbox",
    ]


def test_options_win_over_the_environment_and_that_over_defaults(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DICOM_BLOBS", "from the environment")
    environment.setenv("DICOM_INDEX", "from the environment")
    environment.setenv("DICOM_AUDIT", "from the environment")
    environment.setenv("DICOM_CORS_ORIGINS", "*")
    environment.setenv("DICOM_INBOX", "from the environment")
    configure(chosen(index="from the option"))
    assert [os.environ[name] for name in SETTINGS] == [
        "from the environment",
        "from the option",
        "from the environment",
        "*",
        "from the environment",
    ]


@pytest.mark.parametrize("blobs", ["azure:images", "https://account.blob.core.windows.net/images", "memory:"])
def test_a_folder_is_no_inbox_of_blobs_elsewhere(environment: pytest.MonkeyPatch, blobs: str) -> None:
    configure(chosen(blobs=blobs))
    assert "DICOM_INBOX" not in os.environ
