"""A service that lets in the callers of one issuer only, with roles of its own. One process, so that all share it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.access.issuer import TestIssuer, issuing
from tests.api.access.asking import Callers
from tests.api.client import Api
from tests.instances import Identity, dataset, new_identity, part10
from tests.server import RunningServer, running

ROLES = [
    {"name": "Writer", "actions": ["write"]},
    {"name": "Eraser", "actions": ["delete"]},
    {"name": "Tagger", "actions": ["manageExtendedQueryTags"]},
    {"name": "Exporter", "actions": ["export"]},
    {"name": "Keeper", "actions": ["*"], "notActions": ["delete", "export"]},
    {"name": "ReaderA", "actions": ["read"], "partitions": ["p-a"]},
    {"name": "ReaderB", "actions": ["read"], "partitions": ["p-b"]},
    {"name": "ReaderP", "actions": ["read"], "partitions": ["p-*"]},
    {"name": "ReaderDefault", "actions": ["read"], "partitions": ["Microsoft.Default"]},
    {"name": "WriterB", "actions": ["write"], "partitions": ["p-b"]},
    {"name": "EraserB", "actions": ["delete"], "partitions": ["p-b"]},
    {"name": "OwnerA", "actions": ["*"], "partitions": ["p-a"]},
]

NO_AGE = b"old "
"""A value of PatientAge that can't be indexed."""


@pytest.fixture(scope="session")
def issuer() -> Iterator[TestIssuer]:
    with issuing() as started:
        started.rotate("RS256", drop=True)
        yield started


@pytest.fixture(scope="session")
def closed(issuer: TestIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    settings = issuer.settings | {"DICOM_ROLES": json.dumps(ROLES)}
    with running(tmp_path_factory.mktemp("access") / "data", workers=1, settings=settings) as started:
        yield started


@pytest.fixture(scope="session")
def callers(issuer: TestIssuer, closed: RunningServer) -> Iterator[Callers]:
    with ExitStack() as clients:
        yield Callers(issuer, closed.url, clients)


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60.0) as client:
        yield client


@pytest.fixture(scope="session")
def kept(callers: Callers) -> dict[str | None, Identity]:
    """One instance in each of the default partition, ``p-a`` and ``p-b``, by partition, of a patient Secret."""
    found: dict[str | None, Identity] = {}
    for partition in (None, "p-a", "p-b"):
        found[partition] = new_identity()
        name = f"Secret^{partition}"
        file = part10(dataset(found[partition], PatientName=name, PatientAge="054Y")).replace(b"054Y", NO_AGE)
        version2 = callers.api("DicomDataOwner", partition=partition)
        version1 = Api(version2.http, version2.base.replace("/v2", "/v1"))  # which keeps values that are wrong
        version1.store(file).raise_for_status()
    return found
