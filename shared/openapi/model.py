"""What is said of a function: the rows that the document is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Json = dict[str, Any]
Content = Mapping[str, Json]
"""Schemas by media type."""


class Route(Protocol):
    """A function as it is registered."""

    @property
    def name(self) -> str: ...
    @property
    def template(self) -> str: ...
    @property
    def methods(self) -> tuple[str, ...]: ...
    @property
    def action(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a request.

    ``key`` names it among all of the document where its own name stands for others, too. ``listed`` is one with
    commas between its members. ``version`` is the only one of the API that has it so; None stands for all.
    """

    name: str
    schema: Json
    description: str
    place: Literal["path", "query", "header"] = "query"
    listed: bool = False
    version: int | None = None
    key: str = ""

    @property
    def reference(self) -> str:
        """Its name among the components."""
        return self.key or self.name

    def shown(self) -> Json:
        """As the document has it (OAS 3.0.3, 4.7.12)."""
        shown: Json = {"name": self.name, "in": self.place, "description": self.description, "schema": self.schema}
        if self.place == "path":
            shown["required"] = True
        if self.listed:
            shown |= {"style": "form", "explode": False}
        return shown


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of one status; ``headers`` are names of ``shared.openapi.answers.HEADERS``."""

    description: str
    content: Content = field(default_factory=dict)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """A function.

    ``errors`` are statuses beside those that any function may answer; ``takes`` are the bodies of its requests.
    """

    tag: str
    summary: str
    answers: Mapping[int, Answer]
    errors: tuple[int, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    takes: Content = field(default_factory=dict)
    must_take: bool = True
