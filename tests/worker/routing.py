"""Which function the Functions host gives a request to.

The host sorts an app's functions by name and gives a request to the first whose route template and methods
match; unlike ASP.NET it doesn't prefer literal segments (azure-functions-host issues 9876 and 6062).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

FUNCTION_NAME = re.compile(r"(?!host$)[a-z][a-z0-9_-]{0,127}", re.IGNORECASE)
RESERVED = ("admin", "runtime")
"""First segments of routes that the host keeps for itself."""


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """One HTTP function as the host knows it: ``template`` without a leading slash, methods in capitals."""

    name: str
    template: str
    methods: frozenset[str]

    def __str__(self) -> str:
        return self.name

    @property
    def segments(self) -> list[str]:
        return self.template.split("/")

    def parameters(self, path: str) -> dict[str, str] | None:
        """The parameters in a percent-encoded path, None where it doesn't match.

        A slash at the end counts for nothing, a catch-all takes any number of segments, none included, and
        what a parameter is not given a value for is left out.
        """
        found: dict[str, str] = {}
        parts = [unquote(part) for part in path.removeprefix("/").removesuffix("/").split("/")]
        for number, segment in enumerate(self.segments):
            if segment.startswith("{*"):
                rest = "/".join(parts[number:])
                return found | ({segment[2:-1]: rest} if rest else {})
            if number >= len(parts) or not parts[number]:
                return None
            if segment.startswith("{"):
                found[segment[1:-1]] = parts[number]
            elif segment.lower() != parts[number].lower():
                return None
        return found if len(parts) == len(self.segments) else None


class RouteTable:
    """The host's routes."""

    def __init__(self, routes: Iterable[HttpRoute]) -> None:
        self.routes = sorted(routes, key=lambda route: route.name.upper())

    def find(self, method: str, path: str) -> tuple[HttpRoute, dict[str, str]] | None:
        """The function for a request and its route parameters."""
        for route in self.routes:
            if method in route.methods and (found := route.parameters(path)) is not None:
                return route, found
        return None

    def errors(self) -> Iterator[str]:
        """Why the host would leave functions out."""
        names = [route.name.lower() for route in self.routes]
        yield from (f"{name}: the name is taken twice" for name in set(names) if names.count(name) > 1)
        taken: dict[tuple[str, str], str] = {}
        for route in self.routes:
            if not FUNCTION_NAME.fullmatch(route.name):
                yield f"{route.name}: not a function's name"
            if route.template.lower().startswith(RESERVED):
                yield f"{route.name}: the route {route.template} is the host's own"
            for method in route.methods:
                other = taken.setdefault((method, route.template.lower()), route.name)
                if other != route.name:
                    yield f"{route.name}: {method} {route.template} is taken by {other}"
