"""The hub at a public address with a path: it believes the proxies that are named, and nobody else."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websockets

from hub.auth.roles import Role
from hub.database.engine import open_engine
from hub.reached import Reached, parse_proxies
from hub.web.guard import behind
from tests.databases import sqlite_url
from tests.web.stand import NO_TLS, Served, Stand, TurnedClock, a_site, served

HOST, BASE = "accueil.ville.example", "/suivant"
ORIGIN = f"https://{HOST}"
PROXY, VISITOR = "127.0.0.1", "203.0.113.7"
REACHED = Reached(origin=ORIGIN, path=BASE, proxies=parse_proxies(PROXY))
PASSWORD = "trois tilleuls"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    engine = open_engine(sqlite_url(tmp_path_factory.mktemp("proxy")))
    stand = Stand(engine, a_site(), TurnedClock().now_ms, REACHED)
    stand.directory.add("b.exemple", PASSWORD, Role.AGENT)
    with served(stand) as running:
        yield running
    stand.stop()
    engine.dispose()


@pytest.fixture
def outside(server: Served) -> Iterator[httpx.Client]:
    """A client whose requests come through the proxy, which is on this machine."""
    headers = {"Host": HOST, "Origin": ORIGIN, "X-Forwarded-For": VISITOR, "X-Forwarded-Proto": "https"}
    with httpx.Client(base_url=server.address, headers=headers, verify=NO_TLS, trust_env=False) as client:
        yield client


def log_in(outside: httpx.Client) -> str:
    """Log in; returns the cookie, which the client does not keep, since here it comes without TLS."""
    form = {"account": "b.exemple", "password": PASSWORD, "to": "/desks/desk-3"}
    answer = outside.post(f"{BASE}/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/desks/desk-3")
    return answer.headers["set-cookie"]


def test_the_cookie_is_of_this_host_and_of_tls_alone(outside: httpx.Client) -> None:
    cookie = log_in(outside)
    assert re.fullmatch(r"__Host-suivant=[\w-]{43}; HttpOnly; Path=/; SameSite=lax; Secure", cookie)
    assert outside.get(f"{BASE}/login").headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    "path", ["/login", "/", "/desks/desk-3", "/desks/desk-3?panel=keys", "/desks/desk-3?panel=close"]
)
def test_every_address_on_a_page_begins_with_the_public_path(outside: httpx.Client, path: str) -> None:
    cookie = {"Cookie": log_in(outside).partition(";")[0]} if path != "/login" else {}
    page = outside.get(BASE + path, headers=cookie)
    assert page.status_code == 200
    named = re.findall(r'(?:href|src|action|formaction|hx-get|hx-post|hx-ws:connect)="([^"#][^"]*)"', page.text)
    assert named
    assert [each for each in named if not each.startswith(f"{BASE}/")] == []
    for each in set(named):
        if "/static/" in each:
            assert outside.get(each).status_code == 200


def test_who_is_not_in_is_sent_to_the_login_there(outside: httpx.Client) -> None:
    assert outside.get(f"{BASE}/desks/desk-3").headers["location"] == f"{BASE}/login?to=/desks/desk-3"
    by_script = outside.post(f"{BASE}/desks/desk-3/next", headers={"HX-Request": "true"})
    assert by_script.headers["hx-redirect"] == f"{BASE}/login?to=/desks/desk-3"


def test_what_does_not_begin_with_the_path_is_not_there(outside: httpx.Client) -> None:
    assert outside.get("/login").status_code == 404
    assert outside.get("/suivantes/login").status_code == 404
    there = outside.get(BASE)
    assert (there.status_code, there.headers["location"]) == (308, f"{BASE}/")


def test_a_socket_opens_there_for_its_own_pages_alone(server: Served, outside: httpx.Client) -> None:
    cookie = log_in(outside).partition(";")[0]

    async def read(origin: Any) -> dict[str, Any]:
        address = f"ws://{HOST}{BASE}/api/v1/desks/desk-3/live"
        headers = {"Cookie": cookie, "X-Forwarded-For": VISITOR}
        async with websockets.connect(
            address, host=PROXY, port=server.port, origin=origin, additional_headers=headers, proxy=None
        ) as socket:
            found: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 20))
            return found

    assert asyncio.run(read(ORIGIN))["desk"] == "desk-3"
    with pytest.raises(websockets.InvalidStatus) as refused:
        asyncio.run(read(f"http://{HOST}"))
    assert refused.value.response.status_code == 403


def test_tries_are_counted_by_the_browsers_own_address(server: Served, outside: httpx.Client) -> None:
    for forwarded in (VISITOR, f"198.51.100.1, {VISITOR}", f"198.51.100.1,{VISITOR}, {PROXY}"):
        outside.post(f"{BASE}/login", data={"account": "x", "password": "y"}, headers={"X-Forwarded-For": forwarded})
        assert server.stand.tried_from[-1] == VISITOR


def test_whoever_is_no_proxy_is_refused_whatever_it_says(server: Served) -> None:
    headers = {"Host": HOST, "Origin": ORIGIN, "X-Forwarded-For": PROXY}
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=server.address, headers=headers, transport=elsewhere) as client:
        answer = client.get(f"{BASE}/login")
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_request")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": f"{HOST}:8080"},
        {"Host": f"{HOST}.evil.example"},
        {"Host": "evil.example", "X-Forwarded-Host": HOST},
        {"Host": "127.0.0.1:PORT"},
        {"Host": "localhost:PORT", "Forwarded": f"for={PROXY};host={HOST}"},
    ],
)
def test_a_host_that_is_not_the_public_one_is_refused_by_way_of_the_proxy(
    server: Served, outside: httpx.Client, headers: dict[str, str]
) -> None:
    named = {name: value.replace("PORT", str(server.port)) for name, value in headers.items()}
    assert outside.get(f"{BASE}/login", headers=named).status_code == 403


def test_an_operators_check_on_this_machine_asks_the_hub_itself(server: Served) -> None:
    with httpx.Client(base_url=server.address, verify=NO_TLS, trust_env=False) as client:
        assert client.get(f"{BASE}/healthz").status_code == 200
        machine = {"Authorization": f"Bearer {server.stand.new_machine(Role.METRICS)}"}
        assert client.get(f"{BASE}/metrics", headers=machine).status_code == 200


def test_requests_are_measured_by_the_pattern_of_their_route_there_too(server: Served, outside: httpx.Client) -> None:
    cookie = {"Cookie": log_in(outside).partition(";")[0]}
    assert outside.get(f"{BASE}/api/v1/desks/desk-4", headers=cookie).status_code == 200
    with httpx.Client(base_url=server.address, verify=NO_TLS, trust_env=False) as client:
        machine = {"Authorization": f"Bearer {server.stand.new_machine(Role.METRICS)}"}
        counted = client.get(f"{BASE}/metrics", headers=machine).text
    assert 'suivant_http_requests_total{route="/api/v1/desks/{desk}",status="200"} 1.0' in counted


@pytest.mark.parametrize(
    "origin", ["http://accueil.ville.example", "https://evil.example", "https://accueil.ville.example:444", "null"]
)
def test_a_form_of_another_page_is_refused(outside: httpx.Client, origin: str) -> None:
    assert outside.post(f"{BASE}/login", headers={"Origin": origin}).status_code == 403


def test_the_description_says_where_its_addresses_begin(outside: httpx.Client) -> None:
    cookie = {"Cookie": log_in(outside).partition(";")[0]}
    assert outside.get(f"{BASE}/api/v1/openapi.json", headers=cookie).json()["servers"] == [{"url": BASE}]


def test_an_administrator_alone_is_led_to_the_description_by_its_whole_address(
    server: Served, outside: httpx.Client
) -> None:
    address = f"{BASE}/api/v1/openapi.json"
    pages = {
        role: outside.get(f"{BASE}/", headers={"Cookie": f"__Host-suivant={server.stand.log_in(role)}"}).text
        for role in (Role.AGENT, Role.SUPERVISOR, Role.ADMINISTRATOR)
    }
    assert [f'href="{address}">{address}</a>' in page for page in pages.values()] == [False, False, True]


NAMED = Reached(origin=ORIGIN, proxies=parse_proxies("127.0.0.1, 10.0.0.0/28, fd00::1"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["6.6.6.6", "203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7, 10.0.0.5"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7, nonsense, 10.0.0.5"], "10.0.0.5"),
        ("127.0.0.1", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["2001:db8::7, fd00::1"], "2001:db8::7"),
        ("127.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("127.0.0.1", ["6.6.6.6, 203.0.113.7:4711, 10.0.0.5:443"], "203.0.113.7"),
        ("127.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("127.0.0.1", ["[2001:db8::7]"], "2001:db8::7"),
        ("127.0.0.1", ["203.0.113.7:"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7:port"], "127.0.0.1"),
        ("127.0.0.1", ["10.0.0.5, 10.0.0.6"], "10.0.0.5"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("::ffff:127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("192.0.2.1", ["203.0.113.7"], "192.0.2.1"),
        ("10.0.0.16", ["203.0.113.7"], "10.0.0.16"),
    ],
)
def test_who_asks_is_the_last_address_that_is_no_proxys(peer: str, forwarded: list[str], found: str) -> None:
    assert behind(peer, forwarded, NAMED) == found
