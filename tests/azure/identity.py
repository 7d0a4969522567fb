"""A certificate authority of our own, and somebody signed in to the Azure CLI."""

import base64
import json
import sys
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.azure.azurite import Certificate

TOKEN_SECONDS = 3600
LOCALHOST = IPv4Address("127.0.0.1")


@dataclass(frozen=True, slots=True)
class Trust:
    """A server's certificate and the authority that signed it, a PEM file for SSL_CERT_FILE."""

    authority: Path
    server: Certificate


def trust(folder: Path) -> Trust:
    """An authority of its own, and a certificate of it for this machine."""
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("authority", authority_key, "authority", authority_key)
    server = _certificate("azurite", server_key, "authority", authority_key)
    paths = Trust(folder / "authority.pem", Certificate(folder / "server.pem", folder / "server.key"))
    paths.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    paths.server.certificate.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    paths.server.key.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


def _certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    now = datetime.now(UTC)
    own, authority = key.public_key(), signer.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(own)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(LOCALHOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
        .add_extension(_usage(signs=subject == issuer), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
        .sign(signer, hashes.SHA256())
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def token(audience: str) -> str:
    """An access token as Microsoft Entra ID words it; Azurite reads its claims, but not its signature."""
    now = int(time.time())
    tenant = str(uuid.uuid4())
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + TOKEN_SECONDS,
        "oid": str(uuid.uuid4()),
        "tid": tenant,
        "ver": "1.0",
    }
    parts = ({"alg": "RS256", "typ": "JWT"}, claims, {"signature": "none"})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def azure_cli(folder: Path) -> Path:
    """A folder for PATH with an ``az`` that hands out one token, and notes each call in ``calls``."""
    folder.mkdir()
    answer = {
        "accessToken": token("https://storage.azure.com"),
        "expires_on": int(time.time()) + TOKEN_SECONDS,
        "expiresOn": (datetime.now() + timedelta(seconds=TOKEN_SECONDS)).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "tenant": str(uuid.uuid4()),
        "tokenType": "Bearer",
    }
    program = folder / "az"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(folder / 'calls')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        f"print({json.dumps(answer)!r})\n"
    )
    program.chmod(0o755)
    return folder
