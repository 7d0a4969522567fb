"""DELETE of studies, series and instances."""

import pytest

from tests.api.client import Api
from tests.api.files import native
from tests.instances import Identity, new_identity, new_uid

LEVELS = ["study", "series", "instance"]
PIXELS = bytes(512)

every_level = pytest.mark.parametrize("level", LEVELS)


def path_of(identity: Identity, level: str) -> str:
    study = f"/studies/{identity.study}"
    return {"study": study, "series": f"{study}/series/{identity.series}", "instance": identity.path}[level]


@pytest.fixture
def tree(api: Api) -> list[Identity]:
    """A study of two series with two instances each; the first instance is the one to be deleted."""
    study, first, second = new_uid(), new_uid(), new_uid()
    identities = [new_identity(study, series) for series in (first, first, second, second)]
    api.keep(*(native(identity, PIXELS) for identity in identities))
    return identities


REMAIN = {"instance": 3, "series": 2, "study": 0}


@every_level
def test_what_is_deleted_is_gone_and_its_siblings_are_not(api: Api, tree: list[Identity], level: str) -> None:
    target, study = tree[0], tree[0].study
    answer = api.delete(path_of(target, level))
    assert (answer.status_code, answer.content) == (204, b"")
    left = tree[len(tree) - REMAIN[level] :]
    for identity in tree:
        expected = 200 if identity in left else 404
        for resource in ("", "/metadata", "/frames/1", "/bulkdata/7FE00010", "/bulkdata", "/pixeldata"):
            assert api.get(identity.path + resource).status_code == expected
    found = api.search(f"studies/{study}/instances")
    assert {match["00080018"]["Value"][0] for match in found} == {identity.instance for identity in left}
    series = {identity.series for identity in left}
    assert {match["0020000E"]["Value"][0] for match in api.search(f"studies/{study}/series")} == series
    assert len(api.search(f"studies?StudyInstanceUID={study}")) == bool(left)


@every_level
def test_parents_go_with_their_last_child(api: Api, level: str) -> None:
    identity = new_identity()
    api.keep(native(identity, PIXELS))
    assert api.delete(path_of(identity, level)).status_code == 204
    for parent in LEVELS:
        assert api.get(path_of(identity, parent)).status_code == 404
        assert api.get(f"{path_of(identity, parent)}/metadata").status_code == 404
    assert api.search(f"studies?StudyInstanceUID={identity.study}") == []


@every_level
def test_the_second_time_is_404(api: Api, level: str) -> None:
    identity = new_identity()
    api.keep(native(identity, PIXELS))
    assert api.delete(path_of(identity, level)).status_code == 204
    again = api.delete(path_of(identity, level))
    assert again.status_code == 404
    assert again.json()["detail"] == f"The specified {level} cannot be found."


@every_level
def test_what_never_was_there_is_404(api: Api, level: str) -> None:
    assert api.delete(path_of(new_identity(), level)).status_code == 404


@pytest.mark.parametrize("level", ["series", "instance"])
def test_nothing_is_deleted_under_the_wrong_parent(api: Api, tree: list[Identity], level: str) -> None:
    wrong = Identity(new_uid(), tree[0].series, tree[0].instance)
    assert api.delete(path_of(wrong, level)).status_code == 404
    assert len(api.metadata(f"/studies/{tree[0].study}")) == 4


@every_level
@pytest.mark.parametrize("bad", ["abc.123", "11%7C", "1.", "1" * 65, "1.2%2F3"])
def test_bad_uids_are_400(api: Api, level: str, bad: str) -> None:
    identity = new_identity()
    wrong = {
        "study": Identity(bad, identity.series, identity.instance),
        "series": Identity(identity.study, bad, identity.instance),
        "instance": Identity(identity.study, identity.series, bad),
    }[level]
    answer = api.delete(path_of(wrong, level))
    assert answer.status_code == (404 if "%2F" in bad else 400)


@every_level
@pytest.mark.parametrize("accept", ["image/jpeg", "application/dicom", "text/html"])
def test_accept_does_not_matter(api: Api, level: str, accept: str) -> None:
    identity = new_identity()
    api.keep(native(identity, PIXELS))
    assert api.request("DELETE", path_of(identity, level), accept=accept).status_code == 204


@every_level
def test_the_same_uids_can_be_stored_again_at_once(api: Api, level: str) -> None:
    identity = new_identity()
    api.keep(native(identity, PIXELS))
    before = api.head(identity.path).headers["etag"]
    assert api.delete(path_of(identity, level)).status_code == 204
    file = native(identity, bytes(range(256)) * 2, PatientID="afterwards")
    assert api.store(file).status_code == 200
    assert api.get(identity.path, "application/dicom").content == file
    assert api.head(identity.path).headers["etag"] != before
    assert api.search(f"studies?StudyInstanceUID={identity.study}&PatientID=afterwards")


def test_what_a_deleted_instance_said_of_its_study_is_forgotten_with_the_study(api: Api) -> None:
    identity = new_identity()
    api.keep(native(identity, PIXELS, StudyDescription="old"))
    assert api.delete(f"/studies/{identity.study}").status_code == 204
    api.keep(native(new_identity(identity.study), PIXELS))
    (found,) = api.search(f"studies?StudyInstanceUID={identity.study}&includefield=StudyDescription")
    assert "00081030" not in found or "Value" not in found["00081030"]
