"""The door for calls of Publik: web-service actions of w.c.s. workflows, and cancel callbacks.

Only the query is signed, so the body is a hint where to look and nothing more: it names one of our forms and a request
of it, or else it is a reason to look at all that changed.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hub.appointments.source import Hint
from hub.publik.secrets import Secrets
from hub.publik.signature import SignatureRefused, TooManyCalls, Verifier
from hub.site import Publik

BODY_MOST_BYTES = 65_536
# `/rendez-vous/12/`, or `/api/forms/rendez-vous/12/` as w.c.s. names it to programs.
_REQUEST_PATH = re.compile(r"(?:^|/)([A-Za-z0-9][A-Za-z0-9_-]{0,127})/([0-9]{1,18})/?$")
# The variables of w.c.s. that lead to a request, and one for a hand-written call.
_NAMES = ("form_api_url", "form_url", "form_backoffice_url", "request")


class PushDoor:
    """Lets in what the configured Publik signed. `put` is given a Hint, or None for "look at all that changed"."""

    def __init__(self, publik: Publik, secrets: Secrets, put: Callable[[Hint | None], None]) -> None:
        addresses = [publik.address, *([publik.chrono.address] if publik.chrono else [])]
        self._verifier = Verifier({orig: secrets.key for each in addresses for orig in origs(each)})
        self._forms = frozenset(form.form for form in publik.forms)
        self._put = put

    def take(self, raw_query: bytes, body: bytes, now_ms: int) -> tuple[int, dict[str, Any]]:
        """The HTTP status and the JSON to answer with, as Publik itself would. For one thread at a time."""
        if len(body) > BODY_MOST_BYTES:
            return 413, _refusal("Invalid request", "invalid-request", "body too long")
        try:
            signed = self._verifier.verify(raw_query, now_ms)
        except SignatureRefused as refused:
            return 403, _refusal("Access denied", "access-denied", str(refused))
        except TooManyCalls:
            return 429, _refusal("Too many requests", "too-many-requests", "wait a minute")
        self._put(self._hint({**_object(body), **dict(signed)}))
        return 200, {"err": 0}

    def _hint(self, said: Mapping[str, Any]) -> Hint | None:
        for name in _NAMES:
            value = said.get(name)
            found = _REQUEST_PATH.search(_path(value)) if isinstance(value, str) else None
            if found and found[1] in self._forms:
                return Hint(f"{found[1]}/{found[2]}")
        return None


def origs(address: str) -> set[str]:
    """How the program at this address may call itself: its host name, with its port or without."""
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


def _refusal(err_class: str, err_code: str, err_desc: str) -> dict[str, Any]:
    return {"err": 1, "err_class": err_class, "err_code": err_code, "err_desc": err_desc}
