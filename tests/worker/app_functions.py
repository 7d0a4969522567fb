"""The app's functions as this Python's azure-functions reads them, in a process of its own: an app can be read once.

The settings are those of the sample, some of which triggers depend on.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.server import ROOT
from tests.worker.host import sample_settings
from tests.worker.routing import HttpRoute

READ = """
import json
from function_app import app
print(json.dumps([[f.get_function_name(), f.get_raw_bindings()] for f in app.get_functions()]))
"""


@dataclass(frozen=True, slots=True)
class AppFunction:
    """A function with its bindings, as they are given to the host."""

    name: str
    bindings: list[dict[str, Any]]

    def __str__(self) -> str:
        return self.name

    @property
    def trigger(self) -> dict[str, Any]:
        return next(binding for binding in self.bindings if binding["type"].lower().endswith("trigger"))


def _read() -> list[AppFunction]:
    environment = os.environ | sample_settings()
    told = subprocess.run([sys.executable, "-c", READ], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return [AppFunction(name, list(map(json.loads, bindings))) for name, bindings in json.loads(told.stdout)]


FUNCTIONS = _read()
HTTP_ROUTES = [
    HttpRoute(function.name, function.trigger["route"], frozenset(function.trigger["methods"]))
    for function in FUNCTIONS
    if function.trigger["type"] == "httpTrigger"
]
OTHERS = [function for function in FUNCTIONS if function.trigger["type"] != "httpTrigger"]
"""Those that HTTP doesn't trigger."""
