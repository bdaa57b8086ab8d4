"""Only a session's own cookie opens it: planted, stolen, kept or with changed rights, it opens nothing more."""

import re
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from hub.auth.account_store import end_account
from hub.auth.people import Person
from hub.auth.roles import Role
from tests.auth.small_directory import SmallDirectory
from tests.security.town import EMERGENCY_PASSWORD, PASSWORD, Town, log_in
from tests.web.stand import ANSWER_LIMIT_S, COOKIE

WRONG = "mauvais mot de passe"
# A page for people who are logged in, a command for agents, and an answer for programs.
ASKED = [("GET", "/desks/desk-3"), ("POST", "/desks/desk-3/open"), ("GET", "/api/v1/desks")]
OUTSIDE = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "https://evil.example",
    "HTTPS:evil.example",
    "https:/evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    ".evil.example",
    ":80",
    "?//evil.example",
    "/\r\nSet-Cookie: suivant=x",
    "/\r\n\r\n<script>",
    "/\u2028/evil.example",
    "/\x00/evil.example",
    "/login?to=//evil.example",
    "/%2f/evil.example",
    "/%5cevil.example",
    "/%09/evil.example",
    "/%0d%0aSet-Cookie:x=y",
    "/.//evil.example",
    "/..//evil.example",
    "/;@evil.example",
    "/é//evil.example",
    "/" + "x" * 10_000,
]


@pytest.fixture(autouse=True)
def another_day(town: Town) -> None:
    """Let two days pass: failed attempts are forgotten, and everybody is logged out."""
    town.clock.turn(minutes=2 * 24 * 60)
    town.look()


def opens(town: Town, token: str) -> set[int]:
    """The status codes that the holder of a session's cookie gets, asking as the victim's own page would."""
    cookie = f"{COOKIE}={token}"
    return {town.ask(method, path, Origin=town.own, Cookie=cookie).status_code for method, path in ASKED}


def close_code(socket: ClientConnection) -> int | None:
    """The code with which the hub closes the socket."""
    try:
        while True:
            socket.recv(timeout=ANSWER_LIMIT_S)
    except ConnectionClosed:
        return socket.close_code


def test_a_cookie_stolen_before_the_logout_opens_nothing_after_it(town: Town) -> None:
    with town.browser() as browser:
        log_in(browser, "b.exemple", PASSWORD)
        stolen = browser.cookies[COOKIE]
        assert 200 in opens(town, stolen)
        with town.listen(stolen) as socket:
            socket.recv(timeout=ANSWER_LIMIT_S)
            assert browser.post("/logout").status_code == 303
            assert close_code(socket) == 4401
        assert COOKIE not in browser.cookies
    assert opens(town, stolen) == {303, 401}
    # Reading the sessions from the database again does not bring this one back.
    town.look()
    assert opens(town, stolen) == {303, 401}


@pytest.mark.parametrize("minutes", [24 * 60, 24 * 60 * 30])
def test_a_stolen_cookie_ends_with_its_session(town: Town, minutes: int) -> None:
    token = town.stand.log_in(Role.AGENT)
    town.clock.turn(minutes=minutes)
    assert opens(town, token) == {303, 401}


def test_who_is_logging_in_while_their_local_account_is_ended_does_not_come_in(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.add_local("astreinte", Role.SUPERVISOR)
    judge = town.stand._login.log_in

    def ended_behind_it(account: str, password: str, address: str) -> Person:
        person = judge(account, password, address)
        with town.stand.engine.execution_options(write=True).begin() as connection:
            assert end_account(connection, town.stand.site.name, account, town.clock.now_ms()) == 0
        return person

    monkeypatch.setattr(town.stand._login, "log_in", ended_behind_it)
    before = town.open_session_count()
    with town.browser() as browser:
        answer = log_in(browser, "astreinte", EMERGENCY_PASSWORD)
        assert answer.status_code == 401
        assert COOKIE not in browser.cookies
    assert town.open_session_count() == before


def test_who_logs_out_ends_no_other_session(town: Town) -> None:
    mine, other = town.stand.log_in(Role.AGENT), town.stand.log_in(Role.AGENT, account="a.exemple")
    with town.browser(mine) as browser:
        browser.post("/logout", params={COOKIE: other}, data={COOKIE: other, "session": "1"})
    assert opens(town, mine) == {303, 401}
    assert 200 in opens(town, other)


def test_a_right_that_is_taken_away_is_gone_without_a_new_login(town: Town, directory: SmallDirectory) -> None:
    directory.add("c.exemple", PASSWORD, Role.AGENT, name="Camille Exemple")
    with town.browser() as browser:
        log_in(browser, "c.exemple", PASSWORD)
        assert browser.post("/api/v1/desks/desk-4/open", json={}).status_code != 403
        directory.add("c.exemple", PASSWORD, Role.ADMINISTRATOR, name="Camille Exemple")
        town.clock.turn(minutes=16)
        town.look()
        town.look()
        assert browser.post("/api/v1/desks/desk-4/open", json={}).status_code == 403
        assert browser.get("/metrics").status_code == 200


def test_a_right_that_is_given_is_there_without_a_new_login(town: Town, directory: SmallDirectory) -> None:
    directory.add("c.exemple", PASSWORD, Role.RECEPTION, name="Camille Exemple")
    with town.browser() as browser:
        log_in(browser, "c.exemple", PASSWORD)
        assert browser.post("/api/v1/desks/desk-4/sign-on", json={}).status_code == 403
        directory.add("c.exemple", PASSWORD, Role.RECEPTION, Role.AGENT, name="Camille Exemple")
        town.clock.turn(minutes=16)
        town.look()
        town.look()
        assert browser.post("/api/v1/desks/desk-4/sign-on", json={}).status_code == 200


def test_who_asks_for_what_they_may_not_do_is_logged_without_their_name(town: Town) -> None:
    with town.browser(town.stand.log_in(Role.RECEPTION)) as browser, capture_logs() as logs:
        assert browser.post("/api/v1/desks/desk-4/next", json={}).status_code == 403
    told = [each for each in logs if each["event"] == "door.role_missing"]
    assert [(each["method"], each["route"]) for each in told] == [("POST", "/api/v1/desks/{desk}/next")]
    assert "exemple" not in repr(told)


def test_who_left_is_out_and_hears_nothing_any_more(town: Town, directory: SmallDirectory) -> None:
    directory.add("c.exemple", PASSWORD, Role.AGENT, name="Camille Exemple")
    with town.browser() as browser:
        log_in(browser, "c.exemple", PASSWORD)
        token = browser.cookies[COOKIE]
        with town.listen(token) as socket:
            socket.recv(timeout=ANSWER_LIMIT_S)
            del directory.people["c.exemple"]
            town.clock.turn(minutes=16)
            town.look()
            town.look()
            assert close_code(socket) == 4401
    assert opens(town, token) == {303, 401}


@pytest.mark.parametrize("forged", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP"])
def test_a_forged_address_buys_no_more_tries(town: Town, stranger: httpx.Client, forged: str) -> None:
    answers = []
    for number in range(6):
        address = f"for=192.0.2.{number}" if forged == "Forwarded" else f"192.0.2.{number}"
        answers.append(
            stranger.post("/login", data={"account": "b.exemple", "password": WRONG}, headers={forged: address})
        )
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


@pytest.mark.parametrize("planted", ["a" * 43, "", "../../x", '"', "x; Domain=evil.example"])
def test_a_cookie_that_somebody_planted_is_not_the_one_that_counts(town: Town, planted: str) -> None:
    with town.browser(planted) as browser:
        answer = log_in(browser, "b.exemple", PASSWORD)
        given = re.search(rf"{COOKIE}=([\w-]+);", answer.headers["set-cookie"])
        assert given
        assert given[1] != planted
    if planted:
        assert town.ask("GET", "/api/v1/desks", Cookie=f"{COOKIE}={planted}").status_code == 401


def test_the_session_of_who_planted_it_does_not_become_the_victims(town: Town) -> None:
    attackers = town.stand.log_in(Role.RECEPTION, account="e.exemple")
    with town.browser(attackers) as browser:
        answer = log_in(browser, "b.exemple", PASSWORD)
    assert attackers not in answer.headers["set-cookie"]
    assert town.ask("GET", "/api/v1/desks", Cookie=f"{COOKIE}={attackers}").status_code == 401


@pytest.mark.parametrize("place", ["query", "field", "path"])
def test_no_session_is_named_anywhere_but_in_the_cookie(town: Town, place: str) -> None:
    token = town.stand.log_in(Role.AGENT)
    where = {"query": f"/?{COOKIE}={token}&session={token}", "field": "/", "path": f"/;{COOKIE}={token}"}[place]
    with town.browser() as browser:
        assert browser.get(where).status_code in {303, 401, 404}
        fields = {COOKIE: token, "session": token} if place == "field" else {}
        assert browser.post("/desks/desk-3/open", data=fields).status_code == 303


def leads(town: Town, location: str) -> tuple[str, bool]:
    """Where a browser goes on from the login page, and whether it stays with the hub."""
    # A browser ignores tabs and line ends, and takes \ for /.
    read = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(33))))).replace("\\", "/")
    target = urlsplit(urljoin(f"{town.own}/login", read))
    return target.path, (target.scheme, target.netloc) == ("http", town.own.removeprefix("http://"))


def test_nobody_is_led_elsewhere_by_the_login(town: Town) -> None:
    for outside in OUTSIDE:
        with town.browser() as browser:
            form = browser.get("/login", params={"to": outside})
            assert form.status_code == 200, outside
            first = log_in(browser, "b.exemple", PASSWORD, to=outside)
            # Somebody who is already logged in is redirected at once.
            second = browser.get("/login", params={"to": outside})
            for answer in (first, second):
                assert answer.status_code == 303, outside
                assert answer.headers.get_list("location") == [answer.headers["location"]]
                assert leads(town, answer.headers["location"])[1], (outside, answer.headers["location"])
        assert len(first.headers.get_list("set-cookie")) == 1, outside
        assert all(COOKIE in each for each in first.headers.get_list("set-cookie"))


def test_a_path_of_the_hub_is_led_to(town: Town, stranger: httpx.Client) -> None:
    answer = log_in(stranger, "b.exemple", PASSWORD, to="/desks/desk-3?panel=queue")
    assert answer.headers["location"] == "/desks/desk-3?panel=queue"
