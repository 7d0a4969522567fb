"""The files that tell Azure Functions what the app is: host.json, the sample settings, and what is deployed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from shared.settings import Settings
from tests.server import ROOT
from tests.worker.host import deployed_files, sample_settings

HOST: dict[str, Any] = json.loads((ROOT / "host.json").read_text())
SAMPLE: dict[str, Any] = json.loads((ROOT / "local.settings.sample.json").read_text())
DEPLOYED = set(deployed_files())
PREFIX = "DICOM_"


def test_host_json_is_of_the_version_that_host_4_reads() -> None:
    assert HOST["version"] == "2.0"
    assert HOST["extensionBundle"]["id"] == "Microsoft.Azure.Functions.ExtensionBundle"
    assert re.match(r"\[4\.", HOST["extensionBundle"]["version"])


def test_urls_have_no_prefix() -> None:
    assert HOST["extensions"]["http"]["routePrefix"] == ""


def test_functions_may_run_longer_than_a_request_may_wait() -> None:
    """The load balancer gives up after 230 seconds without a byte; bodies may take longer."""
    hours, minutes, seconds = map(int, HOST["functionTimeout"].split(":"))
    assert hours * 3600 + minutes * 60 + seconds >= 230


def test_sample_settings_are_strings_in_the_clear() -> None:
    assert SAMPLE["IsEncrypted"] is False
    assert all(isinstance(value, str) for value in SAMPLE["Values"].values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FUNCTIONS_WORKER_RUNTIME", "python"),
        # Without it workers before Python 3.13 don't stream bodies.
        ("PYTHON_ENABLE_INIT_INDEXING", "1"),
        # Timer functions keep their schedule there.
        ("AzureWebJobsStorage", "UseDevelopmentStorage=true"),
    ],
)
def test_sample_settings_are_what_the_host_needs(name: str, value: str) -> None:
    assert sample_settings()[name] == value


def test_sample_settings_of_ours_exist() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert {name for name in sample_settings() if name.startswith(PREFIX)} <= known


def test_sample_settings_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sample_settings().items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.blobs == sample_settings()["DICOM_BLOBS"]
    assert settings.index == sample_settings()["DICOM_INDEX"]


def test_what_runs_is_deployed() -> None:
    """That nothing else is needed, the worker tests show: they run what is deployed."""
    modules = {path.relative_to(ROOT) for folder in ("functions", "shared") for path in (ROOT / folder).rglob("*.py")}
    assert modules | {Path("function_app.py"), Path("host.json"), Path("requirements.txt")} <= DEPLOYED


def test_nothing_else_is_deployed() -> None:
    folders = {path.parts[0] for path in DEPLOYED if len(path.parts) > 1}
    assert folders == {"functions", "shared"}
    assert not {path.name for path in DEPLOYED} & {"local.settings.json", "Makefile", "requirements-dev.txt"}
    assert not [path for path in DEPLOYED if path.suffix == ".pyc"]
