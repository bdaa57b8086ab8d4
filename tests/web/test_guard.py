"""The guard refuses what a browser may be tricked into and what is too much, through a real server.

Each request here carries a session with all rights, so that only the guard can refuse it.
"""

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websockets
from websockets.exceptions import InvalidStatus

from hub.auth.roles import Role
from hub.web.guard import SECURITY_HEADERS
from tests.web.stand import COOKIE, NO_TLS, Served, client_of

LIMIT_S = 20


@pytest.fixture
def server(one_server: Served) -> Served:
    return one_server


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    with client_of(server, Role.AGENT, Role.SUPERVISOR) as client:
        yield client


def cookie_of(server: Served) -> dict[str, str]:
    token = server.stand.log_in(Role.AGENT, Role.SUPERVISOR)
    server.stand.sign_on("desk-3")
    return {"Cookie": f"{COOKIE}={token}"}


def ask(server: Served, method: str, path: str, headers: dict[str, str], body: str | None = None) -> httpx.Response:
    """Send exactly these headers and the cookie; no Origin unless it is named."""
    with httpx.Client(base_url=server.address, verify=NO_TLS, trust_env=False, timeout=LIMIT_S) as client:
        return client.request(method, path, headers={**headers, **cookie_of(server)}, content=body)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.1"])
def test_loopback_by_any_of_its_names_is_served(server: Served, host: str) -> None:
    assert ask(server, "GET", "/desks/desk-3", {"Host": f"{host}:{server.port}"}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:PORT",
        "127.0.0.1.evil.example:PORT",
        "localhost.evil.example:PORT",
        "127.0.0.1:1",
        "127.0.0.1",
        "10.0.0.1:PORT",
        "0.0.0.0:PORT",
        "user@127.0.0.1:PORT",
        "127.0.0.1:PORT:PORT",
        "[::1",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/desks/desk-3", "/api/v1/desks", "/healthz", "/metrics", "/static/desk.css"])
def test_a_host_that_is_not_loopback_is_refused_everywhere(server: Served, host: str, path: str) -> None:
    answer = ask(server, "GET", path, {"Host": host.replace("PORT", str(server.port))})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "foreign_request"


def test_a_request_without_any_host_or_with_two_is_refused(server: Served) -> None:
    hosts = [b"", f"Host: 127.0.0.1:{server.port}\r\nHost: evil.example\r\n".encode()]
    for host in hosts:
        with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as connection:
            connection.sendall(b"GET /desks/desk-3 HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
            assert connection.recv(4096).split(b" ")[1] in {b"403", b"400"}


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        "https://127.0.0.1:PORT",
        "http://localhost:PORT",
        "http://127.0.0.1:PORT.evil.example",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/desks/desk-3/next", "/desks/desk-3/next", "/api/v1/tickets"])
def test_an_unsafe_request_of_another_origin_changes_nothing(server: Served, origin: str, path: str) -> None:
    server.stand.open("desk-3")
    ticket = server.stand.issue("civil").ticket
    headers = {"Origin": origin.replace("PORT", str(server.port)), "Content-Type": "application/json"}
    answer = ask(server, "POST", path, headers, json.dumps({"service": "civil"}))
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_request")
    assert ask(server, "GET", f"/api/v1/tickets/{ticket}", {}).json()["state"] == "waiting"


@pytest.mark.parametrize("site", [None, "none", "same-site", "cross-site"])
def test_an_unsafe_request_without_origin_is_refused(server: Served, site: str | None) -> None:
    headers = {"Sec-Fetch-Site": site} if site else {}
    assert ask(server, "POST", "/api/v1/desks/desk-3/next", headers, "{}").status_code == 403


@pytest.mark.parametrize("path", ["/metrics%0A", "/desks/desk-3%0A", "/%00", "/login%7F", "/nothing%0D"])
def test_there_is_nothing_at_an_address_with_a_control_sign(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_what_a_request_says_of_a_proxy_is_not_believed(server: Served) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.1", **server.headers}
    assert ask(server, "POST", "/api/v1/tickets", headers).status_code == 422
    headers["Origin"] = headers["Origin"].replace("http:", "https:")
    assert ask(server, "POST", "/api/v1/tickets", headers).status_code == 403


def test_a_reader_that_sends_more_than_nothing_is_cut_off(server: Served) -> None:
    async def talk() -> int:
        address = f"ws://127.0.0.1:{server.port}/api/v1/desks/desk-3/live"
        own: Any = server.headers["Origin"]
        cookie = await asyncio.to_thread(cookie_of, server)
        async with websockets.connect(address, origin=own, additional_headers=cookie, proxy=None) as reader:
            await reader.send("x" * 2_000)
            async with asyncio.timeout(LIMIT_S):
                await reader.wait_closed()
            return reader.close_code or 0

    assert asyncio.run(talk()) == 1009


def test_an_unsafe_request_that_the_browser_calls_same_origin_is_taken(server: Served) -> None:
    server.stand.open("desk-3")
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
    assert ask(server, "POST", "/api/v1/desks/desk-3/next", headers, "{}").status_code == 200


@pytest.mark.parametrize("path", ["/desks/desk-3/live", "/api/v1/desks/desk-3/live"])
@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://localhost:PORT"])
def test_a_socket_of_another_origin_is_refused(server: Served, path: str, origin: str | None) -> None:
    async def connect() -> Any:
        address = f"ws://127.0.0.1:{server.port}{path}"
        named: Any = origin.replace("PORT", str(server.port)) if origin else None
        async with websockets.connect(address, origin=named, proxy=None):
            pass

    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(connect())
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["code"] == "foreign_request"
    assert SECURITY_HEADERS.items() <= dict(refused.value.response.headers.items()).items()


def test_a_socket_to_another_host_is_refused(server: Served) -> None:
    async def connect() -> None:
        address = f"ws://evil.example:{server.port}/desks/desk-3/live"
        own: Any = f"http://evil.example:{server.port}"
        async with websockets.connect(address, host="127.0.0.1", port=server.port, origin=own, proxy=None):
            pass

    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(connect())
    assert refused.value.response.status_code == 403


def test_a_body_too_long_is_refused_before_it_is_read(server: Served) -> None:
    headers = {**server.headers, "Content-Type": "application/json"}
    answer = ask(server, "POST", "/api/v1/tickets", headers, " " * 70_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_refused")


def test_a_body_of_unsaid_length_is_refused(server: Served) -> None:
    with httpx.Client(base_url=server.address, headers=server.headers, verify=NO_TLS, trust_env=False) as client:
        answer = client.post("/api/v1/tickets", content=iter([b"{}"]))
    assert answer.status_code == 411


def test_a_page_loads_nothing_from_elsewhere_and_runs_no_inline_script(client: httpx.Client) -> None:
    for path in ("/", "/desks/desk-3"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "<script>" not in answer.text
        assert "style=" not in answer.text
        assert "//" not in answer.text.replace("http://www.w3.org", "")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
