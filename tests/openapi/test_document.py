"""The document says of every function what the tables of the code and the conformance statement say."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

import function_app
from functions.registration import ROUTES, RegisteredRoute
from functions.store import METADATA_TYPES
from shared.dicom.attributes import SEARCHABLE
from shared.dicom.model import Level
from shared.dicomweb import query
from shared.dicomweb.feed_query import LIMITS
from shared.dicomweb.media_types import DICOM
from shared.openapi.answers import ANYWHERE, GUARDED, READING
from shared.openapi.document import IN_PARTITION, ROOT, document
from shared.openapi.functions import FUNCTIONS
from shared.openapi.writing import JSON, OPENAPI, YAML, Format
from tests.test_conformance import PARTITIONED, UNPARTITIONED, code, table

assert function_app.app

HEAD = {"openapi": OPENAPI, "servers": [{"url": "https://dicom.example.org/v2"}]}
PROVIDERS = [f"https://login.example.org/{name}/.well-known/openid-configuration" for name in ("a", "b")]
DESCRIBED = [route for route in ROUTES if route.template.startswith(ROOT)]


def operation(of: dict[str, Any], route: RegisteredRoute, method: str) -> dict[str, Any]:
    path = route.template.removeprefix(ROOT).replace("{*", "{")
    found: dict[str, Any] = of["paths"][path][method.lower()]
    return found


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("providers", [[], PROVIDERS], ids=["open", "closed"])
def test_it_is_valid(version: int, providers: list[str]) -> None:
    validate(HEAD | document(ROUTES, version, providers))


def test_every_function_below_a_version_has_a_row_and_every_row_a_function() -> None:
    assert {route.name.removesuffix(IN_PARTITION) for route in DESCRIBED} == set(FUNCTIONS)


def test_every_function_is_an_operation_of_its_name_for_each_method() -> None:
    made = document(ROUTES, 2)
    for route in DESCRIBED:
        for method in route.methods:
            name = f"{route.name}_head" if method == "HEAD" else route.name
            assert operation(made, route, method)["operationId"] == name
    assert sum(len(methods) for methods in made["paths"].values()) == sum(len(route.methods) for route in DESCRIBED)


def stated() -> Iterator[tuple[str, str, set[int]]]:
    """Template, method and statuses of each row of the conformance statement."""
    for heading in (*PARTITIONED, *UNPARTITIONED):
        for row in table(heading):
            (path,) = code(row["Path"])
            template = f"{ROOT}{path}" if heading in PARTITIONED else path.removeprefix("/")
            for method in row["Method"].split(", "):
                yield template, method, set(map(int, row["Statuses"].split()))


def test_statuses_are_those_of_the_conformance_statement() -> None:
    common = {*ANYWHERE, *GUARDED, *READING}
    made, statuses = document(ROUTES, 2), {(template, method): answers for template, method, answers in stated()}
    for route in DESCRIBED:
        for method in route.methods:
            shown = {int(status) for status in operation(made, route, method)["responses"]}
            plain = route.template.replace("/partitions/{partition}", "")
            assert shown - common == statuses[plain, method] - common, route.name
            assert shown >= {*ANYWHERE, *(GUARDED if route.action else ())}, route.name


def test_parameters_of_paths_are_declared() -> None:
    made = document(ROUTES, 2)
    for route in DESCRIBED:
        shown = [named(made, "parameters", each) for each in operation(made, route, route.methods[0])["parameters"]]
        in_path = {each["name"] for each in shown if each["in"] == "path"}
        assert in_path == set(re.findall(r"\{\*?(\w+)\}", route.template)) - {"version"}
        assert all(each["required"] for each in shown if each["in"] == "path")


def named(made: dict[str, Any], kind: str, reference: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = made["components"][kind][reference["$ref"].rpartition("/")[2]]
    return found


def queried(version: int, name: str) -> dict[str, dict[str, Any]]:
    """The query parameters of a function."""
    made = document(ROUTES, version)
    (route,) = (route for route in DESCRIBED if route.name == name)
    shown = [named(made, "parameters", each) for each in operation(made, route, "GET")["parameters"]]
    return {each["name"]: each["schema"] for each in shown if each["in"] == "query"}


def test_searches_take_the_searchable_attributes_that_the_path_does_not_name() -> None:
    keywords = {attribute.keyword for attribute in SEARCHABLE}
    assert queried(2, "search_instances").keys() == query._CONTROLS | keywords
    assert queried(2, "search_instances_of_study").keys() == query._CONTROLS | keywords - {"StudyInstanceUID"}
    studies = {attribute.keyword for attribute in SEARCHABLE if attribute.level is Level.STUDY}
    assert queried(2, "search_studies").keys() == query._CONTROLS | studies


def test_the_change_feed_differs_between_versions() -> None:
    first, second = queried(1, "change_feed"), queried(2, "change_feed")
    assert second.keys() - first.keys() == {"startTime", "endTime"}
    assert (first["limit"]["default"], first["limit"]["maximum"]) == LIMITS[1]
    assert (second["limit"]["default"], second["limit"]["maximum"]) == LIMITS[2]


def test_stores_take_what_the_function_takes() -> None:
    assert set(FUNCTIONS["store"].takes) == {
        DICOM,
        *(f'multipart/related; type="{media_type}"' for media_type in METADATA_TYPES | {DICOM}),
    }


def test_tokens_are_asked_for_by_all_that_not_everyone_may_call() -> None:
    made = document(ROUTES, 2, PROVIDERS)
    assert made["security"] == [{name: []} for name in made["components"]["securitySchemes"]]
    urls = {scheme.get("openIdConnectUrl") for scheme in made["components"]["securitySchemes"].values()}
    assert urls == {None, *PROVIDERS}
    free = {route.name for route in DESCRIBED if operation(made, route, route.methods[0]).get("security") == []}
    assert free == {route.name for route in DESCRIBED if route.action is None} == {"openapi_json", "openapi_yaml"}
    assert document(ROUTES, 2)["security"] == []


@pytest.mark.parametrize("form", [JSON, YAML], ids=lambda form: form.media_type)
def test_what_is_written_in_two_parts_is_one_document(form: Format) -> None:
    made = document(ROUTES, 2)
    assert yaml.safe_load(form.join(form.write(HEAD), form.write(made))) == HEAD | json.loads(json.dumps(made))


def test_the_function_app_starts_without_it() -> None:
    """Tables and YAML are seldom asked for, and a cold start is waited for."""
    program = "import sys, function_app; print(*sorted({'yaml', 'shared.openapi.document'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"
