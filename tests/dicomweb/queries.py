"""Search queries, read and refused."""

from typing import Any

import pytest

from shared.dicom.model import Level
from shared.dicomweb.query import Query, parse_query
from shared.errors import BadRequest

RESOURCES = {
    "studies": (Level.STUDY, ()),
    "series": (Level.SERIES, ()),
    "instances": (Level.INSTANCE, ()),
    "studies/1/series": (Level.SERIES, (Level.STUDY,)),
    "studies/1/instances": (Level.INSTANCE, (Level.STUDY,)),
    "studies/1/series/2/instances": (Level.INSTANCE, (Level.STUDY, Level.SERIES)),
}


def parse(raw: str, resource: str = "studies", **options: Any) -> Query:
    """A query of one of ``RESOURCES``."""
    return parse_query(raw, *RESOURCES[resource], **options)


def refusal(raw: str, resource: str = "studies") -> str:
    """What a query that can't be is answered."""
    with pytest.raises(BadRequest) as caught:
        parse(raw, resource)
    return caught.value.detail
