"""A service with access control, in which there is something of everything that its document describes."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.access.issuer import TestIssuer, issuing
from tests.api.client import Api
from tests.instances import Identity, dataset, part10
from tests.server import running

KEPT = Identity("1.2.3", "1.2.3.4", "1.2.3.4.5")
DOOMED = [Identity(f"9.{number}", "1.2.3.4", "1.2.3.4.5") for number in range(1, 5)]
TAGS = ["00101010", "00101020", "00101030"]


@dataclass(frozen=True, slots=True)
class Service:
    """``token`` is that of an owner of all data."""

    url: str
    token: str
    issuer: TestIssuer


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with issuing() as issuer:
        issuer.rotate("RS256", drop=True)
        with running(tmp_path_factory.mktemp("openapi") / "data", workers=1, settings=issuer.settings) as server:
            made = Service(server.url, issuer.token(roles=["DicomDataOwner"]), issuer)
            _fill(made)
            yield made


def _fill(made: Service) -> None:
    file = part10(dataset(KEPT, frames=2, PatientAge="054Y", EncapsulatedDocument=bytes(3000)))
    with httpx.Client(headers={"Authorization": f"Bearer {made.token}"}) as http:
        for partition in ("", "/partitions/p"):
            Api(http, f"{made.url}/v2{partition}").store(file).raise_for_status()
        for identity in DOOMED:
            Api(http, f"{made.url}/v2").store(part10(dataset(identity))).raise_for_status()
        tags = [{"path": tag, "level": "Study"} for tag in TAGS]
        http.post(f"{made.url}/v2/extendedquerytags", json=tags).raise_for_status()
