"""The document as JSON and as YAML, written in two parts: what is the same each time is written once."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from shared.openapi.model import Json

OPENAPI = "3.0.3"
"""The version of the specification that the document follows."""


@dataclass(frozen=True, slots=True)
class Format:
    """How an object is written, and how the writings of two objects are put together."""

    media_type: str
    write: Callable[[Json], bytes]
    join: Callable[[bytes, bytes], bytes]


def _yaml(part: Json) -> bytes:
    """Block style, without references from one place to another."""
    import yaml  # slow to import, and seldom asked for

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    unshared = orjson.loads(orjson.dumps(part))
    written: bytes = yaml.dump(
        unshared, Dumper=dumper, encoding="utf-8", allow_unicode=True, sort_keys=False, width=120
    )
    return written


JSON = Format("application/json", orjson.dumps, lambda first, second: first[:-1] + b"," + second[1:])
YAML = Format("application/yaml", _yaml, lambda first, second: first + second)
"""RFC 8259 and RFC 9512."""
