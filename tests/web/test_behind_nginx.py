"""Debian's nginx with the project's example, in front of a hub under a path and, at the end, under its own name."""

import asyncio
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from websockets.typing import Origin

from hub.auth.roles import Role
from hub.database.engine import open_engine
from hub.publik.push import PushDoor
from hub.publik.secrets import Secrets
from hub.web.guard import BODY_LIMIT_S, MAX_BODY_BYTES, ONLY_BY_TLS, PUSH_PATH, SECURITY_HEADERS
from hub.web.live import BEAT_S
from hub.web.serving import KEEP_ALIVE_S, server_config
from tests.databases import sqlite_url
from tests.nginx import ALSO_HERE, BASE, EXAMPLE, HERE, HOST, Nginx, free_ports, start_nginx
from tests.publik import signing
from tests.web.stand import ANSWER_LIMIT_S, Served, Stand, TurnedClock, a_site, served

ACCOUNT, PASSWORD = "b.exemple", "trois tilleuls"
COOKIE = "__Host-suivant"
FORGED = "203.0.113.7"


@contextmanager
def nginx_before_a_hub(folder: Path, base: str) -> Iterator[tuple[Served, Nginx]]:
    ports = free_ports(base)
    engine = open_engine(sqlite_url(folder))
    stand = Stand(engine, a_site(), TurnedClock().now_ms, ports.reached)
    stand.directory.add(ACCOUNT, PASSWORD, Role.AGENT)
    stand.directory.add("c.exemple", PASSWORD, Role.AGENT)
    with served(stand) as hub, start_nginx(folder / "nginx", hub.port, ports) as nginx:
        yield hub, nginx
    stand.stop()
    engine.dispose()


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Nginx]]:
    with nginx_before_a_hub(tmp_path_factory.mktemp("nginx"), BASE) as both:
        yield both


@pytest.fixture(scope="module")
def own_name(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Nginx]]:
    with nginx_before_a_hub(tmp_path_factory.mktemp("own-name"), "") as both:
        yield both


@pytest.fixture
def hub(around: tuple[Served, Nginx]) -> Served:
    return around[0]


@pytest.fixture
def nginx(around: tuple[Served, Nginx]) -> Nginx:
    return around[1]


@pytest.fixture
def browser(nginx: Nginx) -> Iterator[httpx.Client]:
    with nginx.client() as client:
        yield client


@pytest.fixture
def agent(browser: httpx.Client) -> httpx.Client:
    log_in(browser)
    return browser


def log_in(
    browser: httpx.Client, *, account: str = ACCOUNT, password: str = PASSWORD, base: str = BASE, **headers: str
) -> httpx.Response:
    form = {"account": account, "password": password, "to": "/desks/desk-3"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return browser.post(f"{base}/login", data=form, headers=named)


def listen(nginx: Nginx, agent: httpx.Client, path: str, origin: str = "") -> websockets.connect:
    """Open a socket without the client's reading thread: in Python 3.11, TLS cannot bear two threads at once."""
    return websockets.connect(
        f"wss://{HOST}:{nginx.ports.tls}{nginx.ports.base}{path}",
        host=HERE,
        port=nginx.ports.tls,
        ssl=nginx.trust(),
        server_hostname=HOST,
        origin=Origin(origin or nginx.origin),
        additional_headers={"Cookie": f"{COOKIE}={agent.cookies[COOKIE]}"},
        proxy=None,
        open_timeout=ANSWER_LIMIT_S,
    )


async def said(socket: websockets.ClientConnection) -> Any:
    """Wait for the next frame."""
    return json.loads(await asyncio.wait_for(socket.recv(), ANSWER_LIMIT_S))


def get_raw(connection: socket.socket, path: str, headers: dict[str, str]) -> tuple[int, str | None]:
    """Status and Location of an answer; no client rewrites the address."""
    asking = HTTPConnection(HERE)
    with closing(asking):
        asking.sock = connection
        asking.request("GET", path, headers=headers)
        answer = asking.getresponse()
        return answer.status, answer.headers["Location"]


# --- addresses ------------------------------------------------------------------------------------------------------


def test_the_cookie_of_a_login_is_of_this_host_and_of_tls_alone(browser: httpx.Client) -> None:
    answer = log_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/desks/desk-3")
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(rf"{COOKIE}=[\w-]{{43}}; HttpOnly; Path=/; SameSite=lax; Secure", cookie)
    assert browser.get(f"{BASE}/desks/desk-3").status_code == 200


@pytest.mark.parametrize("path", ["/", "/desks/desk-3", "/desks/desk-3?panel=keys"])
def test_every_address_on_a_page_is_found_below_the_path(agent: httpx.Client, path: str) -> None:
    page = agent.get(BASE + path)
    assert page.status_code == 200
    named = set(re.findall(r'(?:href|src|action|formaction|hx-get|hx-post|hx-ws:connect)="([^"#][^"]*)"', page.text))
    assert [each for each in named if not each.startswith(f"{BASE}/")] == []
    static = [each for each in named if "/static/" in each]
    assert static
    assert {agent.get(each).status_code for each in static} == {200}


def test_whoever_is_not_in_is_sent_to_the_login_below_the_path(browser: httpx.Client) -> None:
    away = browser.get(f"{BASE}/desks/desk-3")
    assert (away.status_code, away.headers["location"]) == (303, f"{BASE}/login?to=/desks/desk-3")


def test_the_path_alone_leads_to_the_start_page(browser: httpx.Client) -> None:
    there = browser.get(BASE)
    assert (there.status_code, there.headers["location"]) == (308, f"{BASE}/")


@pytest.mark.parametrize("path", ["/", "/login", "/suivantes/login", "/.well-known/security.txt"])
def test_nothing_else_is_there(browser: httpx.Client, path: str) -> None:
    assert browser.get(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/suivant/desks/desk%2D3", 200),
        ("/suivant/desks//desk-3", 404),
        ("/suivant/desks/./desk-3", 404),
        ("/suivant/desks/x/../desk-3", 404),
        ("/suivant/desks/desk-3%2F", 404),
        ("/suivant/x/../../suivant/desks/desk-3", 404),
        ("//suivant/desks/desk-3", 404),
        ("/elsewhere/../suivant/desks/desk-3", 404),
        ("/suivant/../desks/desk-3", 404),
        ("/%73uivant/desks/desk-3", 200),
    ],
)
def test_an_address_reaches_the_hub_letter_by_letter(
    hub: Served, nginx: Nginx, agent: httpx.Client, path: str, status: int
) -> None:
    headers = {"Host": f"{HOST}:{nginx.ports.tls}", "Cookie": f"{COOKIE}={agent.cookies[COOKIE]}"}
    asked = get_raw(socket.create_connection((HERE, hub.port), ANSWER_LIMIT_S), path, headers)
    plain = socket.create_connection((HERE, nginx.ports.tls), ANSWER_LIMIT_S)
    assert get_raw(nginx.trust().wrap_socket(plain, server_hostname=HOST), path, headers) == asked
    assert asked[0] == status


def test_plain_http_is_led_to_tls(nginx: Nginx) -> None:
    with httpx.Client(trust_env=False, headers={"Host": HOST}) as client:
        for address in (HERE, ALSO_HERE):
            away = client.get(f"http://{address}:{nginx.ports.plain}{BASE}/login?to=/desks/desk-3")
            assert (away.status_code, away.headers["location"]) == (308, f"{nginx.origin}{BASE}/login?to=/desks/desk-3")


def test_browsers_are_offered_http_2(nginx: Nginx) -> None:
    trust = nginx.trust()
    trust.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((HERE, nginx.ports.tls), ANSWER_LIMIT_S) as plain,
        trust.wrap_socket(plain, server_hostname=HOST) as wrapped,
    ):
        assert wrapped.selected_alpn_protocol() == "h2"


def test_old_tls_is_refused(nginx: Nginx) -> None:
    trust = nginx.trust()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        trust.minimum_version = trust.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((HERE, nginx.ports.tls), ANSWER_LIMIT_S) as plain, pytest.raises(ssl.SSLError):
        trust.wrap_socket(plain, server_hostname=HOST)


def test_the_hubs_headers_come_through_and_nothing_is_kept(agent: httpx.Client) -> None:
    page = agent.get(f"{BASE}/desks/desk-3")
    assert {name: page.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert page.headers.get_list("strict-transport-security") == list(ONLY_BY_TLS.values())
    assert page.headers["cache-control"] == "no-store"
    assert "content-encoding" not in page.headers
    assert page.headers["server"] == "nginx"


def test_a_script_is_asked_for_anew_and_not_sent_twice(agent: httpx.Client) -> None:
    script = agent.get(f"{BASE}/static/desk/main.js")
    assert script.headers["cache-control"] == "no-cache"
    again = agent.get(f"{BASE}/static/desk/main.js", headers={"If-None-Match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


# --- who asks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forged", [{}, {"X_Forwarded_For": FORGED}, {"X_Forwarded_For": HERE, "Forwarded": "for=1.2.3.4"}]
)
def test_a_try_is_counted_by_the_address_that_nginx_sees(hub: Served, nginx: Nginx, forged: dict[str, str]) -> None:
    with nginx.client(source="127.0.0.3") as browser:
        log_in(browser, account="x", password="y", **forged)
    assert hub.stand.tried_from[-1] == "127.0.0.3"


def test_a_browser_on_the_proxys_machine_is_counted_as_that_whatever_it_writes(hub: Served, nginx: Nginx) -> None:
    with nginx.client(source=HERE) as browser:
        log_in(browser, account="x", password="y", X_Forwarded_For=FORGED)
    assert hub.stand.tried_from[-1] == HERE


def test_whoever_tries_too_often_is_stopped_whatever_they_write_and_nobody_else_is(nginx: Nginx) -> None:
    with nginx.client(source="127.0.0.4") as attacker:
        statuses = [
            log_in(
                attacker, account="c.exemple", password=f"wrong {each}", X_Forwarded_For=f"198.51.100.{each}"
            ).status_code
            for each in range(6)
        ]
    assert statuses == [401] * 5 + [429]
    with nginx.client(source="127.0.0.5") as colleague:
        assert log_in(colleague, account="c.exemple").status_code == 303


def test_whoever_is_no_proxy_is_refused_whatever_it_says(hub: Served, nginx: Nginx) -> None:
    headers = {"Host": f"{HOST}:{nginx.ports.tls}", "Origin": nginx.origin, "X-Forwarded-For": HERE}
    elsewhere = httpx.HTTPTransport(local_address=ALSO_HERE)
    tries = len(hub.stand.tried_from)
    with httpx.Client(base_url=hub.address, headers=headers, transport=elsewhere) as client:
        answer = client.post(f"{BASE}/login", data={"account": ACCOUNT, "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_request")
    assert len(hub.stand.tried_from) == tries


def test_a_hub_that_is_told_of_another_proxy_takes_nothing_from_this_one(tmp_path: Path) -> None:
    ports = free_ports()
    engine = open_engine(sqlite_url(tmp_path))
    reached = type(ports.reached)(origin=ports.reached.origin, path=BASE)
    stand = Stand(engine, a_site(), TurnedClock().now_ms, reached)
    with served(stand) as hub, start_nginx(tmp_path / "nginx", hub.port, ports) as nginx, nginx.client() as browser:
        answer = browser.get(f"{BASE}/login")
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_request")
    stand.stop()
    engine.dispose()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": HOST},
        {"Host": "127.0.0.1:HUB"},
        {"Host": "localhost:HUB"},
        {"Host": "evil.example", "X-Forwarded-Host": HOST},
    ],
)
def test_a_name_that_is_not_the_hubs_is_refused(hub: Served, browser: httpx.Client, headers: dict[str, str]) -> None:
    named = {name: value.replace("HUB", str(hub.port)) for name, value in headers.items()}
    assert browser.get(f"{BASE}/login", headers=named).status_code == 403


@pytest.mark.parametrize("origin", [f"https://{HOST}", f"http://{HOST}", "https://evil.example", "null"])
def test_a_form_of_another_page_is_refused(browser: httpx.Client, origin: str) -> None:
    assert log_in(browser, Origin=origin).status_code == 403


# --- live pages -----------------------------------------------------------------------------------------------------


def test_a_page_sees_through_the_proxy_what_changes(hub: Served, nginx: Nginx, agent: httpx.Client) -> None:
    hub.stand.open("desk-3")
    hub.stand.issue("civil")

    async def look() -> None:
        async with (
            listen(nginx, agent, "/api/v1/desks/desk-3/live") as documents,
            listen(nginx, agent, "/desks/desk-3/live") as page,
        ):
            assert (await said(documents))["held"] is None
            assert "<title>A\u00a0001 attend" in (await said(page))["content"]
            await asyncio.to_thread(hub.stand.next, "desk-3")
            assert (await said(documents))["held"]["number"] == "A001"
            assert "<title>A\u00a0001 attend" not in (await said(page))["content"]

    asyncio.run(look())


def test_a_socket_of_another_page_is_refused(nginx: Nginx, agent: httpx.Client) -> None:
    async def try_it() -> None:
        await listen(nginx, agent, "/desks/desk-3/live", origin="https://evil.example")

    with pytest.raises(websockets.InvalidStatus) as refused:
        asyncio.run(try_it())
    assert refused.value.response.status_code == 403


def test_a_page_hears_through_the_proxy_that_its_session_ended(nginx: Nginx, agent: httpx.Client) -> None:
    async def look() -> None:
        async with listen(nginx, agent, "/desks/desk-3/live") as page:
            await said(page)
            assert (await asyncio.to_thread(agent.post, f"{BASE}/logout")).status_code == 303
            for _ in range(3):  # a frame may be on its way; a socket that stays open would send more
                await said(page)

    with pytest.raises(websockets.ConnectionClosed) as closed:
        asyncio.run(look())
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_only_a_websocket_turns_a_connection_into_something_else(agent: httpx.Client) -> None:
    page = agent.get(f"{BASE}/desks/desk-3", headers={"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings"})
    assert page.status_code == 200


# --- Publik ---------------------------------------------------------------------------------------------------------


def push(nginx: Nginx, path: str) -> int:
    """Push as Publik does, signed; returns the status."""
    now_s = time.time_ns() / 1_000_000_000
    url = signing.signed_url(f"{nginx.origin}{path}", orig="publik.invalid", key="secret", now_s=now_s)
    body = {"form_api_url": "https://publik.invalid/api/forms/rendez-vous/12/"}
    with nginx.client(headers={}) as publik_itself:
        raw = publik_itself.build_request("POST", nginx.origin, json=body)
        raw.url = raw.url.copy_with(raw_path=url.removeprefix(nginx.origin).encode())
        return publik_itself.send(raw).status_code


def reference_of(hub: Served) -> list[str]:
    """The references that the hub reads from the last push."""
    publik = a_site().appointments.publik
    assert publik is not None
    hints: list[Any] = []
    door = PushDoor(publik, Secrets(key=b"secret"), hints.append)
    assert door.take(*hub.stand.pushed[-1], time.time_ns() // 1_000_000) == (200, {"err": 0})
    return [hint.reference for hint in hints]


@pytest.mark.parametrize("query", ["", "?request=rendez-vous/12", "?request=rendez-vous%2F12&note=%C3%A9t%C3%A9+a%20b"])
def test_publiks_signature_holds_over_the_public_address(hub: Served, nginx: Nginx, query: str) -> None:
    assert push(nginx, f"{BASE}{PUSH_PATH}{query}") == 200
    assert reference_of(hub) == ["rendez-vous/12"]


# --- bounds ---------------------------------------------------------------------------------------------------------


def test_a_body_that_the_hub_would_not_read_ends_at_the_proxy(hub: Served, browser: httpx.Client) -> None:
    longest = b"x" * MAX_BODY_BYTES
    pushed = len(hub.stand.pushed)
    assert browser.post(f"{BASE}{PUSH_PATH}", content=longest).status_code == 200
    assert browser.post(f"{BASE}{PUSH_PATH}", content=longest + b"x").status_code == 413
    assert len(hub.stand.pushed) == pushed + 1


def test_a_body_of_unsaid_length_reaches_the_hub_with_its_length(hub: Served, browser: httpx.Client) -> None:
    assert browser.post(f"{BASE}{PUSH_PATH}", content=iter([b"{", b"}"])).status_code == 200
    assert hub.stand.pushed[-1][1] == b"{}"


def test_no_body_is_written_to_the_disk(nginx: Nginx, browser: httpx.Client) -> None:
    browser.post(f"{BASE}{PUSH_PATH}", content=b"x" * MAX_BODY_BYTES)
    # nginx warns of each file.
    assert "temporary file" not in nginx.error_log


def test_the_log_holds_no_query_and_nobodys_account(nginx: Nginx, browser: httpx.Client) -> None:
    browser.get(f"{BASE}/login?to=/desks/desk-9&secret=ZO%C3%89", headers={"Referer": f"{nginx.origin}{BASE}/?secret"})
    log_in(browser)
    # A line is written after its answer is sent, but before the connection's next request.
    browser.get(f"{BASE}/static/desk/main.js")
    lines = nginx.access_log
    assert f"GET {BASE}/login 200" in lines
    assert f"POST {BASE}/login 303" in lines
    assert [each for each in ("?", "secret", "ZO", ACCOUNT, "httpx", COOKIE) if each in lines] == []


def test_its_bounds_are_the_hubs() -> None:
    said = dict(re.findall(r"^ *(\w+) (\d+)[sk]?;", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))
    bounds = {name: int(value) for name, value in said.items()}
    pings_s = server_config(lambda *_: None).ws_ping_interval  # type: ignore[arg-type,return-value]
    assert pings_s is not None
    assert bounds["proxy_read_timeout"] > 2 * max(BEAT_S, pings_s)
    assert bounds["keepalive_timeout"] < KEEP_ALIVE_S
    assert bounds["client_max_body_size"] * 1024 == bounds["client_body_buffer_size"] * 1024 == MAX_BODY_BYTES
    assert bounds["client_body_timeout"] <= BODY_LIMIT_S


# --- a name of its own ----------------------------------------------------------------------------------------------


def test_by_a_name_of_its_own_an_agent_comes_in_and_finds_every_address_on_a_page(
    own_name: tuple[Served, Nginx],
) -> None:
    with own_name[1].client() as browser:
        away = browser.get("/desks/desk-3")
        assert (away.status_code, away.headers["location"]) == (303, "/login?to=/desks/desk-3")
        answer = log_in(browser, base="")
        assert (answer.status_code, answer.headers["location"]) == (303, "/desks/desk-3")
        page = browser.get("/desks/desk-3")
        static = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text))
        assert static
        assert {browser.get(each).status_code for each in static} == {200}
        assert browser.get(f"{BASE}/desks/desk-3").status_code == 404


def test_by_a_name_of_its_own_plain_http_is_led_to_tls(own_name: tuple[Served, Nginx]) -> None:
    nginx = own_name[1]
    with httpx.Client(trust_env=False, headers={"Host": HOST}) as client:
        away = client.get(f"http://{HERE}:{nginx.ports.plain}/login?to=/desks/desk-3")
    assert (away.status_code, away.headers["location"]) == (308, f"{nginx.origin}/login?to=/desks/desk-3")


def test_by_a_name_of_its_own_a_page_sees_what_changes(own_name: tuple[Served, Nginx]) -> None:
    hub, nginx = own_name
    hub.stand.open("desk-3")
    hub.stand.issue("civil")

    async def look(agent: httpx.Client) -> None:
        async with listen(nginx, agent, "/api/v1/desks/desk-3/live") as documents:
            assert (await said(documents))["held"] is None
            await asyncio.to_thread(hub.stand.next, "desk-3")
            assert (await said(documents))["held"]["number"] == "A001"

    with nginx.client() as browser:
        log_in(browser, base="")
        asyncio.run(look(browser))


def test_by_a_name_of_its_own_a_call_of_publik_is_taken(own_name: tuple[Served, Nginx]) -> None:
    hub, nginx = own_name
    assert push(nginx, PUSH_PATH) == 200
    assert reference_of(hub) == ["rendez-vous/12"]
