"""The login page and the logout, through a real server; attacks on them are in `tests/security`."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from websockets.sync.client import connect
from websockets.typing import Origin

from hub.auth.roles import Role
from hub.database.faults import DatabaseLocked
from hub.queue.answers import Answer
from hub.queue.people_requests import EndSession, OpenSession
from hub.queue.requests import Command
from hub.web.login_pages import own_path
from tests.web.stand import COOKIE, Served, Stand, TurnedClock, client_of
from tests.web.texts import SCRIPT, text_of

ACCOUNT, PASSWORD = "b.exemple", "trois tilleuls"
LIMIT_S = 10.0
WRONG = "L’identifiant ou le mot de passe est faux, ou ce compte n’a aucun rôle ici."


@pytest.fixture(autouse=True)
def basile(stand: Stand) -> None:
    stand.directory.add(ACCOUNT, PASSWORD, Role.AGENT, name="Basile Exemple")
    stand.directory.add("sans.role", PASSWORD)


@pytest.fixture
def browser(client_as: Callable[..., httpx.Client]) -> httpx.Client:
    """A browser in which nobody is logged in."""
    return client_as()


def log_in(browser: httpx.Client, account: str = ACCOUNT, password: str = PASSWORD, to: str = "/") -> httpx.Response:
    return browser.post("/login", data={"account": account, "password": password, "to": to})


def test_who_asks_for_a_page_logs_in_and_gets_it(browser: httpx.Client) -> None:
    asked = browser.get("/desks/desk-3?panel=queue")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?to=/desks/desk-3%3Fpanel%3Dqueue")
    form = browser.get(asked.headers["location"]).text
    assert 'name="to" value="/desks/desk-3?panel=queue"' in form
    answer = log_in(browser, to="/desks/desk-3?panel=queue")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desks/desk-3?panel=queue")
    assert browser.get(answer.headers["location"]).status_code == 200
    assert "Basile Exemple" in text_of(browser.get("/").text)


def test_a_form_that_was_sent_too_late_leads_back_to_its_page(browser: httpx.Client) -> None:
    answer = browser.post("/desks/desk-3/tickets/1/pick", data={"shown": ""})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?to=/desks/desk-3")
    by_script = browser.post("/desks/desk-3/next", data={"shown": ""}, headers=SCRIPT)
    assert (by_script.status_code, by_script.headers["hx-redirect"]) == (401, "/login?to=/desks/desk-3")


@pytest.mark.parametrize(
    ("account", "password"),
    [(ACCOUNT, "wrong"), ("nobody", PASSWORD), ("sans.role", PASSWORD), ("", ""), ("x" * 65, "y")],
)
def test_whatever_is_wrong_reads_the_same(browser: httpx.Client, account: str, password: str) -> None:
    answer = log_in(browser, account, password)
    assert answer.status_code == 401
    assert WRONG in text_of(answer.text)
    assert "set-cookie" not in answer.headers
    assert f'value="{account[:64]}"' in answer.text
    assert not re.search(r'name="password"[^>]*value', answer.text)


def test_too_many_tries_and_a_directory_that_is_away_say_so(browser: httpx.Client, stand: Stand) -> None:
    stand.directory.away = True
    away = log_in(browser)
    assert (away.status_code, "L’annuaire ne répond pas." in text_of(away.text)) == (503, True)
    stand.directory.away = False
    for _ in range(5):
        log_in(browser, password="wrong")
    refused = log_in(browser)
    assert (refused.status_code, "Trop d’essais." in text_of(refused.text)) == (429, True)


def test_who_waits_for_the_directory_reads_what_still_lets_in_and_whom_to_tell(
    browser: httpx.Client, stand: Stand
) -> None:
    stand.directory.away = True
    said = text_of(log_in(browser).text)
    assert "En attendant, seul un compte local ouvre l’accès. Prévenez l’informatique." in said
    assert "ordinateur de travail" not in said
    assert "ordinateur de travail" in text_of(browser.get("/login").text)


OVER = "Votre session est terminée. Reconnectez-vous."


def test_who_was_thrown_out_reads_that_the_session_is_over(browser: httpx.Client, stand: Stand) -> None:
    assert OVER not in text_of(browser.get("/login").text)
    log_in(browser)
    session = stand.gate.book.find(browser.cookies[COOKIE], stand.now_ms())
    assert session is not None
    stand.gate.book.drop(session.id)
    asked = browser.get("/desks/desk-3")
    form = browser.get(asked.headers["location"])
    assert OVER in text_of(form.text)
    assert "Basile" not in form.text
    log_in(browser)
    browser.post("/logout")
    assert OVER not in text_of(browser.get("/login").text)


def away(*_: str) -> Any:
    raise DatabaseLocked("/srv/suivant/hub.db", "database is locked")


def test_a_database_that_is_away_is_told_in_words_and_not_to_whom_nobody_knows(
    browser: httpx.Client, stand: Stand
) -> None:
    stand._login._local = away
    answer = log_in(browser)
    assert answer.status_code == 503
    assert "Réessayez." in text_of(answer.text)
    object.__setattr__(stand.gate, "token", away)
    asked = browser.get("/metrics", headers={"Authorization": "Bearer made-up"})
    assert (asked.status_code, asked.json()["code"], asked.headers["retry-after"]) == (503, "database_away", "1")
    assert "/srv" not in answer.text + asked.text


def test_a_directory_that_hangs_holds_up_no_page(server: Served, stand: Stand, browser: httpx.Client) -> None:
    stand.directory.answering.clear()

    def try_it() -> None:
        with client_of(server) as other:
            log_in(other)

    tries = [threading.Thread(target=try_it) for _ in range(4)]
    for each in tries:
        each.start()
    try:
        with client_of(server, Role.AGENT) as inside:
            assert [inside.get("/desks/desk-3").status_code for _ in range(20)] == [200] * 20
    finally:
        stand.directory.answering.set()
        for each in tries:
            each.join()


def logins(server: Served, result: str) -> float:
    with client_of(server, Role.ADMINISTRATOR) as administrator:
        counted = re.search(rf'suivant_logins_total{{result="{result}"}} (\S+)', administrator.get("/metrics").text)
    assert counted is not None
    return float(counted[1])


def test_who_finds_the_waiting_room_full_is_counted_and_logged_like_any_other(
    server: Served, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.web.login_pages.LOGINS_IN_WAIT", 0)
    before = logins(server, "away")
    with capture_logs() as logs:
        assert log_in(browser).status_code == 503
    assert logins(server, "away") == before + 1
    assert {"event": "login.refused", "reason": "away", "log_level": "info"} in logs


def test_each_login_has_a_token_of_its_own_and_ends_the_one_before(browser: httpx.Client, stand: Stand) -> None:
    log_in(browser)
    first = browser.cookies[COOKIE]
    log_in(browser)
    assert browser.cookies[COOKIE] != first
    assert stand.gate.book.find(first, stand.now_ms()) is None
    assert stand.gate.book.open_count == 1


def test_a_login_whose_session_is_not_stored_is_neither_counted_nor_logged_as_done(
    server: Served, browser: httpx.Client, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = stand.put

    def fails_to_open(command: Command) -> "Future[Answer]":
        return away() if isinstance(command, OpenSession) else put(command)

    before = logins(server, "directory")
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(stand, "put", fails_to_open)
        assert log_in(browser).status_code == 503
    assert {each["event"] for each in logs} == {"login.no_session"}
    assert logins(server, "directory") == before
    with capture_logs() as logs:
        assert log_in(browser).status_code == 303
    assert {"event": "login.done", "local": False, "log_level": "info"} in logs
    assert logins(server, "directory") == before + 1


def test_who_logs_in_is_in_though_the_session_before_could_not_be_ended(
    browser: httpx.Client, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(browser)
    first, put = browser.cookies[COOKIE], stand.put

    def fails_to_end(command: Command) -> "Future[Answer]":
        return away() if isinstance(command, EndSession) else put(command)

    monkeypatch.setattr(stand, "put", fails_to_end)
    assert log_in(browser).status_code == 303
    assert browser.cookies[COOKIE] != first
    assert browser.get("/").status_code == 200


def test_who_is_in_is_not_asked_again(browser: httpx.Client) -> None:
    log_in(browser)
    assert browser.get("/login", params={"to": "/desks/desk-3"}).headers["location"] == "/desks/desk-3"


def test_who_logs_out_is_out_and_signed_off(browser: httpx.Client, stand: Stand) -> None:
    log_in(browser)
    token = browser.cookies[COOKIE]
    assert browser.post("/desks/desk-3/sign-on", data={"shown": ""}).status_code == 303
    answer = browser.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert COOKIE not in browser.cookies
    assert browser.get("/").status_code == 303
    assert browser.get("/", headers={"Cookie": f"{COOKIE}={token}"}).status_code == 303
    with stand.engine.connect() as connection:
        assert connection.exec_driver_sql("select agent from desk where name = 'desk-3'").scalar_one() is None


def test_a_link_logs_nobody_out(browser: httpx.Client) -> None:
    log_in(browser)
    assert browser.get("/logout").status_code == 405
    assert browser.get("/").status_code == 200


def test_a_page_that_is_only_open_keeps_nobody_in(
    browser: httpx.Client, server: Served, stand: Stand, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The test site's two limits are equal: the longest time would end the session however the page is used.
    monkeypatch.setattr(stand.gate.book, "limits", replace(stand.gate.book.limits, idle_ms=60 * 60_000))
    log_in(browser)
    clock.turn(minutes=59)
    kept = browser.get("/desks/desk-3?panel=queue", headers={**SCRIPT, "X-Kept-New": "1"})
    assert (kept.status_code, 'hx-headers=\'{"X-Kept-New": "1"}\'' in kept.text) == (200, True)
    live = f"{server.address}/desks/desk-3/live".replace("http:", "ws:")
    cookie = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
    with connect(live, origin=Origin(server.headers["Origin"]), additional_headers=cookie, proxy=None) as socket:
        assert socket.recv(LIMIT_S)
    clock.turn(minutes=1)
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("to", ["/", "/desks/desk-3", "/desks/desk-3?panel=ticket&ticket=3"])
def test_a_path_of_ours_is_where_a_login_leads(to: str) -> None:
    assert own_path(to) == to


@pytest.mark.parametrize(
    "to",
    ["", "//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "/logout", "/login?to=/"],
)
def test_nothing_else_is(to: str) -> None:
    assert own_path(to) == "/"
