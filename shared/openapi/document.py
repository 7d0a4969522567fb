"""The document: every function that is registered below ``/{version}``, described by its row (OAS 3.0.3)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from shared.openapi.answers import ANYWHERE, ERRORS, EVERYWHERE, GUARDED, HEADERS, READING
from shared.openapi.functions import FUNCTIONS
from shared.openapi.model import Answer, Content, Described, Json, Parameter, Route
from shared.openapi.parameters import PATH
from shared.openapi.schemas import SCHEMAS

ROOT = "{version}"
IN_PARTITION = "_in_partition"

DESCRIPTION = """\
DICOMweb (PS3.18): store, search, retrieve and delete, with the change feed, extended query tags, data partitions,
operations and import of Microsoft's DICOM service.

Paths match in any letter case. Every path answers `OPTIONS` with 204 and `Allow`, other methods than those listed here
with 405 and `Allow`; paths that are not listed here are 404. Searches take extended query tags as further parameters.
"""


def document(routes: Iterable[Route], version: int, providers: Sequence[str] = ()) -> Json:
    """The description of one version of the API, but for ``openapi`` and ``servers``; paths begin after the version.

    ``providers`` are the URLs where the issuers of tokens describe themselves; without one no token is asked for.
    """
    described = [(route, described_by(route)) for route in routes if route.template.startswith(f"{ROOT}/")]
    paths: defaultdict[str, Json] = defaultdict(dict)
    parameters: dict[str, Parameter] = {}
    for route, row in described:
        taken = _parameters(route, row, version)
        parameters |= {parameter.reference: parameter for parameter in taken}
        for method in route.methods:
            paths[_path(route)][method.lower()] = _operation(route, row, taken, method)
    return {
        "info": {"title": "DICOMweb service", "version": f"v{version}", "description": DESCRIPTION},
        "security": [{name: []} for name in _schemes(providers)],
        "tags": [{"name": tag} for tag in dict.fromkeys(row.tag for row in FUNCTIONS.values())],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": _schemes(providers),
            "parameters": {name: parameter.shown() for name, parameter in sorted(parameters.items())},
            "headers": HEADERS,
            "responses": {str(status): _response(answer, with_body=True) for status, answer in ERRORS.items()},
            "schemas": SCHEMAS,
        },
    }


def described_by(route: Route) -> Described:
    """The row of a function. Raises KeyError for one that has none."""
    return FUNCTIONS[route.name.removesuffix(IN_PARTITION)]


def _path(route: Route) -> str:
    return route.template.removeprefix(ROOT).replace("{*", "{")


def _parameters(route: Route, row: Described, version: int) -> list[Parameter]:
    in_path = [PATH[name] for name in re.findall(r"\{(\w+)\}", _path(route))]
    return in_path + [parameter for parameter in row.parameters if parameter.version in (None, version)]


def _operation(route: Route, row: Described, parameters: Sequence[Parameter], method: str) -> Json:
    """A function with one of its methods (OAS 4.7.10); its answers to HEAD have no body."""
    is_head = method == "HEAD"
    shown: Json = {
        "tags": [row.tag],
        "operationId": f"{route.name}_head" if is_head else route.name,
        "summary": row.summary,
        "parameters": [{"$ref": f"#/components/parameters/{parameter.reference}"} for parameter in parameters],
    }
    if row.takes:
        shown["requestBody"] = {"required": row.must_take, "content": _content(row.takes)}
    shown["responses"] = _responses(route, row, with_body=not is_head)
    return shown if route.action is not None else shown | {"security": []}


def _responses(route: Route, row: Described, *, with_body: bool) -> Json:
    """Answers by status; a row's own go before the common ones."""
    guarded = GUARDED if route.action is not None else ()
    errors = {*row.errors, *ANYWHERE, *guarded, *(READING if row.takes else ())} - row.answers.keys()
    shown = {str(status): _response(answer, with_body=with_body) for status, answer in row.answers.items()}
    for status in sorted(errors):
        reference = {"$ref": f"#/components/responses/{status}"}
        shown[str(status)] = reference if with_body else _response(ERRORS[status], with_body=False)
    return shown


def _response(answer: Answer, *, with_body: bool) -> Json:
    headers = (*answer.headers, *EVERYWHERE)
    shown: Json = {
        "description": answer.description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
    }
    return shown | {"content": _content(answer.content)} if with_body and answer.content else shown


def _content(content: Content) -> Json:
    return {media_type: {"schema": schema} for media_type, schema in content.items()}


def _schemes(providers: Sequence[str]) -> Json:
    """How a client gets in: with a bearer token, which one of the issuers gives (OAS 4.7.27)."""
    if not providers:
        return {}
    bearer: Json = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    return bearer | {
        f"issuer{number}": {"type": "openIdConnect", "openIdConnectUrl": url} for number, url in enumerate(providers, 1)
    }
