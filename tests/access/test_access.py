"""The gate as a door uses it, with keys fetched over HTTP from an issuer that runs."""

import asyncio
import logging

import pytest

from shared.access import ANYONE, Access, DataAction, Kind, keys, open_access
from shared.errors import Forbidden, ServiceUnavailable, Unauthorized
from shared.settings import Settings
from tests.access.forgeries import FORGERIES, REASONS, reworded
from tests.access.issuer import AUDIENCE, CLIENT, Answer, TestIssuer

ROLES = '[{"name": "Cardiology", "actions": ["read", "write"], "partitions": ["cardio-*"]}]'


def challenge(issuer: TestIssuer) -> str:
    return f'Bearer authorization_uri="{issuer.url}", resource_id="{AUDIENCE}", realm="{AUDIENCE}"'


async def refused(access: Access, authorization: str | None) -> Unauthorized:
    with pytest.raises(Unauthorized) as caught:
        await access.principal(authorization)
    return caught.value


async def test_a_good_token_names_its_caller(issuer: TestIssuer, access: Access) -> None:
    claims = issuer.v2_user()
    caller = await access.principal(f"Bearer {issuer.token(claims)}")
    assert (caller.kind, caller.subject, caller.issuer) == (Kind.USER, claims["oid"], issuer.url)
    assert (caller.tenant, caller.client, caller.roles) == (issuer.tenant, CLIENT, {"DicomDataReader"})


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {}", " Bearer {} "])
async def test_forms_of_the_header(issuer: TestIssuer, access: Access, form: str) -> None:
    assert (await access.principal(form.format(issuer.token()))).kind is Kind.USER


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Negotiate x", "token"])
async def test_without_a_token_the_challenge_names_no_error(
    issuer: TestIssuer, access: Access, header: str | None
) -> None:
    error = await refused(access, header)
    assert error.status == 401
    assert error.headers == {"WWW-Authenticate": challenge(issuer)}
    assert not issuer.requests


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forgery_is_refused_for_what_it_is(
    issuer: TestIssuer, access: Access, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "shared.access")
    forged = FORGERIES[name](issuer)
    error = await refused(access, f"Bearer {forged}")
    told = 'error="invalid_token", error_description="The access token is invalid or has expired."'
    assert error.headers == {"WWW-Authenticate": f"{challenge(issuer)}, {told}"}
    assert error.detail == "The access token is invalid or has expired."
    assert [record.getMessage() for record in caplog.records] == [f"An access token was refused: {REASONS[name]}"]
    assert not [path for path in issuer.requests if "mine" in path]


async def test_a_forgery_is_refused_beside_the_remembered_token_it_was_made_of(
    issuer: TestIssuer, access: Access
) -> None:
    token = issuer.token()
    for _ in range(2):
        assert (await access.principal(f"Bearer {token}")).roles == {"DicomDataReader"}
        await refused(access, f"Bearer {reworded(token, roles=['DicomDataOwner'])}")


async def test_keys_are_asked_for_once(issuer: TestIssuer, access: Access) -> None:
    await asyncio.gather(*(access.principal(f"Bearer {issuer.token()}") for _ in range(20)))
    assert len(issuer.requests) == 2


async def test_a_new_key_is_picked_up_and_a_withdrawn_one_dropped(
    issuer: TestIssuer, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "RETRY_SECONDS", 0)
    old_key, old_id = issuer.keys[issuer.key_id], issuer.key_id
    await access.principal(f"Bearer {issuer.token()}")
    issuer.rotate("ES384", drop=True)
    assert (await access.principal(f"Bearer {issuer.token()}")).kind is Kind.USER
    await refused(access, f"Bearer {issuer.token(key=old_key, headers={'kid': old_id})}")


async def test_unknown_key_ids_do_not_make_it_hammer_the_issuer(issuer: TestIssuer, access: Access) -> None:
    await access.principal(f"Bearer {issuer.token()}")
    flood = (issuer.token(headers={"kid": f"unknown-{number}"}) for number in range(200))
    errors = await asyncio.gather(*(refused(access, f"Bearer {token}") for token in flood))
    assert len(errors) == 200
    assert issuer.asked_for_keys == 1
    assert (await access.principal(f"Bearer {issuer.token()}")).kind is Kind.USER


async def test_an_issuer_that_is_down_at_first_is_503_then_taken(
    issuer: TestIssuer, access: Access, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.stop()
    with pytest.raises(ServiceUnavailable) as caught:
        await access.principal(f"Bearer {issuer.token()}")
    assert caught.value.headers == {"Retry-After": "10"}
    assert f"The issuer {issuer.url} does not give its keys: ClientConnectorError" in caplog.text
    monkeypatch.setattr(keys, "RETRY_SECONDS", 0)
    issuer.start()
    assert (await access.principal(f"Bearer {issuer.token()}")).kind is Kind.USER


async def test_an_issuer_that_goes_down_later_is_not_missed(
    issuer: TestIssuer, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    await access.principal(f"Bearer {issuer.token()}")
    issuer.stop()
    monkeypatch.setattr(keys, "RETRY_SECONDS", 0)
    monkeypatch.setattr(keys, "FRESH_SECONDS", 0)
    for _ in range(3):
        assert (await access.principal(f"Bearer {issuer.token()}")).kind is Kind.USER


async def test_an_issuer_that_sends_elsewhere_is_not_followed(issuer: TestIssuer, access: Access) -> None:
    issuer.misbehave = lambda path: Answer(b"", 302, f"{issuer.origin}/elsewhere") if "keys" in path else None
    with pytest.raises(ServiceUnavailable):
        await access.principal(f"Bearer {issuer.token()}")
    assert f"{issuer.origin}/elsewhere" not in issuer.requests
    assert len(issuer.requests) == 2


async def test_one_trusted_issuer_can_not_sign_for_another(issuer: TestIssuer) -> None:
    other = TestIssuer()
    try:
        both = open_access(Settings(issuers=(issuer.url, other.url), audiences=(AUDIENCE,)))
        assert (await both.principal(f"Bearer {other.token()}")).issuer == other.url
        assert (await both.principal(f"Bearer {issuer.token()}")).issuer == issuer.url
        await refused(both, f"Bearer {other.token(iss=issuer.url)}")
        stolen_id = {"kid": issuer.key_id}
        await refused(both, f"Bearer {other.token(iss=issuer.url, headers=stolen_id)}")
    finally:
        other.stop()


async def test_roles_decide_what_a_caller_may_do(issuer: TestIssuer) -> None:
    access = open_access(Settings(issuers=(issuer.url,), audiences=(AUDIENCE,), roles=ROLES))
    caller = await access.principal(f"Bearer {issuer.token(roles=['Cardiology'])}")
    access.require(caller, DataAction.READ)
    access.require(caller, DataAction.WRITE, "cardio-1")
    for action, partition in ((DataAction.READ, "neuro"), (DataAction.DELETE, "cardio-1"), (DataAction.EXPORT, None)):
        with pytest.raises(Forbidden) as caught:
            access.require(caller, action, partition)
        assert caught.value.detail == "Authorization failed."
        assert caught.value.headers == {"WWW-Authenticate": f'{challenge(issuer)}, error="insufficient_scope"'}


async def test_a_caller_without_roles_may_do_nothing(issuer: TestIssuer, access: Access) -> None:
    caller = await access.principal(f"Bearer {issuer.token(roles=None)}")
    assert not any(access.permissions(caller).allows_anywhere(action) for action in DataAction)


async def test_roles_of_other_claims(issuer: TestIssuer) -> None:
    keycloak = Settings(issuers=(issuer.url,), audiences=(AUDIENCE,), role_claims=("realm_access.roles",))
    access = open_access(keycloak)
    token = issuer.token(tid=None, oid=None, typ="Bearer", realm_access={"roles": ["DicomDataOwner", "offline"]})
    caller = await access.principal(f"Bearer {token}")
    assert (caller.subject, caller.roles) == ("pairwise-5J3f0sQm", {"DicomDataOwner", "offline"})
    assert access.permissions(caller).unrestricted(DataAction.DELETE)


async def test_open_access_lets_anyone_do_everything() -> None:
    access = open_access(Settings(), may_be_open=True)
    assert access.open
    for header in (None, "Bearer x", "Basic y"):
        assert await access.principal(header) is ANYONE
    for action in DataAction:
        assert access.permissions(ANYONE).unrestricted(action)
        access.require(ANYONE, action, "any")
        access.require(ANYONE, action)


def test_access_is_not_open_by_default() -> None:
    with pytest.raises(ValueError, match="DICOM_ISSUERS and DICOM_AUDIENCES are not set"):
        open_access(Settings())


@pytest.mark.parametrize("may_be_open", [False, True])
def test_with_an_issuer_access_is_never_open(issuer: TestIssuer, may_be_open: bool) -> None:
    assert not open_access(Settings(issuers=(issuer.url,), audiences=("x",)), may_be_open=may_be_open).open


async def test_nobody_of_an_open_service_may_do_anything_in_a_closed_one(access: Access) -> None:
    with pytest.raises(Forbidden):
        access.require(ANYONE, DataAction.READ)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(issuers=("http://login.example.org",), audiences=("x",)),
        Settings(issuers=("https://login.example.org",), audiences=("x",), roles="[{}]"),
    ],
    ids=["issuer", "roles"],
)
def test_mistakes_in_settings_are_told_at_the_start(settings: Settings) -> None:
    with pytest.raises(ValueError, match=r"DICOM_(ISSUERS|ROLES): "):
        open_access(settings)
