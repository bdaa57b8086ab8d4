"""Receives Publik's calls: web-service actions of w.c.s. workflows, and cancel callbacks.

Only the query is signed, so the body is no more than a hint. If the call names a request of a configured form, the hub
looks that request up; else it asks for everything that changed.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog

from hub.appointments.source import Hint
from hub.publik.secrets import Secrets
from hub.publik.signature import SignatureRefused, TooManyCalls, Verifier
from hub.site import Publik

log = structlog.get_logger(__name__)

BODY_MOST_BYTES = 65_536
# Anybody may call: refused calls must not fill the log.
REFUSAL_LOGGED_EVERY_MS = 60_000
# `/rendez-vous/12/`, or `/api/forms/rendez-vous/12/` as in the API of w.c.s.
_REQUEST_PATH = re.compile(r"(?:^|/)([A-Za-z0-9][A-Za-z0-9_-]{0,127})/([0-9]{1,18})/?$")
# The variables of w.c.s. that hold a request's address, and `request` for a hand-written call.
_NAMES = ("form_api_url", "form_url", "form_backoffice_url", "request")


class PushDoor:
    """Accepts calls signed by the configured Publik. `put` gets a Hint, or None for "look at all that changed"."""

    def __init__(self, publik: Publik, secrets: Secrets, put: Callable[[Hint | None], None]) -> None:
        addresses = [publik.address, *([publik.chrono.address] if publik.chrono else [])]
        self._verifier = Verifier({orig: secrets.key for each in addresses for orig in origs(each)})
        self._forms = frozenset(form.form for form in publik.forms)
        self._put = put
        self._logged_ms: int | None = None

    def take(self, raw_query: bytes, body: bytes, now_ms: int) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and the JSON to answer with, in Publik's own format. For one thread at a time."""
        if len(body) > BODY_MOST_BYTES:
            return self._refusal(413, "Invalid request", f"the body is longer than {BODY_MOST_BYTES} bytes", now_ms)
        try:
            signed = self._verifier.verify(raw_query, now_ms)
        except SignatureRefused as refused:
            return self._refusal(403, "Access denied", str(refused), now_ms)
        except TooManyCalls:
            reason = "the hub has accepted too many calls in the last minute: try again in a minute"
            return self._refusal(429, "Too many requests", reason, now_ms)
        self._put(self._hint({**_object(body), **dict(signed)}))
        return 200, {"err": 0}

    def _refusal(self, status: int, err_class: str, reason: str, now_ms: int) -> tuple[int, dict[str, Any]]:
        if self._logged_ms is None or abs(now_ms - self._logged_ms) >= REFUSAL_LOGGED_EVERY_MS:
            self._logged_ms = now_ms
            log.warning("publik.call_refused", status=status, reason=reason)
        err_code = err_class.lower().replace(" ", "-")
        return status, {"err": 1, "err_class": err_class, "err_code": err_code, "err_desc": reason}

    def _hint(self, said: Mapping[str, Any]) -> Hint | None:
        for name in _NAMES:
            value = said.get(name)
            found = _REQUEST_PATH.search(_path(value)) if isinstance(value, str) else None
            if found and found[1] in self._forms:
                return Hint(f"{found[1]}/{found[2]}")
        return None


def origs(address: str) -> set[str]:
    """Return the names that the program at this address may use as `orig`: its host name, with or without the port."""
    parts = urlsplit(address)
    return {each for each in (parts.hostname, parts.netloc.rpartition("@")[2]) if each}


def _path(text: str) -> str:
    try:
        return urlsplit(text).path
    except ValueError:
        return ""


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
