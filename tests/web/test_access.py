"""Who may do what, through a real server: each route and socket, for each role and for nobody, as in the table."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websockets
from fastapi import FastAPI
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hub.auth.access import ACCESS, ANYONE, WS
from hub.auth.roles import MACHINES, STAFF, Role
from hub.auth.sessions import new_token
from hub.queue.people_requests import ChangeSession
from hub.queue.requests import Origin, Source
from hub.web.door import RouteWithoutAccess, Rules, asked_by
from tests.web.stand import COOKIE, NO_TLS, Served, client_of, new_id

LIMIT_S = 20
NOBODY = {
    "nobody": {},
    "a cookie of nobody": {"Cookie": f"{COOKIE}={new_token()}"},
    "a token of nobody": {"Authorization": f"Bearer {new_token()}"},
    "an empty cookie": {"Cookie": f"{COOKIE}="},
}
# They decide themselves who is let in; `test_login_pages.py` tests them.
OF_THE_LOGIN = {"/login", "/logout"}


@pytest.fixture
def server(one_server: Served) -> Served:
    return one_server


def everything(server: Served) -> list[tuple[str, str]]:
    return [(method, template) for method, template, _ in asked_by(server.stand.web.routes)]


def path_of(template: str) -> str:
    return template.replace("{desk}", "desk-3").replace("{ticket}", "1").replace("{report}", "1")


def headers_of(server: Served, role: Role) -> dict[str, str]:
    if role in MACHINES:
        return {"Authorization": f"Bearer {server.stand.new_machine(role)}"}
    return {"Cookie": f"{COOKIE}={server.stand.log_in(role, account=f'{role}.exemple')}"}


def asked(server: Served, who: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Method and template of every route and socket, and whether access is given, unknown or forbidden."""
    with httpx.Client(
        base_url=server.address, headers={**server.headers, **who}, verify=NO_TLS, trust_env=False
    ) as client:
        for method, template in everything(server):
            if method == WS:
                yield method, template, asyncio.run(of_socket(server, path_of(template), who))
            elif template not in OF_THE_LOGIN:
                path = "/static/desk.css" if template == "/static" else path_of(template)
                yield method, template, of_answer(client.request(method, path, timeout=LIMIT_S))


def of_answer(answer: httpx.Response) -> str:
    if answer.headers.get("location", "").startswith("/login"):
        return "unknown"
    if answer.request.method == "HEAD":
        return {401: "unknown", 403: "forbidden"}.get(answer.status_code, "in")
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    code = answer.json()["code"] if is_problem else ""
    if code == "not_logged_in":
        assert answer.headers["www-authenticate"].startswith("Bearer")
        return "unknown"
    is_forbidden = code == "role_missing" or (answer.status_code == 403 and "Non autorisé" in answer.text)
    return "forbidden" if is_forbidden else "in"


async def of_socket(server: Served, path: str, who: dict[str, str]) -> str:
    own: Any = server.headers["Origin"]
    address = f"ws://127.0.0.1:{server.port}{path}"
    try:
        async with websockets.connect(address, origin=own, additional_headers=who, proxy=None) as socket:
            await asyncio.wait_for(socket.recv(), LIMIT_S)
            return "in"
    except InvalidStatus as refused:
        code = json.loads(refused.response.body or b"{}")["code"]
        return {"not_logged_in": "unknown", "role_missing": "forbidden"}[code]
    except ConnectionClosed as closed:
        return {4401: "unknown", 4403: "forbidden"}[closed.rcvd.code if closed.rcvd else 0]


def test_each_role_gets_what_the_table_says_and_nothing_else(server: Served) -> None:
    for role in Role:
        for method, template, answer in asked(server, headers_of(server, role)):
            allowed = ACCESS["GET" if method == "HEAD" else method, template]
            expected = "in" if allowed is ANYONE or role in allowed else "forbidden"
            assert answer == expected, (role, method, template)


@pytest.mark.parametrize("who", NOBODY)
def test_who_is_not_known_gets_nothing_that_is_not_for_everybody(server: Served, who: str) -> None:
    for method, template, answer in asked(server, NOBODY[who]):
        is_open = ACCESS["GET" if method == "HEAD" else method, template] is ANYONE
        assert answer == ("in" if is_open else "unknown"), (who, method, template)


@pytest.mark.parametrize("path", ["/healthz", "/login"])
def test_a_check_by_head_gets_the_head_of_what_anybody_may_read(server: Served, path: str) -> None:
    with client_of(server) as nobody:
        whole, head = nobody.get(path), nobody.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]


def test_every_page_is_asked_by_head_like_by_get(server: Served) -> None:
    pages = {
        template for method, template in everything(server) if method == "GET" and not template.startswith("/api/")
    }
    assert pages - {template for method, template in everything(server) if method == "HEAD"} == {"/metrics"}
    with client_of(server, Role.AGENT) as agent:
        assert [agent.head(path).status_code for path in ("/", "/desks/desk-3")] == [200, 200]


def test_a_session_that_ended_opens_nothing_any_more(server: Served) -> None:
    who = headers_of(server, Role.SUPERVISOR)
    token = who["Cookie"].partition("=")[2]
    session = server.stand.gate.book.find(token, server.stand.now_ms())
    assert session is not None
    server.stand.gate.book.drop(session.id)
    for method, template, answer in asked(server, who):
        is_open = ACCESS["GET" if method == "HEAD" else method, template] is ANYONE
        assert answer == ("in" if is_open else "unknown"), (method, template)


def test_every_address_of_the_description_has_its_row(server: Served) -> None:
    with client_of(server, Role.ADMINISTRATOR) as client:
        paths = client.get("/api/v1/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described - ACCESS.keys() == set()


def test_every_row_of_the_table_leads_somewhere(server: Served) -> None:
    assert ACCESS.keys() - set(everything(server)) == set()


@pytest.mark.parametrize("method", ["GET", "POST", WS])
def test_a_route_without_a_row_keeps_the_hub_from_starting(method: str) -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    async def forgotten() -> None:
        pass

    if method == WS:
        app.add_api_websocket_route("/forgotten", forgotten)
    else:
        app.add_api_route("/forgotten", forgotten, methods=[method])
    with pytest.raises(RouteWithoutAccess, match=re.escape(f"{method} /forgotten has no row in hub.auth.access")):
        Rules(app.routes)


@pytest.mark.parametrize(
    ("role", "method", "template"),
    [
        (Role.ADMINISTRATOR, "POST", "/desks/{desk}/next"),
        (Role.ADMINISTRATOR, "POST", "/desks/{desk}/search"),
        (Role.RECEPTION, "POST", "/api/v1/desks/{desk}/next"),
        (Role.RECEPTION, "POST", "/desks/{desk}/tickets/{ticket}/pick"),
        (Role.AGENT, "GET", "/metrics"),
        (Role.METRICS, "GET", "/api/v1/desks"),
        (Role.INTRANET, "GET", "/api/v1/tickets/{ticket}"),
        (Role.INTRANET, "GET", "/desks/{desk}"),
        (Role.INTRANET, WS, "/api/v1/desks/{desk}/live"),
    ],
)
def test_what_must_not_be_stays_out_of_the_table(role: Role, method: str, template: str) -> None:
    allowed = ACCESS[method, template]
    assert allowed is not ANYONE
    assert role not in allowed


def test_no_machine_may_change_anything() -> None:
    for (method, template), allowed in ACCESS.items():
        if method == "POST" and allowed is not ANYONE:
            assert allowed <= STAFF, template


def test_the_missing_role_is_named(server: Served) -> None:
    with client_of(server, Role.RECEPTION) as client:
        answer = client.post("/api/v1/desks/desk-3/next", json={})
        assert answer.json()["roles"] == ["agent", "supervisor"]
        page = client.post("/desks/desk-3/next", headers={"HX-Request": "true"})
    assert page.status_code == 403
    assert "Il faut l’un de ces rôles\u00a0: agent, responsable." in page.text


@pytest.mark.parametrize("path", ["/no/such/page", "/desks/desk-3/", "/api/v1/nothing", "/docs", "/./desks"])
def test_who_is_not_known_is_not_told_which_addresses_there_are(server: Served, path: str) -> None:
    with client_of(server) as client:
        nothing, something = (
            client.get(path),
            client.get("/api/v1/desks" if path.startswith("/api") else "/desks/desk-3"),
        )
    assert nothing.status_code == something.status_code
    with client_of(server, Role.AGENT) as client:
        assert client.get(path).status_code == 404


def test_another_method_is_not_there(server: Served) -> None:
    with client_of(server, Role.AGENT) as client:
        answer = client.request("PUT", "/desks/desk-3")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_cookie_and_a_token_at_once_are_refused(server: Served) -> None:
    with client_of(server, Role.AGENT) as client:
        bearer = {"Authorization": f"Bearer {server.stand.new_machine(Role.METRICS)}"}
        answer = client.get("/api/v1/desks", headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (400, "unclear_who")


@pytest.mark.parametrize("given", ["Basic bWFyaWU6c2VjcmV0", "Bearer", "bearer x y", "Bearer " + "x" * 5000])
def test_a_token_of_another_kind_opens_nothing(server: Served, given: str) -> None:
    answer = httpx.get(f"{server.address}/metrics", headers={"Authorization": given}, verify=NO_TLS, trust_env=False)
    assert answer.status_code in {400, 401}


# --- where a session ends -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/desks/desk-3/live", "/api/v1/desks/desk-3/live"])
def test_a_socket_is_closed_when_its_session_ends(server: Served, path: str) -> None:
    who = headers_of(server, Role.AGENT)

    async def watch() -> int:
        own: Any = server.headers["Origin"]
        address = f"ws://127.0.0.1:{server.port}{path}"
        async with websockets.connect(address, origin=own, additional_headers=who, proxy=None) as socket:
            await asyncio.wait_for(socket.recv(), LIMIT_S)
            session = server.stand.gate.book.find(who["Cookie"].partition("=")[2], server.stand.now_ms())
            assert session is not None
            await asyncio.to_thread(server.stand.gate.book.drop, session.id)
            await asyncio.wait_for(socket.wait_closed(), LIMIT_S)
            return socket.close_code or 0

    assert asyncio.run(watch()) == 4401
    assert server.stand.web.state.live.reader_count == 0


def test_the_sockets_of_others_stay(server: Served) -> None:
    leaving, staying = headers_of(server, Role.AGENT), headers_of(server, Role.SUPERVISOR)

    async def watch() -> None:
        own: Any = server.headers["Origin"]
        address = f"ws://127.0.0.1:{server.port}/api/v1/desks/desk-3/live"
        async with (
            websockets.connect(address, origin=own, additional_headers=leaving, proxy=None) as first,
            websockets.connect(address, origin=own, additional_headers=staying, proxy=None) as second,
        ):
            await asyncio.wait_for(second.recv(), LIMIT_S)
            session = server.stand.gate.book.find(leaving["Cookie"].partition("=")[2], server.stand.now_ms())
            assert session is not None
            await asyncio.to_thread(server.stand.gate.book.drop, session.id)
            await asyncio.wait_for(first.wait_closed(), LIMIT_S)
            await asyncio.to_thread(server.stand.open, "desk-3")
            assert json.loads(await asyncio.wait_for(second.recv(), LIMIT_S))["mode"] == "open"

    asyncio.run(watch())


def test_a_socket_is_closed_when_the_right_to_it_is_taken(server: Served) -> None:
    who = headers_of(server, Role.AGENT)
    book = server.stand.gate.book

    async def watch() -> int:
        own: Any = server.headers["Origin"]
        address = f"ws://127.0.0.1:{server.port}/desks/desk-3/live"
        async with websockets.connect(address, origin=own, additional_headers=who, proxy=None) as socket:
            await asyncio.wait_for(socket.recv(), LIMIT_S)
            session = book.find(who["Cookie"].partition("=")[2], server.stand.now_ms())
            assert session is not None
            change = ChangeSession(
                origin=Origin(Source.JOB, "", new_id()),
                session=session.id,
                name=session.person.name,
                roles=(),
                checked_ms=session.checked_ms,
            )
            await asyncio.to_thread(server.stand.do, change)
            await asyncio.to_thread(server.stand.look_at_sessions)
            await asyncio.wait_for(socket.wait_closed(), LIMIT_S)
            return socket.close_code or 0

    assert asyncio.run(watch()) == 4403
