"""Extended query tags that are removed and added again, and instances that come and go meanwhile."""

import time
from collections.abc import Iterator

import pytest

from shared.services.known_tags import REMEMBERED_SECONDS
from tests.api.client import Api
from tests.api.files import by_hand
from tests.api.tagging import TAGS, add, detail, enable, entry, found, private, private_path, remove, wait, with_private
from tests.dicom.building import explicit
from tests.instances import Identity, new_identity

SITE = private_path(0x30)
IMAGES = "00201002"


@pytest.fixture
def left_over(api: Api) -> Iterator[None]:
    """Removes what a test that failed has left."""
    yield
    for path in (SITE, IMAGES):
        api.delete(f"{TAGS}/{path}")


def counted(identity: Identity, images: bytes) -> bytes:
    return by_hand(identity, explicit(0x00201002, "IS", images))


@pytest.mark.usefixtures("left_over")
def test_what_was_indexed_before_is_not_found_after(api: Api, shelf: Api) -> None:
    """A tag of the same path with another VR and level has nothing of the first one's values and errors."""
    text, number = new_identity(), new_identity()
    shelf.keep(with_private(text, {0x30: ("SH", "12")}), with_private(number, {0x30: ("IS", "12")}))

    wait(api, add(api, private(0x30, "SH", "Series")))
    first = api.get(f"{TAGS}/{SITE}").json()
    assert (first["queryStatus"], first["errors"]["count"]) == ("disabled", 1)
    assert [error["sopInstanceUid"] for error in api.get(f"{TAGS}/{SITE}/errors").json()] == [number.instance]
    enable(api, SITE)
    assert found(shelf, f"series?{SITE}=12") == {text.series}

    remove(api, SITE)
    assert api.get(f"{TAGS}/{SITE}").status_code == 404
    assert api.get(f"{TAGS}/{SITE}/errors").status_code == 404
    assert SITE not in [each["path"] for each in api.get(TAGS).json()]
    answer = shelf.get(f"/series?{SITE}=12")
    assert answer.status_code == 400
    assert f"AttributeId {SITE} is not queryable." in detail(answer)

    started = add(api, private(0x30, "IS", "Instance"))
    meanwhile = api.get(f"{TAGS}/{SITE}").json()
    assert (meanwhile["vr"], meanwhile["level"], meanwhile["status"]) == ("IS", "instance", "adding")
    wait(api, started)
    second = api.get(f"{TAGS}/{SITE}").json()
    assert (second["queryStatus"], second["errors"]["count"]) == ("disabled", 1)
    assert [error["sopInstanceUid"] for error in api.get(f"{TAGS}/{SITE}/errors").json()] == [text.instance]
    enable(api, SITE)
    assert found(shelf, f"instances?{SITE}=12") == {number.instance}
    assert shelf.get(f"/series?{SITE}=12").status_code == 400
    remove(api, SITE)


@pytest.mark.usefixtures("left_over")
def test_errors_go_with_their_instances(api: Api, shelf: Api) -> None:
    old = Api(shelf.http, shelf.base.replace("/v2/", "/v1/"))
    first, second = new_identity(), new_identity()
    old.keep(counted(first, b"foo "), counted(second, b"bar "))
    wait(api, add(api, entry(IMAGES)))
    assert api.get(f"{TAGS}/{IMAGES}").json()["errors"]["count"] == 2

    assert shelf.delete(first.path).status_code == 204
    assert api.get(f"{TAGS}/{IMAGES}").json()["errors"]["count"] == 1
    assert shelf.store(counted(second, b"53"), method="PUT").status_code == 200
    assert "errors" not in api.get(f"{TAGS}/{IMAGES}").json()
    assert api.get(f"{TAGS}/{IMAGES}/errors").json() == []
    assert api.get(f"{TAGS}/{IMAGES}").json()["queryStatus"] == "disabled"
    enable(api, IMAGES)
    answer = shelf.get(f"/instances?{IMAGES}=53")
    assert [match["00080018"]["Value"] for match in answer.json()] == [[second.instance]]
    assert "erroneous-dicom-attributes" not in answer.headers
    assert old.store(counted(first, b"foo ")).status_code == 409
    remove(api, IMAGES)
    time.sleep(REMEMBERED_SECONDS)
    assert old.store(counted(first, b"foo ")).status_code == 200
