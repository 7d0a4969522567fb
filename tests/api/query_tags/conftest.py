"""Tags are added once for all these tests: an index may take most of a minute to be sure that every process knows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.client import Api
from tests.api.files import without_pixels
from tests.api.query_tags.instances import ACQUISITION, ALL, ENTRIES, FILMS, NEW, OLD, aged, counted, various
from tests.api.query_tags.tagging import TAGS, add, entry, patch, post, wait
from tests.instances import Identity, new_identity


@dataclass(frozen=True, slots=True)
class Added:
    """What was stored before the tags were added, what was answered then, meanwhile and right after.

    ``few`` has 3 films and ``many`` 12; ``good`` has a good age, ``bad`` have bad ones, and that of ``dropped`` was so
    bad that version 2 left it out; ``uncounted`` have bad counts of images. ``stored`` are the old and new instance
    with values of every VR. ``tags`` are the tags as they were when they had been indexed.
    """

    few: Identity
    many: Identity
    bad: tuple[Identity, Identity]
    good: Identity
    dropped: Identity
    uncounted: tuple[Identity, Identity]
    stored: dict[str, Identity]
    started: httpx.Response
    meanwhile: dict[str, httpx.Response]
    ended: dict[str, Any]
    tags: dict[str, dict[str, Any]]


@pytest.fixture(scope="package")
def shelf(api: Api) -> Api:
    """A data partition that these tests share."""
    return Api(api.http, f"{api.base}/partitions/p-{uuid4().hex}")


@pytest.fixture(scope="package")
def old(shelf: Api) -> Api:
    """The same partition in version 1."""
    return Api(shelf.http, shelf.base.replace("/v2/", "/v1/"))


@pytest.fixture(scope="package")
def added(api: Api, shelf: Api, old: Api) -> Iterator[Added]:
    few, many, first, second, good, dropped, before, after = (new_identity() for _ in range(8))
    shelf.keep(
        without_pixels(few, NumberOfFilms="03", PatientSex="O"),
        without_pixels(many, NumberOfFilms="12", PatientSex="M"),
        aged(dropped, b"baz "),
        various(before, 0),
    )
    old.keep(aged(first, b"foo "), aged(second, b"bar "), aged(good, b"053Y"))
    uncounted = new_identity(), new_identity()
    old.keep(*(counted(identity, b"many") for identity in uncounted))
    started = add(api, *ENTRIES)
    meanwhile = {
        "tag": api.get(f"{TAGS}/{FILMS}"),
        "add": post(api, [entry("00181030")]),
        "delete": api.delete(f"{TAGS}/{FILMS}"),
        "change": patch(api, ACQUISITION, {"queryStatus": "Disabled"}),
        "search": shelf.get(f"/studies?{FILMS}=3"),
        "sex": shelf.get("/studies?PatientSex=O"),
    }
    patch(api, ACQUISITION, {"queryStatus": "Enabled"})
    ended = wait(api, started)
    tags = {path: api.get(f"{TAGS}/{path}").json() for path in ALL}
    shelf.keep(various(after, 1, blocks_before=2))
    stored = {OLD: before, NEW: after}
    yield Added(few, many, (first, second), good, dropped, uncounted, stored, started, meanwhile, ended, tags)
    for path in ALL:
        api.delete(f"{TAGS}/{path}")
