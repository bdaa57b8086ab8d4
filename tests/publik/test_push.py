"""`PushDoor`, which takes Publik's own calls."""

import base64
import hmac
import json
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from hub.appointments.source import Hint
from hub.publik.push import BODY_MOST_BYTES, PushDoor
from hub.publik.secrets import Secrets
from hub.site import Chrono, Publik
from tests.publik import signing
from tests.publik.conftest import FORM, form

ADDRESS = "https://demarches.example.fr"
PUBLIK = Publik(
    address=ADDRESS, client="suivant", forms=(form(),), chrono=Chrono(address="https://agendas.example.fr:8443")
)
AT_MS = 1_795_510_800_000
PASS = [None]


class Door:
    """A PushDoor and the hints it put."""

    def __init__(self, key: bytes = b"secret"):
        self.put: list[Hint | None] = []
        self.door = PushDoor(PUBLIK, Secrets(key=key), self.put.append)

    def take(self, body: object = None, *, query: str = "", orig="demarches.example.fr", key="secret", at_ms=AT_MS):
        url = signing.signed_url(f"https://hub/push{query}", orig=orig, key=key, now_s=at_ms / 1000)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        return self.door.take(url.partition("?")[2].encode(), raw, AT_MS)


@pytest.fixture
def door() -> Door:
    return Door()


def test_a_workflows_call_is_a_hint_to_its_request(door: Door):
    body = {
        "form_api_url": f"{ADDRESS}/api/forms/{FORM}/12/",
        "booking_id": 77,
        "start": "30:2026-11-25-1000",
        "agenda": "mairie",
        "kind": "moved",
    }
    assert door.take(body) == (200, {"err": 0})
    assert door.put == [Hint(f"{FORM}/12")]


@pytest.mark.parametrize(
    "body",
    [
        {"form_url": f"{ADDRESS}/{FORM}/12/"},
        {"form_url": f"{ADDRESS}/{FORM}/12"},
        {"form_backoffice_url": f"{ADDRESS}/backoffice/management/{FORM}/12/"},
        {"request": f"{FORM}/12"},
    ],
)
def test_any_address_of_a_request_will_do(door: Door, body: object):
    assert door.take(body)[0] == 200
    assert door.put == [Hint(f"{FORM}/12")]


def test_a_cancel_callback_names_its_request_in_its_own_address(door: Door):
    assert door.take(query=f"?request={FORM}/12")[0] == 200
    assert door.put == [Hint(f"{FORM}/12")]


def test_what_is_signed_is_believed_before_the_body(door: Door):
    door.take({"request": f"{FORM}/13"}, query=f"?request={FORM}/12")
    assert door.put == [Hint(f"{FORM}/12")]


def test_the_host_in_a_body_is_never_where_the_hub_looks(door: Door):
    door.take({"form_api_url": f"https://elsewhere.example/api/forms/{FORM}/12/"})
    assert door.put == [Hint(f"{FORM}/12")]


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"no json",
        b"[" * 60_000,
        b"\xff\xfe",
        '{"form_api_url": "x", "kind": "réservé"}'.encode("latin-1"),
        [],
        "text",
        {"booking_id": 77},
        {"form_api_url": f"{ADDRESS}/api/forms/other-form/12/"},
        {"form_api_url": f"{ADDRESS}/api/forms/{FORM}/"},
        {"form_api_url": f"{ADDRESS}/api/forms/{FORM}/../12/../"},
        {"form_api_url": f"{ADDRESS}/api/forms/{FORM}/12/jump/trigger/x/"},
        {"form_api_url": f"{ADDRESS}/?{FORM}/12/"},
        {"form_api_url": ["x"]},
        {"form_api_url": "https://[broken"},
        {"request": f"{FORM}/{'1' * 19}"},
        {"request": f"{FORM}/١٢"},
    ],
)
def test_anything_else_asks_for_a_pass(door: Door, body: object):
    assert door.take(body) == (200, {"err": 0})
    assert door.put == PASS


def test_a_callback_with_the_booking_in_its_address_asks_for_a_pass(door: Door):
    assert door.take(query="?booking=77")[0] == 200
    assert door.put == PASS


@pytest.mark.parametrize("orig", ["demarches.example.fr", "agendas.example.fr", "agendas.example.fr:8443"])
def test_both_programs_of_the_configured_publik_are_let_in(door: Door, orig: str):
    assert door.take(orig=orig)[0] == 200


def test_an_action_with_a_key_of_its_own_names_its_host_in_its_query(door: Door):
    """[code] Such an action signs the query that its designer wrote, and does not add `orig`."""
    query = "orig=demarches.example.fr&algo=sha256&timestamp=2026-11-24T09%3A00%3A00Z&nonce=9f"
    digest = base64.b64encode(hmac.new(b"secret", query.encode(), "sha256").digest()).decode()
    raw = f"{query}&signature={quote(digest)}".encode()
    assert door.door.take(raw, b'{"form_api_url": "https://x/api/forms/rendez-vous/12/"}', AT_MS)[0] == 200
    assert door.put == [Hint(f"{FORM}/12")]


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ({"orig": "elsewhere.example"}, "the hub has no key for this orig"),
        ({"orig": "suivant"}, "the hub has no key for this orig"),
        ({"key": "another"}, "the signature does not match the query and the key"),
        ({"at_ms": AT_MS - 31_000}, "the timestamp and the hub's clock differ by more than 30 s"),
        ({"query": "?orig=elsewhere.example"}, "the query has more than one orig"),
    ],
)
def test_nobody_else_is(door: Door, call: dict, why: str):
    status, said = door.take({"request": f"{FORM}/12"}, **call)
    assert (status, said["err"], said["err_code"], said["err_desc"]) == (403, 1, "access-denied", why)
    assert door.put == []


def test_refused_calls_are_logged_at_most_once_a_minute(door: Door):
    query = b"orig=elsewhere.example"
    with capture_logs() as logs:
        assert [door.door.take(query, b"", AT_MS + at_ms)[0] for at_ms in (0, 59_999, 60_000)] == [403] * 3
    said = {"event": "publik.call_refused", "log_level": "warning", "status": 403}
    assert logs == [said | {"reason": "the query must have one signature, as its last parameter"}] * 2


def test_a_replayed_call_is_refused(door: Door):
    url = signing.signed_url("https://hub/push", orig="demarches.example.fr", key="secret", now_s=AT_MS / 1000)
    query = url.partition("?")[2].encode()
    assert door.door.take(query, b"", AT_MS)[0] == 200
    assert door.door.take(query, b"", AT_MS + 1_000)[0] == 403
    assert door.put == PASS


def test_without_a_key_the_door_is_shut():
    door = Door(key=b"")
    assert door.take(key="")[0] == 403
    assert door.take()[0] == 403
    assert door.put == []


def test_a_body_that_is_too_long_is_not_read(door: Door):
    assert door.take(b" " * BODY_MOST_BYTES)[0] == 200
    assert door.take(b" " * (BODY_MOST_BYTES + 1))[0] == 413
    assert door.put == PASS
