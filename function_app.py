"""The Function App: registers the blueprints, nothing else."""

import azure.functions as func

from functions import (
    bulkdata,
    changefeed,
    delete,
    events,
    fallback,
    health,
    maintenance,
    partitions,
    retrieve,
    search,
    store,
)

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (
    store,
    search,
    retrieve,
    bulkdata,
    delete,
    changefeed,
    partitions,
    health,
    maintenance,
    events,
    fallback,
):
    app.register_functions(module.blueprint)
