from typing import Any

import pytest
from pydantic import HttpUrl

from shared.dicomweb.urls import base_url, bulkdata_url, instance_url, resource_url, series_url, study_url


def base(
    headers: dict[str, str],
    *,
    scheme: str = "http",
    server: tuple[str, int | None] | None = ("127.0.0.1", 8080),
    public_url: HttpUrl | str | None = None,
    partition: str | None = None,
) -> str:
    scope: dict[str, Any] = {"type": "http", "scheme": scheme, "server": server}
    return base_url(scope, headers, public_url, "v2", partition)


@pytest.mark.parametrize(
    ("public_url", "url"),
    [
        ("https://pacs.example.org", "https://pacs.example.org/v2"),
        ("https://pacs.example.org/", "https://pacs.example.org/v2"),
        ("https://example.org:8443/dicom/", "https://example.org:8443/dicom/v2"),
        (HttpUrl("https://pacs.example.org"), "https://pacs.example.org/v2"),
    ],
)
def test_the_configured_public_url_overrides_every_header(public_url: HttpUrl | str, url: str) -> None:
    headers = {"host": "a", "x-forwarded-host": "b", "forwarded": "host=c", "x-forwarded-prefix": "/d"}
    assert base(headers, public_url=public_url) == url


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"x-forwarded-host": "pacs.org"}, "http://pacs.org/v2"),
        ({"x-forwarded-host": "pacs.org, inner"}, "http://pacs.org/v2"),
        ({"x-forwarded-host": "pacs.org:444", "x-forwarded-proto": "https"}, "https://pacs.org:444/v2"),
        ({"x-forwarded-host": "pacs.org", "x-forwarded-proto": "HTTPS,http"}, "https://pacs.org/v2"),
        ({"x-forwarded-host": "pacs.org", "x-forwarded-port": "8443"}, "http://pacs.org:8443/v2"),
        (
            {"x-forwarded-host": "pacs.org", "x-forwarded-proto": "https", "x-forwarded-port": "443"},
            "https://pacs.org/v2",
        ),
        ({"x-forwarded-host": "pacs.org:81", "x-forwarded-port": "82"}, "http://pacs.org:81/v2"),
        ({"x-forwarded-host": "[2001:db8::1]:81"}, "http://[2001:db8::1]:81/v2"),
        ({"x-forwarded-proto": "https"}, "https://inner/v2"),
        ({"x-forwarded-proto": "https", "x-forwarded-port": "8443"}, "https://inner:8443/v2"),
        ({"x-forwarded-for": "10.0.0.1"}, "http://inner/v2"),
        ({"forwarded": "for=10.0.0.1;host=pacs.org;proto=https, for=10.0.0.2;host=x"}, "https://pacs.org/v2"),
        ({"forwarded": 'Host="pacs.org:81"; Proto=http'}, "http://pacs.org:81/v2"),
        ({"forwarded": "host=a", "x-forwarded-host": "b"}, "http://b/v2"),
        ({"x-forwarded-host": "pacs.org", "x-forwarded-prefix": "/dicom"}, "http://pacs.org/dicom"),
        ({"x-forwarded-host": "pacs.org", "x-forwarded-prefix": "/a/b/, /c"}, "http://pacs.org/a/b"),
        ({"x-forwarded-host": "pacs.org", "x-forwarded-prefix": "/"}, "http://pacs.org"),
    ],
)
def test_a_proxy_says_what_the_caller_asked_for(headers: dict[str, str], url: str) -> None:
    assert base({"host": "inner", **headers}) == url


def test_the_forwarded_prefix_stands_in_for_version_and_partition() -> None:
    headers = {"host": "pacs.org:81", "x-forwarded-prefix": "/images"}
    assert base(headers, partition="north") == "http://pacs.org:81/images"


@pytest.mark.parametrize(
    ("scheme", "host", "server", "url"),
    [
        ("http", "localhost:8080", ("127.0.0.1", 8080), "http://localhost:8080/v2"),
        ("http", "localhost:9090", ("127.0.0.1", 8080), "http://localhost:9090/v2"),
        # The Python client sends Host without the port.
        ("http", "localhost", ("127.0.0.1", 8080), "http://localhost:8080/v2"),
        ("http", "localhost", ("127.0.0.1", 80), "http://localhost/v2"),
        ("https", "pacs.org", ("10.0.0.1", 443), "https://pacs.org/v2"),
        ("https", "pacs.org:443", ("10.0.0.1", 443), "https://pacs.org/v2"),
        ("http", "pacs.org", ("/run/socket", None), "http://pacs.org/v2"),
        ("http", "pacs.org", None, "http://pacs.org/v2"),
        ("http", "[::1]", ("::1", 8080), "http://[::1]:8080/v2"),
        ("http", "", ("::1", 8080), "http://[::1]:8080/v2"),
        ("http", "", ("127.0.0.1", 8080), "http://127.0.0.1:8080/v2"),
        ("http", "", None, "http://localhost/v2"),
    ],
)
def test_without_a_proxy_the_request_and_the_server_say_it(
    scheme: str, host: str, server: tuple[str, int | None] | None, url: str
) -> None:
    assert base({"host": host}, scheme=scheme, server=server) == url


@pytest.mark.parametrize(
    "value",
    [
        "evil.org/path",
        "a b",
        "a\r\nX: y",
        "user@evil.org",
        "evil.org?x",
        "evil.org#x",
        "<script>",
        "-a",
        "a:b",
        "\u00e9.org",
    ],
)
def test_what_is_no_host_is_passed_over(value: str) -> None:
    assert base({"host": "pacs.org:81", "x-forwarded-host": value}) == "http://pacs.org:81/v2"
    assert base({"host": "pacs.org:81", "forwarded": f'host="{value}"'}) == "http://pacs.org:81/v2"
    assert base({"host": value}) == "http://127.0.0.1:8080/v2"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-port", "80x"),
        ("x-forwarded-port", "99999"),
        ("x-forwarded-port", "0"),
        ("x-forwarded-prefix", "dicom"),
        ("x-forwarded-prefix", "//evil.org"),
        ("x-forwarded-prefix", "/a b"),
        ("x-forwarded-prefix", "/a\r\nX: y"),
        ("x-forwarded-prefix", "/a?b"),
        ("x-forwarded-prefix", '/a"b'),
        ("forwarded", ";;="),
    ],
)
def test_what_is_no_scheme_port_or_path_is_passed_over(name: str, value: str) -> None:
    assert base({"host": "pacs.org", "x-forwarded-for": "10.0.0.1", name: value}) == "http://pacs.org/v2"


def test_the_partition_stands_after_the_version() -> None:
    assert base({"host": "pacs.org:81"}, partition="north") == "http://pacs.org:81/v2/partitions/north"


def test_resources_stand_below_the_base() -> None:
    url = "http://pacs.org/v2"
    assert study_url(url, "1.2") == "http://pacs.org/v2/studies/1.2"
    assert series_url(url, "1.2", "3") == "http://pacs.org/v2/studies/1.2/series/3"
    # MONAILabel looks for /series/{uid}/ in the store answer's RetrieveURL.
    assert instance_url(url, "1.2", "3", "4") == "http://pacs.org/v2/studies/1.2/series/3/instances/4"
    for uids in (("1.2",), ("1.2", "3"), ("1.2", "3", "4")):
        assert resource_url(url, *uids) == (study_url, series_url, instance_url)[len(uids) - 1](url, *uids)
    assert bulkdata_url(url, "1.2", "3", "4", "54000100/0/54001010") == (
        "http://pacs.org/v2/studies/1.2/series/3/instances/4/bulkdata/54000100/0/54001010"
    )
