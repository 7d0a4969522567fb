"""The text of a query and its parameters, grown together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(slots=True)
class Query:
    """``SELECT ... FROM c WHERE ... ORDER BY ... OFFSET ... LIMIT ...``. All conditions must hold."""

    select: str
    where: list[str] = field(default_factory=list)
    order: str = ""
    limit: int | None = None
    offset: int = 0
    values: list[Any] = field(default_factory=list)

    def bind(self, value: Any) -> str:
        """The name of a new parameter with that value."""
        self.values.append(value)
        return f"@p{len(self.values) - 1}"

    def equal(self, **properties: Any) -> None:
        """The named properties must have these values."""
        self.where += [f"c.{name} = {self.bind(value)}" for name, value in properties.items()]

    def among(self, expression: str, values: Iterable[Any]) -> None:
        """An expression must have one of these values; without any, nothing is found."""
        bound = ", ".join(map(self.bind, values))
        self.where.append(f"{expression} IN ({bound})" if bound else "false")

    @property
    def text(self) -> str:
        """As Cosmos DB takes it."""
        where = f" WHERE {' AND '.join(self.where)}" if self.where else ""
        order = f" ORDER BY {self.order}" if self.order else ""
        limit = "" if self.limit is None else f" OFFSET {self.offset} LIMIT {self.limit}"
        return f"SELECT {self.select} FROM c{where}{order}{limit}"  # noqa: S608 - values are bound

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """As the SDK takes them."""
        return [{"name": f"@p{number}", "value": value} for number, value in enumerate(self.values)]


Narrow: TypeAlias = Callable[[Query], None]
"""Adds conditions to a query."""


def anything(_: Query) -> None:
    """Adds none."""
