"""Extended query tags that are removed, and instances with errors that come and go."""

import time

from shared.services.known_tags import REMEMBERED_SECONDS
from tests.api.client import Api
from tests.api.query_tags.conftest import Added
from tests.api.query_tags.instances import IMAGES, NEW, OLD, REMOVED, counted
from tests.api.query_tags.tagging import TAGS, detail, disable, enable, found, patch, remove
from tests.instances import new_identity


def test_a_removed_tag_is_gone_from_every_answer_at_once(api: Api, shelf: Api, added: Added) -> None:
    assert found(shelf, f"series?{REMOVED}=12") == {added.stored[name].series for name in (OLD, NEW)}
    remove(api, REMOVED)
    assert REMOVED not in [each["path"] for each in api.get(TAGS).json()]
    for answer in (
        api.get(f"{TAGS}/{REMOVED}"),
        api.get(f"{TAGS}/{REMOVED}/errors"),
        patch(api, REMOVED, {"queryStatus": "Enabled"}),
        api.delete(f"{TAGS}/{REMOVED}"),
    ):
        assert answer.status_code == 404
        assert detail(answer) == f"The specified extended query tag with tag path '{REMOVED}' cannot be found."
    answer = shelf.get(f"/series?{REMOVED}=12")
    assert answer.status_code == 400
    assert f"AttributeId {REMOVED} is not queryable." in detail(answer)


def test_errors_go_with_their_instances(api: Api, old: Api, shelf: Api, added: Added) -> None:
    def counted_errors() -> set[str]:
        return {error["sopInstanceUid"] for error in api.get(f"{TAGS}/{IMAGES}/errors?limit=200").json()} & uids

    first, second = added.uncounted
    uids = {first.instance, second.instance}
    assert counted_errors() == uids
    before = api.get(f"{TAGS}/{IMAGES}").json()["errors"]["count"]
    assert shelf.delete(first.path).status_code == 204
    assert counted_errors() == {second.instance}
    assert shelf.store(counted(second, b"53"), method="PUT").status_code == 200
    assert counted_errors() == set()
    assert api.get(f"{TAGS}/{IMAGES}").json().get("errors", {"count": 0})["count"] == before - 2
    disable(api, IMAGES)
    enable(api, IMAGES)
    assert found(shelf, f"instances?{IMAGES}=53") == {second.instance}


def test_what_a_removed_tag_refused_is_taken_again(api: Api, old: Api, added: Added) -> None:
    bad = counted(new_identity(), b"many")
    assert old.store(bad).status_code == 409
    remove(api, IMAGES)
    time.sleep(REMEMBERED_SECONDS)
    assert old.store(bad).status_code == 200
