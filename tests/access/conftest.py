"""An issuer of tokens, and access for those it names."""

from collections.abc import Iterator

import pytest

from shared.access import Access, open_access
from shared.settings import Settings
from tests.access.issuer import AUDIENCE, TestIssuer, issuing


@pytest.fixture
def issuer() -> Iterator[TestIssuer]:
    with issuing() as started:
        started.rotate("RS256", drop=True)
        yield started


@pytest.fixture
def access(issuer: TestIssuer) -> Access:
    return open_access(Settings(issuers=(issuer.url,), audiences=(AUDIENCE,)))
