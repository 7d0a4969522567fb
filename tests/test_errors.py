"""The tree of errors: each class has a status and a title, and the drawing in the module shows them all."""

import re
from collections.abc import Iterator

import pytest

from shared import errors
from shared.errors import ServiceError

DRAWN = re.compile(r"^([│ ]*)(?:[├└]── )?(\w+)(?: +(\d{3}))?$", re.MULTILINE)


def descendants(parent: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for child in parent.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from descendants(child)


CLASSES = list(descendants(ServiceError))


def drawing() -> dict[str, tuple[str | None, int | None]]:
    """Each class in the docstring's tree with its parent and status."""
    assert errors.__doc__ is not None
    tree = errors.__doc__.partition("\n\n")[2].partition("\n\n")[0]
    found: dict[str, tuple[str | None, int | None]] = {}
    path: list[str] = []
    for line in tree.splitlines():
        match = DRAWN.fullmatch(line)
        assert match, line
        depth = len(match[1]) // 4 + ("── " in line)
        path = [*path[:depth], match[2]]
        found[match[2]] = (path[depth - 1] if depth else None, int(match[3]) if match[3] else None)
    return found


def test_the_drawing_is_the_tree() -> None:
    expected = {kind.__name__: (kind.__bases__[0].__name__, kind.status) for kind in CLASSES}
    assert drawing() == {"ServiceError": (None, None)} | expected


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_a_title_and_its_sentence(kind: type[ServiceError]) -> None:
    error = kind("A plain sentence.", headers={"Retry-After": "1"})
    assert 400 <= error.status < 600
    assert re.fullmatch(r"[A-Z][A-Za-z0-9 ]+", error.title)
    assert (error.detail, str(error)) == ("A plain sentence.", "A plain sentence.")
    assert error.headers == {"Retry-After": "1"}
    assert kind("x").headers == {}
    assert kind.__doc__


def test_every_error_of_ours_is_in_the_tree() -> None:
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == {kind.__name__ for kind in CLASSES} | {"ServiceError"}
