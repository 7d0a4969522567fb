"""Exchanges as the functions make them."""

from typing import Any

from shared.access import DataAction, Kind, Principal
from shared.exchange import Exchange
from shared.storage.index.model import DEFAULT_PARTITION

USER = Principal(
    Kind.USER, "0d3b", "https://login.example.org/t/v2.0", "t", "viewer-app", frozenset({"Reader", "Owner"})
)


def exchange(**changed: Any) -> Exchange:
    """A successful search for studies, but for what is changed."""
    plain: dict[str, Any] = {
        "function": "search_studies",
        "action": DataAction.READ,
        "method": "GET",
        "route": "{version}/studies",
        "api_version": 2,
        "partition": DEFAULT_PARTITION,
        "study": None,
        "series": None,
        "instance": None,
        "resource": None,
        "query": (),
        "instances": (),
        "studies": {},
        "touched": 0,
        "status": 200,
        "complete": True,
        "received": 0,
        "sent": 1234,
        "started": 1_700_000_000.25,
        "duration": 0.5,
        "client": "192.0.2.7",
        "correlation": "b7c1",
        "caller": USER,
        "remarks": {},
    }
    return Exchange(**(plain | changed))
