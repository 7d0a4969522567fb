"""Which issuers a URL of the settings stands for."""

import pytest

from shared.access.issuers import Issuer, issuers

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
PUBLIC = "https://login.microsoftonline.com"
WELL_KNOWN = ".well-known/openid-configuration"
BOTH = [
    Issuer(f"{PUBLIC}/{TENANT}/v2.0", f"{PUBLIC}/{TENANT}/v2.0/{WELL_KNOWN}"),
    Issuer(f"https://sts.windows.net/{TENANT}/", f"{PUBLIC}/{TENANT}/{WELL_KNOWN}"),
]


@pytest.mark.parametrize(
    "url",
    [
        f"{PUBLIC}/{TENANT}/v2.0",
        f"{PUBLIC}/{TENANT}/v2.0/",
        f"{PUBLIC}/{TENANT}",
        f"{PUBLIC}/{TENANT.upper()}/",
        f"https://sts.windows.net/{TENANT}/",
    ],
)
def test_a_tenant_of_entra_has_two_names(url: str) -> None:
    assert issuers(url) == BOTH


@pytest.mark.parametrize(
    ("host", "v1"),
    [("login.microsoftonline.us", "sts.windows.net"), ("login.partner.microsoftonline.cn", "sts.chinacloudapi.cn")],
)
def test_other_clouds(host: str, v1: str) -> None:
    assert issuers(f"https://{host}/{TENANT}/v2.0") == [
        Issuer(f"https://{host}/{TENANT}/v2.0", f"https://{host}/{TENANT}/v2.0/{WELL_KNOWN}"),
        Issuer(f"https://{v1}/{TENANT}/", f"https://{host}/{TENANT}/{WELL_KNOWN}"),
    ]


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", "contoso.onmicrosoft.com", "", "v2.0"])
def test_a_tenant_is_named_by_its_id(tenant: str) -> None:
    with pytest.raises(ValueError, match="does not name a tenant of Microsoft Entra ID by its id"):
        issuers(f"{PUBLIC}/{tenant}/v2.0")


@pytest.mark.parametrize(
    ("url", "metadata"),
    [
        ("https://keycloak.example.org/realms/r", f"https://keycloak.example.org/realms/r/{WELL_KNOWN}"),
        ("https://example.auth0.com/", f"https://example.auth0.com/{WELL_KNOWN}"),
        ("http://127.0.0.1:8080/realms/r", f"http://127.0.0.1:8080/realms/r/{WELL_KNOWN}"),
        ("http://localhost", f"http://localhost/{WELL_KNOWN}"),
        ("http://[::1]:8080", f"http://[::1]:8080/{WELL_KNOWN}"),
        (
            "https://login.microsoftonline.com.example.org",
            f"https://login.microsoftonline.com.example.org/{WELL_KNOWN}",
        ),
    ],
)
def test_others_have_the_name_of_their_url(url: str, metadata: str) -> None:
    assert issuers(url) == [Issuer(url, metadata)]


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.org",
        "http://localhost.example.org",
        "http://127.0.0.1@login.example.org",
        "ftp://login.example.org",
        "ftp://localhost",
        "file:///etc/passwd",
        "login.example.org",
        "https://",
        "https://[",
        "https://login.example.org?x=1",
        "https://login.example.org#x",
        "https://user:password@login.example.org",
    ],
)
def test_addresses_that_are_not_safe(url: str) -> None:
    with pytest.raises(ValueError, match=r"DICOM_ISSUERS: .* is not an https URL"):
        issuers(url)
