"""The Function App: registers the blueprints, nothing else."""

import azure.functions as func

from functions import (
    bulkdata,
    changefeed,
    delete,
    events,
    extended_query_tags,
    fallback,
    health,
    inbox,
    maintenance,
    metrics,
    openapi,
    operations,
    partitions,
    retrieve,
    search,
    sequencing,
    store,
    uploads,
)
from functions.gate import access

access()  # without a way to know its callers the service must not start
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (
    store,
    search,
    retrieve,
    bulkdata,
    delete,
    changefeed,
    operations,
    partitions,
    health,
    metrics,
    openapi,
    inbox,
    uploads,
    maintenance,
    sequencing,
    events,
    extended_query_tags,
    fallback,
):
    app.register_functions(module.blueprint)
