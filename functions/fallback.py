"""The answer where no other function is registered: CORS preflights, 405 and 404."""

import re
from functools import cache

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from functions.headers import PREFLIGHT, is_preflight
from functions.registration import ROUTES, service
from shared.errors import MethodNotAllowed, NotFound

blueprint = func.Blueprint()

ANYWHERE = "{*path}"
LAST = "z_fallback"
"""The Functions host tries routes in the order of the functions' names: no other name may come after this one."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@service(blueprint, LAST, METHODS, ANYWHERE, None)
async def fallback(req: Request) -> Response:
    """Every method of every path that nothing else answers."""
    allowed = allowed_methods(req.url.path)
    if req.method == "OPTIONS" and (allowed or is_preflight(req)):
        allow = {"Allow": ", ".join((*allowed, "OPTIONS"))}
        return Response(status_code=204, headers=allow | PREFLIGHT if is_preflight(req) else allow)
    if allowed:
        raise MethodNotAllowed(
            f"This resource takes {', '.join(allowed)}.", headers={"Allow": ", ".join((*allowed, "OPTIONS"))}
        )
    raise NotFound("There is no resource at this path. Paths begin with /v1 or /v2.")


def allowed_methods(path: str) -> tuple[str, ...]:
    """The methods that some other function takes at a path, sorted."""
    matching = (methods for pattern, methods in _patterns() if pattern.fullmatch(path.strip("/")))
    return tuple(sorted({method for methods in matching for method in methods}))


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    return tuple((_pattern(route.template), route.methods) for route in ROUTES if route.template != ANYWHERE)


def _pattern(template: str) -> re.Pattern[str]:
    segments = [
        ".+" if part.startswith("{*") else "[^/]+" if part.startswith("{") else re.escape(part)
        for part in template.split("/")
    ]
    return re.compile("/".join(segments), re.IGNORECASE)
