"""The gate: from the Authorization header of a request to its caller, and to what the caller may do."""

import logging
from functools import partial

from shared.access.discovery import fetch_keys
from shared.access.issuers import issuers
from shared.access.keys import IssuerKeys
from shared.access.principal import ANYONE, Principal
from shared.access.roles import BUILT_IN, DataAction, Permissions, Roles, custom_roles
from shared.access.tokens import InvalidToken, TokenVerifier
from shared.errors import Forbidden, Unauthorized
from shared.settings import Settings
from shared.telemetry.meters import meters
from shared.telemetry.metrics import TOKENS_REFUSED

logger = logging.getLogger(__name__)

EVERYTHING = Permissions(BUILT_IN.values())
REFUSED = 'error="invalid_token", error_description="The access token is invalid or has expired."'


class Access:
    """Who may do what. Without ``tokens`` it is open: anyone may do everything."""

    def __init__(self, roles: Roles, tokens: TokenVerifier | None, challenge: str = "Bearer") -> None:
        self._roles = roles
        self._tokens = tokens
        self._challenge = challenge

    @property
    def open(self) -> bool:
        """Whether requests need no token."""
        return self._tokens is None

    async def principal(self, authorization: str | None) -> Principal:
        """The caller of a request with this Authorization header (RFC 6750 2.1).

        Raises Unauthorized, with the challenge that the answer must carry, and ServiceUnavailable if the issuer of
        the token can't be asked for its keys.
        """
        if self._tokens is None:
            return ANYONE
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("The request bears no access token.", {"WWW-Authenticate": self._challenge})
        try:
            return await self._tokens.verify(token.strip())
        except InvalidToken as error:
            meters.add(TOKENS_REFUSED, 1)
            logger.info("An access token was refused: %s", error)
            challenge = f"{self._challenge}, {REFUSED}"
            raise Unauthorized("The access token is invalid or has expired.", {"WWW-Authenticate": challenge}) from None

    async def check(self) -> None:
        """Raises ServiceUnavailable if tokens can't be checked, as their issuer does not give its keys."""
        if self._tokens is not None:
            await self._tokens.check()

    def permissions(self, caller: Principal) -> Permissions:
        """What a caller may do, and in which partitions."""
        return EVERYTHING if self.open else self._roles.permissions(caller.roles)

    def require(self, caller: Principal, action: DataAction, partition: str | None = None) -> None:
        """Raise Forbidden if a caller may not do this in the partition; without one, in any partition at all."""
        allowed = self.permissions(caller)
        if not (allowed.allows_anywhere(action) if partition is None else allowed.allows(action, partition)):
            raise self.refusal()

    def refusal(self) -> Forbidden:
        """What to raise for a caller who is known but may not do what was asked (RFC 6750 3.1)."""
        challenge = f'{self._challenge}, error="insufficient_scope"'
        return Forbidden("Authorization failed.", {"WWW-Authenticate": challenge})


def open_access(settings: Settings, *, may_be_open: bool = False) -> Access:
    """The access that the settings describe. Raises ValueError, which says what is wrong with them.

    ``may_be_open`` tells that only this machine can reach the service, so that it may do without issuers.
    """
    roles = Roles(custom_roles(settings.roles) if settings.roles else ())
    if not settings.issuers:
        if not may_be_open:
            raise ValueError("DICOM_ISSUERS and DICOM_AUDIENCES are not set: nobody could be let in.")
        return Access(roles, tokens=None)
    trusted = [issuer for url in settings.issuers for issuer in issuers(url)]
    keys = {issuer.name: IssuerKeys(issuer.name, partial(fetch_keys, issuer)) for issuer in trusted}
    tokens = TokenVerifier(keys, settings.audiences, settings.role_claims)
    return Access(roles, tokens, _challenge(settings.issuers[0], settings.audiences[0]))


def _challenge(authority: str, audience: str) -> str:
    """What a client without a token is told, as Microsoft's server does (RFC 6750 3)."""
    return f'Bearer authorization_uri="{authority}", resource_id="{audience}", realm="{audience}"'
