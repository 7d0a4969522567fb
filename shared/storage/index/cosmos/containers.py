"""The containers of the index: how they are partitioned, and which paths are indexed.

``index`` holds a document for each study, series and instance, and one for each blob that waits to be purged. All of a
study share its logical partition, so that one batch can change them together. ``catalog`` holds the data partitions.

Deployments that create the containers themselves (``infra/``) must give them these very settings.
"""

from typing import Any

from azure.cosmos import PartitionKey

INDEX = "index"
CATALOG = "catalog"

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

DEFINITIONS: dict[str, dict[str, Any]] = {
    INDEX: {
        "partition_key": PartitionKey(path=["/partition", "/study"], kind="MultiHash"),
        "indexing_policy": {
            "indexingMode": "consistent",
            "includedPaths": [{"path": path} for path in SEARCHED],
            "excludedPaths": [{"path": "/*"}],
            "compositeIndexes": [[{"path": path, "order": "ascending"} for path in paths] for paths in COMPOSITE],
        },
    },
    CATALOG: {
        "partition_key": PartitionKey(path="/kind"),
        "indexing_policy": {
            "indexingMode": "consistent",
            "includedPaths": [{"path": "/kind/?"}],
            "excludedPaths": [{"path": "/*"}],
        },
    },
}
