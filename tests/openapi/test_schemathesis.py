"""Schemathesis reads the document, asks the service as it thinks fit, and holds each answer against the document."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.openapi.conftest import Service

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
EXAMPLES = 4
ALIKE = """
search_series search_instances search_series_of_study search_instances_of_study retrieve_series study_metadata
series_metadata series_bulkdata instance_bulkdata series_pixeldata instance_pixeldata delete_series store_in_study
replace
"""
"""Functions with the code and the description of another one; so are those of a partition, and HEAD."""


def left_out() -> Iterator[str]:
    yield from ("--exclude-path-regex", "/partitions/", "--exclude-method", "HEAD")
    for name in ALIKE.split():
        yield from ("--exclude-operation-id", name)


def test_answers_are_those_that_are_described(service: Service) -> None:
    """The same requests each time; to look for more, run it with another seed, more examples and nothing left out."""
    command = [Path(sys.executable).with_name("st"), "--config-file", FOLDER / "schemathesis.toml"]
    options = [f"--header=Authorization: Bearer {service.token}", "--seed=1", f"--max-examples={EXAMPLES}"]
    done = subprocess.run(
        [*command, "run", f"{service.url}/v2/api.json", *options, *left_out(), "--continue-on-failure", "--no-color"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr
