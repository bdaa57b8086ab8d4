"""No spelling of an address reaches a file outside `static/` or bypasses the access check."""

import pytest

from tests.security.town import Town
from tests.security.wires import send, status_of

INSIDE = (b"SECURITY_HEADERS", b"root:", b"[project]", b"<!doctype", b"import ", b"desk-3")
FILES = [
    "/static/../guard.py",
    "/static/../../web/guard.py",
    "/static/%2e%2e/guard.py",
    "/static/%2e%2e%2fguard.py",
    "/static/..%2fguard.py",
    "/static/..%5cguard.py",
    "/static/..\\guard.py",
    "/static/%252e%252e%252fguard.py",
    "/static/%c0%ae%c0%ae/guard.py",
    "/static/..;/guard.py",
    "/static/....//guard.py",
    "/static/./../guard.py",
    "/static//etc/passwd",
    "/static/%2fetc%2fpasswd",
    "/static/" + "../" * 12 + "etc/passwd",
    "/static/" + "%2e%2e%2f" * 12 + "etc%2fpasswd",
    "/static/desk.css/../../guard.py",
    "/static/desk.css%00.py",
    "/static/%00",
    "/static/\xff",
    "/static/" + "a/" * 2_000,
    "/static/" + "a" * 5_000,
    "/static/",
    "/static",
    "/static/.",
    "/static/vendor",
    "/static/vendor/",
    "/../static/../guard.py",
    "//static/../guard.py",
    "/guard.py",
    "/.git/config",
    "/.env",
    "/hub/web/guard.py",
    "/templates/desk.html",
    "file:///etc/passwd",
]
GUARDED = [
    "/api/v1/desks/",
    "//api/v1/desks",
    "/api//v1/desks",
    "/api/v1/./desks",
    "/api/v1/../v1/desks",
    "/static/../api/v1/desks",
    "/static/%2e%2e/api/v1/desks",
    "/healthz/../api/v1/desks",
    "/login/../desks/desk-3",
    "/login/..%2fdesks%2fdesk-3",
    "/API/V1/desks",
    "/api%2fv1%2fdesks",
    "/%61pi/v1/desks",
    "/api/v1/desks%00",
    "/api/v1/desks;x=/healthz",
    "/api/v1/desks%3f",
    "/api/v1/desks%23/healthz",
    "/api/v1/desks%0a",
    "/metrics%0a",
    "/metrics/",
    "/metrics;",
    "/desks/desk-3%2flive",
    "/desks/desk-3%0a",
    "http://evil.example/api/v1/desks",
]


def get(town: Town, path: str, cookie: str = "") -> bytes:
    own = town.own.removeprefix("http://")
    lines = [f"GET {path} HTTP/1.1", f"Host: {own}", *([f"Cookie: suivant={cookie}"] if cookie else [])]
    return send(town.server.port, ["\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")])


@pytest.mark.parametrize("path", FILES)
def test_no_file_beside_the_static_ones_is_served(town: Town, agent_token: str, path: str) -> None:
    for cookie in ("", agent_token):
        answer = get(town, path, cookie)
        assert status_of(answer) in {303, 400, 404, 405}
        assert not any(sign in answer for sign in INSIDE)


@pytest.mark.parametrize("path", GUARDED)
def test_no_spelling_of_an_address_passes_the_door_by(town: Town, path: str) -> None:
    answer = get(town, path)
    assert status_of(answer) in {303, 400, 401, 403, 404}
    assert b'"desks"' not in answer
    assert b"suivant_" not in answer
    if status_of(answer) == 303:
        assert b"\r\nlocation: /login" in answer


def test_a_static_file_is_served_to_everybody(town: Town) -> None:
    assert status_of(get(town, "/static/desk.css")) == 200
