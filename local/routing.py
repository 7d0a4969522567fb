"""Finding the function of a request: a tree of path segments, as ASP.NET ranks and matches route templates.

In any letter case, with or without a slash at the end; literal segments come before parameters, and those before
``{*rest}``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Node(Generic[T]):
    """What follows a path so far. ``taken`` holds what routes that end here lead to, by method."""

    literals: "dict[str, _Node[T]]" = field(default_factory=dict)
    parameter: "_Node[T] | None" = None
    rest: "_Node[T] | None" = None
    taken: dict[str, tuple[T, tuple[str, ...]]] = field(default_factory=dict)


class Routes(Generic[T]):
    """What route templates, as Functions writes them (``{version}/studies/{study}``), lead to."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, template: str, methods: Iterable[str], target: T) -> None:
        """Lead requests with one of the methods that match the template to a target."""
        node, names = self._root, []
        for segment in template.split("/"):
            if segment.startswith("{*"):
                names.append(segment[2:-1])
                node.rest = node = node.rest or _Node()
            elif segment.startswith("{"):
                names.append(segment[1:-1])
                node.parameter = node = node.parameter or _Node()
            else:
                node = node.literals.setdefault(segment.lower(), _Node())
        for method in methods:
            node.taken[method] = target, tuple(names)

    def find(self, method: str, path: str) -> tuple[T, dict[str, str]] | None:
        """The target of a request, with the values of its parameters; ``path`` is percent-decoded."""
        segments = path.removeprefix("/").removesuffix("/").split("/")
        for node, values in _matches(self._root, segments, 0, ()):
            if method in node.taken:
                target, names = node.taken[method]
                return target, dict(zip(names, values, strict=True))
        return None


def _matches(
    node: _Node[T], segments: list[str], at: int, values: tuple[str, ...]
) -> Iterator[tuple[_Node[T], tuple[str, ...]]]:
    """The places that a path leads to from a node on, the best first, with the values met on the way."""
    if at == len(segments):
        yield node, values
        return
    segment = segments[at]
    literal = node.literals.get(segment.lower())
    if literal is not None:
        yield from _matches(literal, segments, at + 1, values)
    if node.parameter is not None and segment:
        yield from _matches(node.parameter, segments, at + 1, (*values, segment))
    if node.rest is not None:
        yield node.rest, (*values, "/".join(segments[at:]))
