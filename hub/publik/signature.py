"""Publik's signatures: of URLs that the hub requests, and of calls that it receives.

A signature covers the bytes of the query as sent, up to but without `&signature=`. It does not cover the method, host,
path or body. The rules are those of w.c.s.'s own verifier.
"""

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

TOLERANCE_MS = 30_000
ALGORITHM = "sha256"
# The accepted hash algorithms: those of Python's that are still sound and have a fixed length.
ALGORITHMS = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512"})
NONCE_MOST = 128
QUERY_MOST_BYTES = 8_192
# A nonce is kept for a minute at most, so it takes over 160 signed calls a second to fill this.
NONCES_MOST = 10_000
_ONCE = ("orig", "algo", "timestamp", "nonce")
_MARK = b"&signature="


class SignatureRefused(Exception):
    """A call is not signed correctly; `str()` says to the caller what is wrong."""


class TooManyCalls(Exception):
    """More signed calls within a minute than can be remembered: replays could no longer be detected."""


def sign(query: Sequence[tuple[str, str]], *, key: bytes, client: str, now_ms: int, nonce: str) -> str:
    """Return the whole signed query. It must be sent unchanged: encoding it again breaks the signature."""
    timestamp = datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    own = [("orig", client), ("algo", ALGORITHM), ("timestamp", timestamp), ("nonce", nonce)]
    signed = urlencode([*query, *own])
    return f"{signed}&signature={quote(base64.b64encode(_digest(key, ALGORITHM, signed.encode())), safe='')}"


class Verifier:
    """Checks signed calls. `keys`: the peers' keys by `orig`. Each call is accepted once. For one thread at a time."""

    def __init__(self, keys: Mapping[str, bytes], nonces_most: int = NONCES_MOST) -> None:
        self._keys = {orig: key for orig, key in keys.items() if key}
        self._most = nonces_most
        # The expiry time of each nonce, nearly in order of expiry, so that none is kept much too long.
        self._nonces: OrderedDict[str, int] = OrderedDict()

    def verify(self, query: bytes, now_ms: int) -> list[tuple[str, str]]:
        """Return the signed parameters. Raises SignatureRefused; TooManyCalls if replays can no longer be detected."""
        if len(query) > QUERY_MOST_BYTES:
            raise SignatureRefused(f"the query is longer than {QUERY_MOST_BYTES} bytes")
        signed, mark, signature = query.rpartition(_MARK)
        if not mark or b"&" in signature or b"signature=" in signed:
            raise SignatureRefused("the query must have one signature, as its last parameter")
        parameters = _parameters(signed)
        once = _once(parameters)
        key = self._keys.get(once["orig"])
        if key is None:
            raise SignatureRefused("the hub has no key for this orig")
        if once["algo"] not in ALGORITHMS:
            raise SignatureRefused(f"algo must be one of {', '.join(sorted(ALGORITHMS))}")
        made = _digest(key, once["algo"], signed)
        if not hmac.compare_digest(made, _decoded(signature)):
            raise SignatureRefused("the signature does not match the query and the key")
        made_ms = _timestamp_ms(once["timestamp"])
        if abs(now_ms - made_ms) > TOLERANCE_MS:
            raise SignatureRefused(f"the timestamp and the hub's clock differ by more than {TOLERANCE_MS // 1000} s")
        # Without a nonce, the digest serves as one, however the signature was encoded.
        self._remember(once["nonce"] or made.hex(), made_ms, now_ms)
        return parameters

    def _remember(self, nonce: str, made_ms: int, now_ms: int) -> None:
        while self._nonces and next(iter(self._nonces.values())) < now_ms:
            self._nonces.popitem(last=False)
        if self._nonces.get(nonce, -1) >= now_ms:
            raise SignatureRefused("the hub has already accepted this call, or another with the same nonce")
        if len(self._nonces) >= self._most:
            raise TooManyCalls
        # After that time the call's timestamp is refused anyway.
        self._nonces[nonce] = made_ms + TOLERANCE_MS
        self._nonces.move_to_end(nonce)


def _digest(key: bytes, algorithm: str, signed: bytes) -> bytes:
    return hmac.new(key, signed, getattr(hashlib, algorithm)).digest()


def _parameters(signed: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(signed.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise SignatureRefused("the query cannot be parsed") from error


def _once(parameters: list[tuple[str, str]]) -> dict[str, str]:
    found = dict.fromkeys(_ONCE, "")
    for name, value in parameters:
        if name not in found:
            continue
        if found[name]:
            raise SignatureRefused(f"the query has more than one {name}")
        found[name] = value
    for name in _ONCE[:3]:
        if not found[name]:
            raise SignatureRefused(f"the query has no {name}")
    if len(found["nonce"]) > NONCE_MOST:
        raise SignatureRefused(f"the nonce is longer than {NONCE_MOST} characters")
    return found


def _decoded(signature: bytes) -> bytes:
    try:
        return base64.b64decode(unquote_to_bytes(signature), validate=True)
    except (ValueError, binascii.Error):
        return b""


def _timestamp_ms(text: str) -> int:
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise SignatureRefused("the timestamp is not a time in UTC such as 2026-11-24T09:00:00Z") from error
    return int(moment.timestamp()) * 1000
