"""The containers of the index: how they are partitioned, and which paths are indexed.

``index`` holds a document for each study, series and instance, one for each blob that waits to be purged and one for
each event that waits to be numbered. All of a study share its logical partition, so that one batch can change them
together. ``feed`` is the ordered log of changes; in ``leases`` Azure Functions keeps its place in what changes in
``index``. ``catalog`` holds the data partitions, and what there is one or few of.

Deployments that create the containers themselves (``infra/``) must give them these very settings.
"""

from collections.abc import Sequence
from typing import Any

from azure.cosmos import PartitionKey

INDEX = "index"
FEED = "feed"
CATALOG = "catalog"
LEASES = "leases"

SEARCHED = (
    "/partition/?",
    "/study/?",
    "/kind/?",
    "/place/?",
    "/series/?",
    "/instance/?",
    "/created/?",
    "/version/?",
    "/modalities/[]/?",
    "/match/*",
    "/sort/*",
    "/extended/*",
    "/errors/*",
    "/blob/?",
    "/due/?",
    "/cause/?",
)
"""Every other path is left out: each one indexed makes each write dearer."""

COMPOSITE = (
    ("/partition", "/kind", "/created"),
    ("/partition", "/kind", "/version"),
    ("/study", "/kind", "/version"),
    ("/place", "/kind", "/version"),
)
"""What the orders of time are read by, either way: of a partition, a study or a series."""


def _policy(searched: Sequence[str], *composite: Sequence[str]) -> dict[str, Any]:
    return {
        "indexingMode": "consistent",
        "includedPaths": [{"path": path} for path in searched],
        "excludedPaths": [{"path": "/*"}],
        "compositeIndexes": [[{"path": path, "order": "ascending"} for path in paths] for paths in composite],
    }


DEFINITIONS: dict[str, dict[str, Any]] = {
    INDEX: {
        "partition_key": PartitionKey(path=["/partition", "/study"], kind="MultiHash"),
        "indexing_policy": _policy(SEARCHED, *COMPOSITE),
    },
    FEED: {
        "partition_key": PartitionKey(path="/segment"),
        "indexing_policy": _policy(
            ("/number/?", "/time/?", "/event/?", "/partition/?", "/study/?", "/action/?"), ("/time", "/number")
        ),
    },
    CATALOG: {
        "partition_key": PartitionKey(path="/kind"),
        "indexing_policy": _policy(("/kind/?", "/status/?", "/created/?", "/updated/?", "/leased_until/?")),
    },
    LEASES: {"partition_key": PartitionKey(path="/id")},
}
