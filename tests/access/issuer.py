"""An OpenID Connect issuer on this machine, shaped like a tenant of Microsoft Entra ID, with keys of its own.

Whoever is given its URL, this process or a server in another one, fetches its keys over HTTP.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Json = dict[str, Any]

AUDIENCE = "4f2d9c1e-6f0a-4c4e-9a57-0c3f6a0f5b11"
CLIENT = "9b1f8a52-25f6-4d0b-8a6e-5c1f3e7d2a44"
LIFETIME_SECONDS = 3600
CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One of some RSA keys, each made only once: that takes long."""
    return rsa.generate_private_key(65537, bits)


def new_key(algorithm: str) -> PrivateKey:
    """A key for an algorithm: a new one, but for RSA."""
    return ec.generate_private_key(CURVES[algorithm]()) if algorithm in CURVES else rsa_key()


def default_algorithm(key: PrivateKey) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    return next(name for name, curve in CURVES.items() if isinstance(key.curve, curve))


def public_jwk(key: PrivateKey, key_id: str | None = None, **changes: Any) -> Json:
    """The public half as a JSON Web Key; changes of None take members away."""
    kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    numbers = kind.to_jwk(key.public_key(), as_dict=True)
    jwk: Json = numbers | {"use": "sig", "kid": key_id, "key_ops": None} | changes
    return {name: value for name, value in jwk.items() if value is not None}


@dataclass(frozen=True)
class Answer:
    """What the issuer's server gives. ``pause`` is the time before each byte of the body."""

    body: bytes
    status: int = 200
    location: str | None = None
    encoding: str | None = None
    pause: float = 0


Misbehave = Callable[[str], Answer | None]
"""The answer to a path instead of the right one, or None for the right one."""


class TestIssuer:
    """Signs tokens, and serves its metadata and public keys while it is started.

    ``requests`` are the paths it was asked for; ``misbehave`` may be set to answer wrongly.
    """

    __test__ = False

    def __init__(self) -> None:
        self.tenant = str(uuid4())
        self.requests: list[str] = []
        self.keys: dict[str, PrivateKey] = {}
        self.jwks: list[Json] = []
        self.misbehave: Misbehave = lambda _: None
        self.key_id = self.rotate()
        self._stopping = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """What ``iss`` says in v2.0 tokens, and DICOM_ISSUERS."""
        return f"{self.origin}/{self.tenant}/v2.0"

    @property
    def v1_name(self) -> str:
        """What ``iss`` says in v1.0 tokens."""
        return f"https://sts.windows.net/{self.tenant}/"

    @property
    def v1_metadata(self) -> str:
        return f"{self.origin}/{self.tenant}/.well-known/openid-configuration"

    @property
    def settings(self) -> dict[str, str]:
        """The environment of a service that trusts this issuer."""
        return {"DICOM_ISSUERS": self.url, "DICOM_AUDIENCES": AUDIENCE}

    @property
    def asked_for_keys(self) -> int:
        return sum(path.endswith("/keys") for path in self.requests)

    def start(self) -> None:
        """Serve, at the same port as before."""
        self._stopping.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._stopping.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def rotate(self, algorithm: str = "ES256", *, drop: bool = False) -> str:
        """Sign with another key from now on, published under the id it gives; ``drop`` withdraws those before."""
        key_id = uuid4().hex
        key = new_key(algorithm)
        if drop:
            self.keys.clear()
            self.jwks.clear()
        self.keys[key_id] = key
        self.jwks.append(public_jwk(key, key_id))
        self.key_id = key_id
        return key_id

    def token(
        self,
        claims: Mapping[str, Any] | None = None,
        *,
        algorithm: str | None = None,
        key: PrivateKey | None = None,
        headers: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A signed token: of a user in v2.0 if no claims are given. Changes of None take claims and headers away."""
        key = key or self.keys[self.key_id]
        claims = {**(claims or self.v2_user()), **changes}
        shown = {"kid": self.key_id, **(headers or {})}
        return jwt.encode(
            {name: value for name, value in claims.items() if value is not None},
            key,
            algorithm or default_algorithm(key),
            headers={name: value for name, value in shown.items() if value is not None or name == "typ"},
        )

    def _claims(self) -> Json:
        now = int(time.time())
        return {"iat": now - 5, "nbf": now - 5, "exp": now + LIFETIME_SECONDS, "tid": self.tenant, "uti": uuid4().hex}

    def _of_a_user(self) -> Json:
        return self._claims() | {
            "oid": str(uuid4()),
            "sub": "pairwise-5J3f0sQm",
            "name": "Marker^Name",
            "scp": "user_impersonation",
            "roles": ["DicomDataReader"],
        }

    def _of_an_app(self) -> Json:
        oid = str(uuid4())
        return self._claims() | {"oid": oid, "sub": oid, "roles": ["DicomDataOwner"]}

    def v2_user(self) -> Json:
        mine = {"iss": self.url, "aud": AUDIENCE, "azp": CLIENT, "azpacr": "0", "ver": "2.0"}
        return self._of_a_user() | mine | {"preferred_username": "marker@example.org"}

    def v1_user(self) -> Json:
        mine = {"iss": self.v1_name, "aud": f"api://{AUDIENCE}", "appid": CLIENT, "appidacr": "0", "ver": "1.0"}
        return self._of_a_user() | mine | {"upn": "marker@example.org", "ipaddr": "203.0.113.9", "amr": ["pwd"]}

    def v2_app(self) -> Json:
        return self._of_an_app() | {"iss": self.url, "aud": AUDIENCE, "azp": CLIENT, "azpacr": "1", "ver": "2.0"}

    def v1_app(self) -> Json:
        mine = {"iss": self.v1_name, "aud": f"api://{AUDIENCE}", "appid": CLIENT, "appidacr": "1", "ver": "1.0"}
        return self._of_an_app() | mine | {"idp": self.v1_name}

    def _right_answer(self, path: str) -> Answer:
        base = f"/{self.tenant}"
        names = {
            f"{base}/v2.0/.well-known/openid-configuration": self.url,
            f"{base}/.well-known/openid-configuration": self.v1_name,
        }
        if path in names:
            configuration = {"issuer": names[path], "jwks_uri": f"{self.origin}{base}/discovery/keys"}
            return Answer(json.dumps(configuration).encode())
        if path == f"{base}/discovery/keys":
            return Answer(json.dumps({"keys": self.jwks}).encode())
        return Answer(b"", 404)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests.append(self.path)
                answer = issuer.misbehave(self.path) or issuer._right_answer(self.path)
                self.send_response(answer.status)
                for name, value in (("Location", answer.location), ("Content-Encoding", answer.encoding)):
                    if value:
                        self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                try:
                    self._send(answer)
                except OSError:
                    self.close_connection = True

            def _send(self, answer: Answer) -> None:
                if not answer.pause:
                    self.wfile.write(answer.body)
                    return
                for byte in answer.body:
                    if issuer._stopping.wait(answer.pause):
                        break
                    self.wfile.write(bytes([byte]))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def issuing() -> Iterator[TestIssuer]:
    """An issuer that serves its keys until the end of the block."""
    issuer = TestIssuer()
    try:
        yield issuer
    finally:
        issuer.stop()
