"""A site's own certificate authority, and the certificates of its broker, hub and nodes.

The broker takes the common name of a node's certificate as the node's user name and client id.
"""

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A Pi without a battery-backed clock boots with the date of its image: no certificate may be 'not yet valid' then.
NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
AUTHORITY_LIFE = timedelta(days=10 * 365)
CERTIFICATE_LIFE = timedelta(days=365)

HUB = "hub"
BROKER = "broker"
CA = "ca"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class PemFiles:
    """The paths of one program's files."""

    ca: Path
    cert: Path
    key: Path


class Authority:
    """A certificate authority. `now`: the moment from which its certificates' lifetime is counted."""

    def __init__(self, name: str, now: datetime) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, self._key.public_key(), now + AUTHORITY_LIFE)
        self._certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def certificate(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def client(self, name: str) -> Pair:
        """A certificate for the hub or a node: `name` becomes its user name at the broker."""
        return self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def server(self, name: str, reached_as: Iterable[str]) -> Pair:
        """A certificate for the broker. `reached_as`: the host names and addresses that clients verify."""
        return self._issue(name, ExtendedKeyUsageOID.SERVER_AUTH, tuple(reached_as))

    def _issue(self, name: str, use: x509.ObjectIdentifier, reached_as: tuple[str, ...]) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            self._builder(subject, key.public_key(), self._now + CERTIFICATE_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        )
        if reached_as:
            names = x509.SubjectAlternativeName([_host(each) for each in reached_as])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Pair(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )

    def _builder(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, until: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOT_BEFORE)
            .not_valid_after(until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def write_pair(folder: Path, name: str, authority: Authority, pair: Pair) -> PemFiles:
    """Write `ca.pem`, `NAME.pem` and `NAME.key`; only its owner may read the key."""
    folder.mkdir(parents=True, exist_ok=True)
    files = PemFiles(folder / f"{CA}.pem", folder / f"{name}.pem", folder / f"{name}.key")
    files.ca.write_bytes(authority.certificate)
    files.cert.write_bytes(pair.certificate)
    files.key.unlink(missing_ok=True)
    with os.fdopen(os.open(files.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as key:
        key.write(pair.key)
    return files


def write_site(
    folder: Path, nodes: Iterable[str], *, now: datetime, reached_as: Iterable[str] = LOCAL_NAMES
) -> dict[str, PemFiles]:
    """Write the certificates of a new authority for broker, hub and nodes. Returns the files by name.

    The authority's own key is not kept. Raises ValueError for a node whose name is taken.
    """
    authority = Authority("Suivant", now)
    pairs = {BROKER: authority.server(BROKER, reached_as), HUB: authority.client(HUB)}
    for node in nodes:
        if node == CA or node in pairs:
            raise ValueError(f"a node cannot be called {node}: the name is taken")
        pairs[node] = authority.client(node)
    return {name: write_pair(folder, name, authority, pair) for name, pair in pairs.items()}


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
