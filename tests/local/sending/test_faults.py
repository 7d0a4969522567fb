"""``python -m local store`` when something goes wrong: what is tried again, what is given up, what is told."""

import json
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.instances import dataset, new_identity, part10
from tests.local.sending.conftest import Command, Files, Service
from tests.local.sending.proxy import Proxy, Received, Reply
from tests.local.sending.test_sending import counts
from tests.server import RunningServer

FILES = 40


def parts_of(received: Received) -> int:
    return received.body.count(b"Content-Type: application/dicom")


def stores(proxy: Proxy) -> list[Received]:
    return [received for received in proxy.received if received.path.endswith("/studies")]


def slowly(received: Received) -> None:
    """Let the service take its time, so that a test can step in."""
    time.sleep(0.1)


def wait_for(proxy: Proxy, requests: int) -> None:
    deadline = time.monotonic() + 60
    while len(proxy.received) < requests:
        assert time.monotonic() < deadline, "The command sends nothing."
        time.sleep(0.01)


def test_small_files_share_requests(store_by_proxy: Command, proxy: Proxy, files: Files) -> None:
    files.add_many(FILES)
    assert store_by_proxy(files.folder, "--batch", "15").returncode == 0
    assert sorted(parts_of(received) for received in stores(proxy)) == [10, 15, 15]


def test_requests_are_in_parallel_up_to_a_bound(store_by_proxy: Command, proxy: Proxy, files: Files) -> None:
    files.add_many(FILES)
    lock = threading.Lock()
    under_way: Counter[str] = Counter()

    def counting(received: Received) -> Reply:
        with lock:
            under_way["now"] += 1
            under_way["most"] = max(under_way["most"], under_way["now"])
        time.sleep(0.1)
        with lock:
            under_way["now"] -= 1
        return Reply(200)

    proxy.rule = counting
    assert store_by_proxy(files.folder, "--batch", "1", "--parallel", "3").returncode == 0
    assert under_way["most"] == 3


def test_a_killed_run_is_taken_up_where_it_was(
    store_by_proxy: Command, proxy: Proxy, service: Service, files: Files
) -> None:
    identities = files.add_many(FILES)
    proxy.rule = slowly
    killed = store_by_proxy.begin(files.folder, "--batch", "1", "--parallel", "2")
    wait_for(proxy, FILES // 2)
    killed.kill()
    killed.communicate()
    before = len(service.instances())
    assert FILES // 2 - 2 <= before < FILES
    proxy.received.clear()
    ran = store_by_proxy(files.folder, "--batch", "1")
    told = counts(ran.stdout)
    assert ran.returncode == 0
    assert service.instances() == {identity.instance for identity in identities}
    assert len(stores(proxy)) == told["stored"] + told["already there"] == FILES - told["sent before"]
    assert told["sent before"] >= before - 2


def test_an_interrupted_run_ends_with_its_summary(
    store_by_proxy: Command, proxy: Proxy, service: Service, files: Files
) -> None:
    files.add_many(FILES)
    proxy.rule = slowly
    report = files.folder.parent / "report.json"
    process = store_by_proxy.begin(files.folder, "--batch", "1", "--parallel", "2", "--report", str(report))
    wait_for(proxy, 5)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert 3 <= counts(output)["stored"] < FILES
    assert errors == "Interrupted. The same command sends the rest.\n"
    assert len(json.loads(report.read_text())) == counts(output)["stored"] <= len(service.instances())


def test_a_restart_of_the_service_is_waited_for(store_by_proxy: Command, files: Files, tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "data", workers=1)
    server.start()
    try:
        identities = files.add_many(FILES)
        store_by_proxy.url = server.url
        process = store_by_proxy.begin(files.folder, "--batch", "1", "--parallel", "2")
        service = Service(server, store_by_proxy.partition)
        while not service.instances():
            assert process.poll() is None
        server.kill()
        server.start()
        output, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors
        assert counts(output)["failed"] == 0
        assert service.instances() == {identity.instance for identity in identities}
    finally:
        server.kill()


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_given_the_time_that_it_asks_for(
    store_by_proxy: Command, proxy: Proxy, service: Service, files: Files, status: int
) -> None:
    files.add_many(8)
    proxy.rule = lambda _: Reply(status, headers={"Retry-After": "2"}) if len(proxy.received) == 1 else None
    ran = store_by_proxy(files.folder, "--batch", "1", "--parallel", "1")
    assert ran.returncode == 0
    assert len(service.instances()) == 8
    first, second, *_ = stores(proxy)
    assert second.at - first.at >= 2


def test_a_file_that_breaks_the_connection_takes_no_other_with_it(
    store_by_proxy: Command, proxy: Proxy, service: Service, files: Files
) -> None:
    identities = files.add_many(8)
    bad = identities[3]
    proxy.rule = lambda received: Reply(0) if bad.instance.encode() in received.body else None
    ran = store_by_proxy(files.folder, "--parallel", "1")
    assert ran.returncode == 1
    assert f"{files.folder / '003.dcm'} failed: The connection broke" in ran.stderr
    assert service.instances() == {identity.instance for identity in identities} - {bad.instance}


def test_a_service_that_fails_at_everything_is_given_up(store_by_proxy: Command, proxy: Proxy, files: Files) -> None:
    files.add_many(FILES)
    proxy.rule = lambda _: Reply(500, b'{"detail": "It is out of order."}')
    ran = store_by_proxy(files.folder, "--batch", "1", "--parallel", "20")
    assert ran.returncode == 2
    assert "Stopped. The server answered 500: It is out of order." in ran.stderr
    assert len(proxy.received) < 3 * FILES


def test_an_instance_that_fails_in_passing_is_tried_again(
    store_by_proxy: Command, proxy: Proxy, service: Service, files: Files
) -> None:
    first, second = files.add("a.dcm"), files.add("b.dcm")
    answer = {"00081198": {"vr": "SQ", "Value": [_failed(first.instance, 0x0110), _failed(second.instance, 0xB00F)]}}
    proxy.rule = lambda _: Reply(409, json.dumps(answer).encode()) if len(proxy.received) == 1 else None
    ran = store_by_proxy(files.folder)
    assert ran.returncode == 0
    assert counts(ran.stdout)["stored"] == 2
    assert [parts_of(received) for received in stores(proxy)] == [2, 1, 1]


def _failed(uid: str, code: int) -> dict[str, object]:
    return {"00081155": {"vr": "UI", "Value": [uid]}, "00081197": {"vr": "US", "Value": [code]}}


@pytest.mark.parametrize(
    ("reply", "hint"),
    [
        (Reply(401), "DICOM_TOKEN"),
        (Reply(403), "may not store there"),
        (Reply(404), "/v2"),
        (Reply(307, headers={"Location": "https://elsewhere.example/"}), "URL"),
    ],
)
def test_a_refusal_ends_the_run(store_by_proxy: Command, proxy: Proxy, files: Files, reply: Reply, hint: str) -> None:
    files.add_many(FILES)
    proxy.rule = lambda _: reply
    ran = store_by_proxy(files.folder, "--batch", "1", "--parallel", "4")
    assert ran.returncode == 2
    assert f"The server answered {reply.status}." in ran.stderr
    assert hint in ran.stderr
    assert len(proxy.received) <= 8


def test_the_token_goes_to_the_service_only(store_by_proxy: Command, proxy: Proxy, files: Files) -> None:
    files.add("a.dcm")
    proxy.rule = lambda received: _too_large(received, "http://localhost" + proxy.url.removeprefix("http://127.0.0.1"))
    store_by_proxy.environment["DICOM_TOKEN"] = "from-the-environment"
    assert store_by_proxy(files.folder).returncode == 0
    stored, offered, uploaded = proxy.received
    assert stored.headers["Authorization"] == offered.headers["Authorization"] == "Bearer from-the-environment"
    assert "Authorization" not in uploaded.headers
    proxy.rule = lambda _: Reply(200)
    assert store_by_proxy(files.folder, "--no-resume", "--token", "given").returncode == 0
    assert proxy.received[-1].headers["Authorization"] == "Bearer given"


def _too_large(received: Received, uploads: str, status: int = 201) -> Reply:
    if received.path.endswith("/studies"):
        return Reply(413, b'{"title": "Payload too large"}')
    if received.path.endswith("/uploads"):
        offer = {"url": f"{uploads}/inbox/a%2Fb?sig=x%2By", "method": "PUT", "headers": {"x-ms-blob-type": "BlockBlob"}}
        return Reply(201, json.dumps(offer).encode())
    return Reply(status)


def test_what_is_too_large_is_handed_over_for_import(store_by_proxy: Command, proxy: Proxy, files: Files) -> None:
    content = part10(dataset(new_identity(), side=3000))
    (files.folder / "large.dcm").write_bytes(content)
    proxy.rule = lambda received: _too_large(received, proxy.url)
    ran = store_by_proxy(files.folder)
    assert ran.returncode == 0
    assert counts(ran.stdout)["handed over for import"] == 1
    offered, uploaded = proxy.received[-2:]
    assert (offered.method, offered.path) == ("POST", f"/v2/partitions/{store_by_proxy.partition}/uploads")
    assert (uploaded.method, uploaded.path) == ("PUT", "/inbox/a%2Fb?sig=x%2By")
    assert uploaded.headers["x-ms-blob-type"] == "BlockBlob"
    assert uploaded.body == content
    assert counts(store_by_proxy(files.folder).stdout)["sent before"] == 1


def test_an_upload_that_fails_is_a_failure(store_by_proxy: Command, proxy: Proxy, files: Files) -> None:
    files.add("a.dcm")
    proxy.rule = lambda received: _too_large(received, proxy.url, status=403)
    ran = store_by_proxy(files.folder)
    assert ran.returncode == 1
    assert "Its upload for import failed. The server answered 403." in ran.stderr


def test_what_is_handed_over_is_imported(store_by_proxy: Command, proxy: Proxy, service: Service, files: Files) -> None:
    small, large = files.add("small.dcm"), files.add("large.dcm", side=3000)
    limit = (files.folder / "large.dcm").stat().st_size
    proxy.rule = lambda received: (
        Reply(413) if received.path.endswith("/studies") and len(received.body) > limit else None
    )
    ran = store_by_proxy(files.folder)
    assert ran.returncode == 0, ran.stderr
    assert counts(ran.stdout)["stored"] == counts(ran.stdout)["handed over for import"] == 1
    deadline = time.monotonic() + 30
    while service.instances() != {small.instance, large.instance}:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_without_a_place_to_upload_to_the_way_out_is_told(store_by_proxy: Command, proxy: Proxy, files: Files) -> None:
    files.add("large.dcm")
    proxy.rule = lambda received: Reply(413 if received.path.endswith("/studies") else 404)
    ran = store_by_proxy(files.folder)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"{files.folder / 'large.dcm'} failed: The server takes no request as large as this (413)")
    assert "inbox" in line


def test_a_request_over_the_limit_of_the_service_is_taken_apart(
    store_by_proxy: Command, files: Files, tmp_path: Path
) -> None:
    small = files.add_many(5)
    files.add("large.dcm", side=4096)
    server = RunningServer(tmp_path / "data", workers=1, settings={"DICOM_MAX_REQUEST_BYTES": "4000"})
    server.start()
    try:
        store_by_proxy.url = server.url
        ran = store_by_proxy(files.folder)
        assert (counts(ran.stdout)["stored"], counts(ran.stdout)["failed"]) == (5, 1)
        assert Service(server, store_by_proxy.partition).instances() == {identity.instance for identity in small}
        (line,) = [line for line in ran.stderr.splitlines() if " failed: " in line]
        assert "413" in line
    finally:
        server.stop()


def test_without_a_terminal_a_line_tells_how_it_goes(store_by_proxy: Command, proxy: Proxy, files: Files) -> None:
    files.add_many(2)

    def slow(received: Received) -> Reply:
        time.sleep(2.6)
        return Reply(200)

    proxy.rule = slow
    ran = store_by_proxy(files.folder, "--batch", "1", "--parallel", "1")
    assert ran.returncode == 0
    assert any(line.endswith("sent, 2 files, 0 failed") for line in ran.stderr.splitlines())
