"""Every function is an event of a kind."""

import pytest

import function_app
from functions.registration import ROUTES
from shared.audit.events import EVENTS, REST, event_of

MAPPED = {
    "partition",
    "change-feed",
    "delete",
    "query",
    "retrieve",
    "retrieve-metadata",
    "store",
    "operation",
    "add-extended-query-tag",
    "remove-extended-query-tag",
    "get-all-extended-query-tags",
    "get-extended-query-tag",
    "get-extended-query-tag-errors",
    "update-extended-query-tag",
}
"""Subtypes of the services that there are, as the Microsoft DICOM server names them."""


def names() -> set[str]:
    assert function_app.app
    return {route.name.removesuffix("_in_partition") for route in ROUTES}


def test_the_table_names_functions_that_there_are() -> None:
    assert set(EVENTS) <= names()


def test_every_function_with_studies_in_its_path_is_in_the_table() -> None:
    assert function_app.app
    studies = {route.name.removesuffix("_in_partition") for route in ROUTES if "/studies" in route.template}
    assert studies <= set(EVENTS)


def test_the_subtypes_are_those_of_the_server_that_came_before() -> None:
    assert {event.subtype for event in EVENTS.values()} - MAPPED == {"retrieve-bulkdata", "upload"}
    assert {event.subtype for event in EVENTS.values()} >= MAPPED


def test_actions_are_those_of_fhir() -> None:
    assert {event.action for event in EVENTS.values()} == set("CRUDE")


@pytest.mark.parametrize(("method", "action"), [("GET", "R"), ("PUT", "U"), ("DELETE", "D"), ("POST", "E")])
def test_other_functions_are_plain_operations(method: str, action: str) -> None:
    event = event_of("some_function", method)
    assert (event.type, event.subtype, event.action) == (REST, "some-function", action)
