"""A worker that cloud plans keep ready: it learns app and settings only when the first request is there."""

from pathlib import Path

import httpx

from tests.instances import dataset, new_identity, part10
from tests.worker.app_functions import FUNCTIONS
from tests.worker.client import DICOM, Client
from tests.worker.host import worker_over


def test_a_specialized_worker_serves(tmp_path: Path, http: httpx.Client) -> None:
    data = tmp_path / "data"
    with worker_over(tmp_path, data, options=("--specialize",)) as worker:
        assert {function["name"] for function in worker.functions()} == {function.name for function in FUNCTIONS}
        assert "HttpUri" in worker.status()["init"]["capabilities"]
        client, identity = Client(http, worker.url), new_identity()
        file = part10(dataset(identity))
        assert client.ask("POST", "/v2/studies", DICOM, file).status == 200
        stored = client.ask("GET", f"/v2{identity.path}", {"Accept": "application/dicom; transfer-syntax=*"})
        assert stored.body == file
        assert (data / "index.sqlite").exists()
        assert worker.failures() == []
