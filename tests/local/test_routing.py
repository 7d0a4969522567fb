import pytest

from local.routing import Routes

TEMPLATES = (
    "{*path}",
    "health/check",
    "{version}/studies",
    "{version}/studies/summary",
    "{version}/studies/{study}",
    "{version}/studies/{study}/bulkdata",
    "{version}/studies/{study}/bulkdata/{*reference}",
    "{version}/partitions/{partition}/studies",
    "{version}/{resource}/{name}/studies",
)


@pytest.fixture(scope="module")
def routes() -> Routes[str]:
    made: Routes[str] = Routes()
    for template in TEMPLATES:
        made.add(template, ["GET"], template)
    made.add("{version}/studies", ["POST"], "store")
    return made


@pytest.mark.parametrize(
    ("path", "template", "parameters"),
    [
        ("/health/check", "health/check", {}),
        ("/Health/CHECK/", "health/check", {}),
        ("/v2/studies", "{version}/studies", {"version": "v2"}),
        ("/v2/studies/summary", "{version}/studies/summary", {"version": "v2"}),
        ("/v2/studies/1.2", "{version}/studies/{study}", {"version": "v2", "study": "1.2"}),
        (
            "/v2/partitions/A b/studies",
            "{version}/partitions/{partition}/studies",
            {"version": "v2", "partition": "A b"},
        ),
        ("/v2/x/y/studies", "{version}/{resource}/{name}/studies", {"version": "v2", "resource": "x", "name": "y"}),
        ("/v2/studies/1/bulkdata", "{version}/studies/{study}/bulkdata", {"version": "v2", "study": "1"}),
        (
            "/v2/studies/1/bulkdata/7FE00010/0",
            "{version}/studies/{study}/bulkdata/{*reference}",
            {"version": "v2", "study": "1", "reference": "7FE00010/0"},
        ),
        ("/v2/studies//bulkdata", "{*path}", {"path": "v2/studies//bulkdata"}),
        ("/", "{*path}", {"path": ""}),
        ("/v2/elsewhere", "{*path}", {"path": "v2/elsewhere"}),
    ],
)
def test_paths_lead_to_the_best_template(
    routes: Routes[str], path: str, template: str, parameters: dict[str, str]
) -> None:
    assert routes.find("GET", path) == (template, parameters)


def test_methods_tell_targets_apart(routes: Routes[str]) -> None:
    assert routes.find("POST", "/v2/studies") == ("store", {"version": "v2"})
    assert routes.find("DELETE", "/v2/studies") is None


def test_a_method_that_a_better_template_lacks_is_looked_for_in_others() -> None:
    routes: Routes[str] = Routes()
    routes.add("a/b", ["GET"], "exact")
    routes.add("{*path}", ["GET", "POST"], "rest")
    assert routes.find("POST", "/a/b") == ("rest", {"path": "a/b"})
