"""Addresses, names and filters of a directory. Pure."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

LDAPS_PORT, LDAP_PORT = 636, 389
ACCOUNT_HOLE = "{account}"

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
# Characters that Active Directory does not allow in the account part of a login name.
_NOT_IN_A_LOGIN_NAME = re.compile(r'["/\\\[\]:;|=,+*?<>@\s]')
# Long and short attribute names in distinguished names: RFC 4519.
_SHORT = {
    "commonname": "cn",
    "countryname": "c",
    "domaincomponent": "dc",
    "localityname": "l",
    "organizationname": "o",
    "organizationalunitname": "ou",
    "stateorprovincename": "st",
    "streetaddress": "street",
    "surname": "sn",
    "userid": "uid",
}
_HEX_PAIR = re.compile(rb"\\([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Address:
    """`tls_first`: TLS from the first byte; else StartTLS before anything else."""

    host: str
    port: int
    tls_first: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ldaps' if self.tls_first else 'ldap'}://{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Parse `ldaps://host` or `ldap://host:port`. Raises ValueError."""
    parts = urlsplit(text)
    if not parts.hostname:
        raise ValueError(f"{text!r} has no host name")
    tls_first = parts.scheme == "ldaps"
    return Address(parts.hostname, parts.port or (LDAPS_PORT if tls_first else LDAP_PORT), tls_first)


def escaped(text: str) -> str:
    r"""Escape text as a value in a filter or a distinguished name: RFC 4515 and 4514 both accept any byte as `\xx`.

    All but ASCII letters and digits are escaped, since ldap3 strips spaces around a filter's value and escapes fewer
    characters.
    """
    return "".join(chr(byte) if byte in _PLAIN else f"\\{byte:02x}" for byte in text.encode())


def is_distinguished(template: str) -> bool:
    return "=" in template


def bind_name(template: str, account: str) -> str | None:
    """The name that a person binds with; None if no account can be spelled like this."""
    if is_distinguished(template):
        return template.replace(ACCOUNT_HOLE, escaped(account))
    if _NOT_IN_A_LOGIN_NAME.search(account):
        return None
    return template.replace(ACCOUNT_HOLE, account)


# Cached, since a site's few group names come again and again.
@lru_cache(maxsize=1024)
def dn_key(name: str) -> str:
    """Normalize a distinguished name: case, spaces, long attribute names and ways of escaping no longer differ."""
    parts = (_ava_key(part) for part in _split(name.encode(), b",;"))
    return ",".join(parts)


def is_under(name: str, base: str) -> bool:
    """Whether `name` is `base` or below it."""
    return f",{dn_key(name)}".endswith(f",{dn_key(base)}")


def _ava_key(rdn: bytes) -> str:
    avas = []
    for ava in _split(rdn, b"+"):
        kind, _equals, value = ava.partition(b"=")
        text = " ".join(_unescaped(value.strip()).split()).casefold()
        named = kind.strip().decode(errors="replace").casefold()
        # Escaped again, so that the value can't contain a separator.
        avas.append(f"{_SHORT.get(named, named)}={escaped(text)}")
    return "+".join(sorted(avas))


def _split(name: bytes, borders: bytes) -> list[bytes]:
    parts, start, place = [], 0, 0
    while place < len(name):
        if name[place] == ord(b"\\"):
            place += 2
            continue
        if name[place] in borders:
            parts.append(name[start:place])
            start = place + 1
        place += 1
    return [*parts, name[start:]]


def _unescaped(value: bytes) -> str:
    pairs = _HEX_PAIR.sub(lambda pair: bytes([int(pair[1], 16)]), value.replace(b"\\\\", b"\\5c"))
    return re.sub(rb"\\(.)", rb"\1", pairs, flags=re.DOTALL).decode(errors="replace")
