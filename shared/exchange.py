"""What one request came to: by whom, for what, with what outcome. What is told of it further on begins here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.access import DataAction, Principal
from shared.storage.index.model import InstanceKey

MOST_INSTANCES = 100
MOST_STUDIES = 1000
"""Instances and studies of one exchange that are named; ``touched`` counts the others, too."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, by identifiers only: neither values of data sets nor of query parameters.

    ``function`` is the registered name without ``_in_partition``; ``route`` the template. ``partition``, ``study``,
    ``series``, ``instance`` and ``resource`` (another id in the path: of an extended query tag, an operation, …) are
    None where the path names none, or none that is well formed. ``query`` holds the names of query parameters.

    ``touched`` is how many instances were stored or deleted, ``instances`` the first of those stored, ``studies`` how
    many of them belong to which study. ``received`` and ``sent`` are bytes of bodies; ``complete`` tells whether the
    answer was given to its end. ``started`` is in seconds since the epoch, ``duration`` in seconds. ``client`` is an IP
    address. ``caller`` is None if nobody was made out. ``remarks`` are the headers ``X-MS-AZUREDICOM-AUDIT-{name}`` by
    name.
    """

    function: str
    action: DataAction | None
    method: str
    route: str
    api_version: int | None
    partition: str | None
    study: str | None
    series: str | None
    instance: str | None
    resource: str | None
    query: tuple[str, ...]
    instances: tuple[InstanceKey, ...]
    studies: Mapping[str, int]
    touched: int
    status: int
    complete: bool
    received: int
    sent: int
    started: float
    duration: float
    client: str | None
    correlation: str
    caller: Principal | None
    remarks: Mapping[str, str] = field(repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether the caller got what was asked for."""
        return self.complete and self.status < 400
