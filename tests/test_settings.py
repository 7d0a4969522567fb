"""Settings as they come from the environment."""

import pytest
from pydantic import ValidationError

from shared.settings import Settings


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
