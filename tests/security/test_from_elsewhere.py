"""Another page in the same browser may send what it likes, with the victim's cookie, and reaches nothing."""

import asyncio
import json
from typing import Any

import httpx
import pytest
import websockets
from websockets.exceptions import InvalidStatus

from hub.auth.access import ACCESS, WS
from tests.security.town import Town
from tests.web.stand import COOKIE

FORM, TEXT, JSON = "application/x-www-form-urlencoded", "text/plain", "application/json"
FOREIGN = {
    "another site": {"Origin": "https://evil.example"},
    "a sandboxed frame": {"Origin": "null"},
    "no Origin": {},
    "an empty Origin": {"Origin": ""},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "another scheme": {"Origin": "https://OWN"},
    "another name of this machine": {"Origin": "http://localhost:PORT"},
    "a name that begins alike": {"Origin": "http://OWN.evil.example"},
    "a user name that looks alike": {"Origin": "http://OWN@evil.example"},
    "two Origins in one": {"Origin": "http://OWN, https://evil.example"},
    "the browser says cross-site": {"Sec-Fetch-Site": "cross-site"},
    "the browser says same-site": {"Sec-Fetch-Site": "same-site"},
    "the browser says that somebody typed it": {"Sec-Fetch-Site": "none"},
    "an Origin that the browser contradicts": {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
}
TARGETS = [
    ("/desks/desk-3/next", FORM, "shown="),
    ("/desks/desk-3/sign-off", FORM, ""),
    ("/api/v1/desks/desk-3/next", TEXT, "{}"),
    ("/api/v1/desks/desk-3/next", JSON, "{}"),
    ("/api/v1/tickets", TEXT, '{"service": "civil"}'),
    ("/api/v1/tickets", FORM, '{"service": "civil", "a": "=b"}'),
    ("/login", FORM, "account=b.exemple&password=bon+mot+de+passe"),
    ("/logout", FORM, ""),
]
# The headers of every answer.
CLOSED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def placed(town: Town, headers: dict[str, str]) -> dict[str, str]:
    own = town.own.removeprefix("http://")
    return {name: value.replace("OWN", own).replace("PORT", own[-5:].lstrip(":")) for name, value in headers.items()}


@pytest.mark.parametrize("from_where", FOREIGN)
@pytest.mark.parametrize(("path", "kind", "body"), TARGETS)
def test_a_post_from_elsewhere_changes_nothing(
    town: Town, agent_token: str, from_where: str, path: str, kind: str, body: str
) -> None:
    before = town.journal(), town.open_session_count()
    headers = {**placed(town, FOREIGN[from_where]), "Content-Type": kind, "Cookie": f"{COOKIE}={agent_token}"}
    answer = town.ask("POST", path, body=body, **headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_request")
    assert "set-cookie" not in answer.headers
    assert (town.journal(), town.open_session_count()) == before


@pytest.mark.parametrize("kind", [TEXT, FORM, "multipart/form-data; boundary=x", "application/jsonp", ""])
def test_the_api_reads_no_json_that_calls_itself_something_else(town: Town, agent: httpx.Client, kind: str) -> None:
    before = town.journal()
    headers = {"Content-Type": kind} if kind else {}
    assert agent.post("/api/v1/tickets", content='{"service": "civil"}', headers=headers).status_code == 422
    assert town.journal() == before


@pytest.mark.parametrize("trick", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_get_is_a_get_whatever_it_says(town: Town, agent: httpx.Client, trick: str) -> None:
    before = town.journal()
    agent.get("/desks/desk-3/next?_method=POST", headers={trick: "POST"})
    assert town.journal() == before


def test_no_get_changes_anything(town: Town, agent: httpx.Client) -> None:
    before = town.journal(), town.open_session_count()
    for method, template in ACCESS:
        if method == "GET":
            agent.get(template.format(desk="desk-3", ticket=1, report=1), params={"service": "civil"})
    for path in ("/logout", "/desks/desk-3/next", "/desks/desk-3/sign-off"):
        assert agent.get(path).status_code == 405
    assert (town.journal(), town.open_session_count()) == before


@pytest.mark.parametrize("template", [template for method, template in ACCESS if method == WS])
@pytest.mark.parametrize("from_where", [name for name in FOREIGN if "Origin" in FOREIGN[name] or not FOREIGN[name]])
def test_a_socket_from_elsewhere_hears_nothing(town: Town, agent_token: str, template: str, from_where: str) -> None:
    async def connect() -> Any:
        origin: Any = placed(town, FOREIGN[from_where]).get("Origin")
        address = f"{town.server.address}{template.format(desk='desk-3')}".replace("http:", "ws:")
        cookie = {"Cookie": f"{COOKIE}={agent_token}"}
        async with websockets.connect(address, origin=origin, additional_headers=cookie, proxy=None) as socket:
            return await socket.recv()

    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(connect())
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["code"] == "foreign_request"


def is_closed(answer: httpx.Response) -> bool:
    policy = answer.headers.get_list("content-security-policy")
    parts = {part.strip() for part in policy[0].split(";")} if len(policy) == 1 else set()
    wanted = {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"}
    return (
        wanted <= parts
        and "unsafe" not in policy[0]
        and all(answer.headers.get_list(name) == [value] for name, value in CLOSED.items())
        and "access-control-allow-origin" not in answer.headers
    )


def test_no_page_and_no_answer_can_be_framed_sniffed_or_read_from_elsewhere(
    town: Town, agent: httpx.Client, stranger: httpx.Client
) -> None:
    for browser in (agent, stranger):
        for method, template in ACCESS:
            # The agent's logout would end their session.
            if method in {"GET", "POST"} and not (browser is agent and template == "/logout"):
                path = template.format(desk="desk-3", ticket=1, report=1)
                answer = browser.request(method, path, headers={"Origin": town.own, "Sec-Fetch-Mode": "cors"})
                assert is_closed(answer), (method, path, answer.status_code, answer.headers)
                assert answer.headers["cache-control"] == "no-store" or path.startswith("/static")


@pytest.mark.parametrize(
    ("status", "method", "path", "headers", "body"),
    [
        (400, "GET", "/api/v1/desks", {"Authorization": "Basic eDp5"}, ""),
        (401, "GET", "/api/v1/desks", {}, ""),
        (303, "GET", "/desks/desk-3", {}, ""),
        (403, "POST", "/login", {"Origin": "https://evil.example"}, ""),
        (403, "GET", "/", {"Host": "evil.example"}, ""),
        (404, "GET", "/static/none.css", {}, ""),
        (401, "GET", "/api/v1/none", {}, ""),
        (401, "POST", "/login", {"Content-Type": FORM}, "account=x&password=y"),
        (200, "OPTIONS", "/login", {}, ""),
    ],
)
def test_no_error_can_be_framed_or_sniffed(
    town: Town, status: int, method: str, path: str, headers: dict[str, str], body: str
) -> None:
    answer = town.ask(method, path, body=body, **{"Origin": town.own, **headers})
    if method != "OPTIONS":
        assert answer.status_code == status
    assert is_closed(answer), answer.headers


def test_not_even_a_failure_of_the_hub_can_be_framed(town: Town, agent: httpx.Client, monkeypatch: Any) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("made up")

    monkeypatch.setattr("hub.web.api.read_counts", broken)
    answer = agent.get("/api/v1/halls")
    assert answer.status_code == 500
    assert "made up" not in answer.text
    assert is_closed(answer), answer.headers


FORGED = [
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
    {"X-Forwarded-Server": "evil.example", "X-Host": "evil.example"},
    {"Forwarded": "for=127.0.0.1;host=evil.example;proto=https"},
]


@pytest.mark.parametrize("forged", FORGED)
def test_no_forwarded_host_makes_another_page_the_hubs_own(
    town: Town, agent_token: str, forged: dict[str, str]
) -> None:
    before = town.journal()
    headers = {"Origin": "https://evil.example", "Cookie": f"{COOKIE}={agent_token}", **forged}
    answer = town.ask("POST", "/desks/desk-3/next", **headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_request")
    assert town.journal() == before
    led = town.ask("GET", "/desks/desk-3", **forged)
    assert (led.status_code, led.headers["location"]) == (303, "/login?to=/desks/desk-3")


@pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Uri"])
def test_no_header_makes_an_address_another_one(town: Town, header: str) -> None:
    for path in ("/metrics", "/api/v1/desks"):
        assert town.ask("GET", "/login", **{header: path}).text.startswith("<!doctype html>")
        assert town.ask("GET", path, **{header: "/login"}).status_code == 401


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "PROPFIND", "EVIL"])
def test_no_other_method_does_anything(town: Town, agent_token: str, method: str) -> None:
    before = town.journal()
    headers = {"Origin": town.own, "Cookie": f"{COOKIE}={agent_token}", "Access-Control-Request-Method": "POST"}
    answer = town.ask(method, "/api/v1/desks/desk-3/next", **headers)
    assert answer.status_code in {400, 404, 405}
    assert "access-control-allow-origin" not in answer.headers
    assert town.journal() == before
