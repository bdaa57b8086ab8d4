"""Where browsers reach the hub: on this machine only, or at a public address behind named proxies."""

import re
import unicodedata
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from msgspec import Struct

Network = IPv4Network | IPv6Network
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")


class Reached(Struct, frozen=True, kw_only=True):
    """Where browsers reach the hub.

    `origin`: the public origin, such as `https://accueil.ville.example`; empty for this machine only. `path`: the
    prefix of each public address, such as `/suivant`. `proxies`: those that are trusted to name their clients.
    """

    origin: str = ""
    path: str = ""
    proxies: tuple[Network, ...] = ()

    @property
    def host(self) -> str:
        return self.origin.partition("://")[2]

    @property
    def by_tls(self) -> bool:
        return self.origin.startswith("https://")

    def is_proxy(self, address: str) -> bool:
        found = address_of(address)
        return found is not None and any(found in network for network in self.proxies)


ON_THIS_MACHINE = Reached()


def parse_public_url(text: str) -> tuple[str, str]:
    """Returns origin and path. Raises ValueError, whose text says what would be right."""
    wanted = "an address such as https://accueil.ville.example or https://www.ville.example/suivant"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(wanted) from None
    host, path = _sent_host(parts.hostname or ""), parts.path.rstrip("/")
    is_plain = host and port != 0 and not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in {"http", "https"} or not is_plain or not _PATH.fullmatch(path):
        raise ValueError(wanted)
    if {".", ".."} & set(path.split("/")):
        raise ValueError(wanted)
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(f"{wanted}: passwords are sent there, so it must begin with https://")
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}{f':{port}' if port not in {None, default} else ''}", path


def _sent_host(host: str) -> str:
    """The host as browsers send it, accents encoded in ASCII; empty if it can't be a host. Raises ValueError, too."""
    if ":" in host:
        address = address_of(host)
        return str(address) if address and "%" not in host else ""
    try:
        sent = host.encode("idna").decode()
    except UnicodeError:
        return ""
    # Python's codec follows IDNA 2003; browsers encode a few characters differently, none of them French.
    if not host.isascii() and sent.encode().decode("idna") != unicodedata.normalize("NFC", host):
        raise ValueError("an address with its host name as browsers send it, beginning with xn--")
    return sent if _HOST.fullmatch(sent) else ""


def parse_proxies(text: str) -> tuple[Network, ...]:
    """Parses addresses and networks separated by commas. Raises ValueError, whose text says what would be right."""
    try:
        networks = tuple(_network(each.strip()) for each in text.split(","))
    except ValueError as error:
        raise ValueError(f"addresses or networks separated by commas, such as 10.1.2.3,10.1.2.0/28 ({error})") from None
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("the addresses of the proxies only: a network of length /0 contains every machine")
    return networks


def _network(text: str) -> Network:
    """Parses a network; an IPv4 network mapped into IPv6 is returned as IPv4, as in `address_of`."""
    network = ip_network(text)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return network if mapped is None or network.prefixlen < 96 else ip_network((mapped, network.prefixlen - 96))  # noqa: PLR2004


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Parses an IP address; an IPv4 address mapped into IPv6 is returned as IPv4. None if it is not an address."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    found = address_of(host)
    return host == "localhost" or (found is not None and found.is_loopback)
