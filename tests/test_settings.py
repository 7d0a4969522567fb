"""Settings as they come from the environment."""

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from shared.settings import Settings
from shared.settings import settings as read_settings


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(f"DICOM_{name}", value)
    return Settings()


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings(
        monkeypatch,
        ISSUERS="https://login.example.org/a, https://login.example.org/b,",
        AUDIENCES="api://dicom",
        ROLE_CLAIMS="roles,realm_access.roles",
    )
    assert read.issuers == ("https://login.example.org/a", "https://login.example.org/b")
    assert read.audiences == ("api://dicom",)
    assert read.role_claims == ("roles", "realm_access.roles")


def test_nobody_is_trusted_by_default() -> None:
    read = Settings()
    assert (read.issuers, read.audiences, read.roles, read.role_claims) == ((), (), None, ("roles",))


def test_roles_stay_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch, ROLES='[{"name": "A"}]').roles == '[{"name": "A"}]'


@pytest.mark.parametrize("one", ["ISSUERS", "AUDIENCES"])
def test_issuers_and_audiences_go_together(monkeypatch: pytest.MonkeyPatch, one: str) -> None:
    with pytest.raises(ValidationError, match="DICOM_ISSUERS and DICOM_AUDIENCES are set together or not at all"):
        settings(monkeypatch, **{one: "https://example.org"})


@pytest.mark.parametrize("text", ['https://example.org/"', "https://example.org/a b", "https://example.org/\\", "é"])
@pytest.mark.parametrize(("wrong", "other"), [("ISSUERS", "AUDIENCES"), ("AUDIENCES", "ISSUERS")])
def test_what_would_break_a_header_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str, wrong: str, other: str
) -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        settings(monkeypatch, **{wrong: text, other: "https://example.org"})


def test_roles_are_claimed_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="role_claims"):
        settings(monkeypatch, ROLE_CLAIMS=" , ")


@pytest.fixture
def unread() -> Iterator[None]:
    """The process has not read its settings, and will read them anew."""
    read_settings.cache_clear()
    yield
    read_settings.cache_clear()


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"ISSUERS": "https://a.example"}, "DICOM_ISSUERS and DICOM_AUDIENCES are set together or not at all."),
        ({"MAX_PARTS": "none"}, "DICOM_MAX_PARTS: Input should be a valid integer, unable to parse .*"),
        ({"MAX_PARTS": "0", "TRUSTED_PROXIES": "-1"}, "DICOM_TRUSTED_PROXIES: .*; DICOM_MAX_PARTS: .*"),
    ],
)
def test_mistakes_are_told_in_a_sentence_without_what_else_is_set(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    for name, value in {**variables, "BLOBS_CONNECTION": "AccountKey=secret"}.items():
        monkeypatch.setenv(f"DICOM_{name}", value)
    with pytest.raises(ValueError, match=f"^{told}$") as caught:
        read_settings()
    assert "secret" not in str(caught.value)
    with pytest.raises(ValidationError) as raw:
        Settings()
    assert "secret" not in str(raw.value)
