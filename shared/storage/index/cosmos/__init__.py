"""The index in Azure Cosmos DB."""

from shared.storage.index.cosmos.account import Account
from shared.storage.index.cosmos.adapter import CosmosIndex

__all__ = ["Account", "CosmosIndex"]
