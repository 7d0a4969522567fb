"""In Microsoft's worker the service asks for tokens when an issuer is set, and does not start without one."""

from collections.abc import Iterator

import httpx
import pytest

from tests.access.forgeries import FORGERIES
from tests.access.issuer import TestIssuer, issuing
from tests.instances import dataset, new_identity, part10
from tests.worker.client import DICOM, Answer, Client
from tests.worker.host import RunningWorker, worker_over


@pytest.fixture(scope="module")
def issuer() -> Iterator[TestIssuer]:
    with issuing() as started:
        started.rotate("RS256", drop=True)
        yield started


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, issuer: TestIssuer) -> Iterator[RunningWorker]:
    folder = tmp_path_factory.mktemp("closed")
    with worker_over(folder, folder / "data", {"WEBSITE_INSTANCE_ID": "0"} | issuer.settings) as started:
        yield started


@pytest.fixture
def client(http: httpx.Client, closed: RunningWorker) -> Client:
    return Client(http, closed.url)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def refusal(answer: Answer) -> str:
    assert answer.status == 401
    return answer.header("www-authenticate")


def test_it_refuses_without_a_token_and_serves_with_one(client: Client, issuer: TestIssuer) -> None:
    identity = new_identity()
    file = part10(dataset(identity))
    assert "error" not in refusal(client.ask("POST", "/v2/studies", DICOM, file))
    for name in ("expired", "wrong audience", "no signature, alg none", "HS256 by the public key as PEM"):
        forged = client.ask("POST", "/v2/studies", DICOM | bearer(FORGERIES[name](issuer)), file)
        assert 'error="invalid_token"' in refusal(forged)
    reader, owner = bearer(issuer.token()), bearer(issuer.token(issuer.v2_app()))
    assert client.ask("GET", "/v2/studies", reader).status == 204
    assert client.ask("POST", "/v2/studies", DICOM | reader, file).status == 403
    assert client.ask("POST", "/v2/studies", DICOM | owner, file).status == 200
    found = client.ask("GET", f"/v2{identity.path}", reader | {"Accept": "application/dicom; transfer-syntax=*"})
    assert (found.status, found.body) == (200, file)
    refusal(client.ask("GET", f"/v2{identity.path}"))


def test_health_needs_no_token(client: Client) -> None:
    assert client.ask("GET", "/health/check").status == 200


def test_nothing_goes_wrong_unseen(closed: RunningWorker) -> None:
    assert closed.failures() == []


def test_without_an_issuer_it_does_not_start_in_azure(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("nobody")
    with (
        pytest.raises(AssertionError, match="DICOM_ISSUERS and DICOM_AUDIENCES are not set: nobody could be let in"),
        worker_over(folder, folder / "data", {"WEBSITE_INSTANCE_ID": "0"}),
    ):
        pass
