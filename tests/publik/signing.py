"""The test Publik's own signatures, written independently of the hub's so that a mistake in one shows.

[code] From w.c.s.'s verifier: what is signed, how, the tolerance, the nonce, parameters given twice.
"""

import base64
import calendar
import hashlib
import hmac
import re
import secrets
import time
import urllib.parse

TOLERANCE_S = 30  # [code]


class Denied(Exception):
    pass


class Nonces:
    """[code] A nonce is cut to 128 characters, normalised to a slug, and refused if seen again within 30 s."""

    def __init__(self):
        self._seen = {}

    def take(self, nonce, now_s):
        slug = re.sub(r"[^a-z0-9-]+", "-", nonce[:128].lower())
        self._seen = {each: until for each, until in self._seen.items() if until >= now_s}
        if slug in self._seen:
            raise Denied("nonce already used")
        self._seen[slug] = now_s + TOLERANCE_S


def check(query: str, keys: dict[str, str], nonces: Nonces, now_s: float) -> None:
    """Check a signed query. Raises Denied."""
    signed, mark, signature = query.partition("&signature=")
    if not mark or "&" in signature:
        raise Denied("signature must come last")
    parameters = urllib.parse.parse_qs(signed, keep_blank_values=True)
    for name in ("orig", "algo", "timestamp"):
        if len(parameters.get(name, [])) != 1:
            raise Denied(f"{name} must be given once")  # [code]
    if parameters["orig"][0] not in keys:
        raise Denied("invalid orig")
    if parameters["algo"][0] not in hashlib.algorithms_guaranteed:  # [code]
        raise Denied("invalid algo")
    moment = time.strptime(parameters["timestamp"][0], "%Y-%m-%dT%H:%M:%SZ")  # [code] UTC, no fraction
    if abs(now_s - calendar.timegm(moment)) > TOLERANCE_S:
        raise Denied("timestamp delta is more than 30 seconds")
    made = hmac.new(keys[parameters["orig"][0]].encode(), signed.encode(), parameters["algo"][0]).digest()
    if base64.b64encode(made).decode() != urllib.parse.unquote(signature):
        raise Denied("invalid signature")
    # [code] The nonce is optional.
    if "nonce" in parameters:
        nonces.take(parameters["nonce"][0], now_s)


def signed_url(url: str, *, orig: str, key: str, now_s: float) -> str:
    """Sign a URL as w.c.s. signs its own calls: [code] its parameters, algo, timestamp, nonce, orig, then the
    signature, in which Publik does not escape `/`."""
    base, _, query = url.partition("?")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s))
    own = urllib.parse.urlencode({"algo": "sha256", "timestamp": stamp, "nonce": secrets.token_hex(16), "orig": orig})
    signed = f"{query}&{own}" if query else own
    digest = hmac.new(key.encode(), signed.encode(), "sha256").digest()
    return f"{base}?{signed}&signature={urllib.parse.quote(base64.b64encode(digest))}"
