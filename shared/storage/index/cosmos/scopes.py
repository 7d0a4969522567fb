"""The instances of a partition, study or series, and the order of their versions."""

from shared.storage.index.cosmos.documents import INSTANCE, place
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.model import Scope


def instances_of(scope: Scope, select: str) -> Query:
    """A query for the instances of a scope."""
    query = Query(select)
    query.equal(partition=scope.partition, kind=INSTANCE)
    if scope.study is not None:
        query.equal(study=scope.study)
        if scope.series is not None:
            query.equal(place=place(scope.study, scope.series))
        if scope.instance is not None:
            query.equal(instance=scope.instance)
    return query


def by_version(scope: Scope, direction: str) -> str:
    """The ORDER BY that puts them in the order of versions, ``ASC`` or ``DESC``.

    Of what is the same for all it names as much as a composite index begins with (``containers``).
    """
    whole = "partition" if scope.study is None else "study" if scope.series is None else "place"
    return ", ".join(f"c.{name} {direction}" for name in (whole, "kind", "version"))
