"""The HTTP API: each command at its address, and each refusal as a problem that names what it is about."""

import sqlite3
from collections.abc import Callable

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from hub.auth.roles import Role
from hub.queue.requests import CheckInByCode, Origin, Source, Transfer
from hub.web.actions import DESK_ACTIONS, TICKET_ACTIONS
from tests.web.stand import Served, Stand, client_of, new_id

API = "/api/v1"


def test_next_calls_the_ticket_that_waits_and_says_which(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    ticket = stand.issue("civil")
    request = new_id()
    answer = client.post(f"{API}/desks/desk-3/next", json={"id": request, "shown": None})
    assert answer.status_code == 200
    assert answer.json() == {"id": request, "outcome": "called", "ticket": ticket.ticket, "number": "A001"}


def test_each_of_two_hubs_in_one_process_answers_for_itself(
    client: httpx.Client, stand: Stand, one_server: Served
) -> None:
    stand.open("desk-3")
    one_server.stand.open("desk-3")
    ticket = stand.issue("civil")
    with client_of(one_server, Role.AGENT, account="a.autre") as other:
        one_server.stand.sign_on("desk-3", account="a.autre")
        shown = {"id": new_id(), "shown": ""}
        assert other.post(f"{API}/desks/desk-3/next", json={"shown": None}).json()["outcome"] == "nobody"
        assert other.post("/desks/desk-3/next", data=shown).status_code == 303
    assert client.get(f"{API}/tickets/{ticket.ticket}").json()["state"] == "waiting"
    assert client.post(f"{API}/desks/desk-3/next", json={"shown": None}).json()["number"] == ticket.number


def test_a_repeat_gets_the_first_answer_and_calls_nobody_else(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    stand.issue("civil")
    asked = {"id": new_id(), "shown": None}
    first = client.post(f"{API}/desks/desk-3/next", json=asked)
    assert client.post(f"{API}/desks/desk-3/next", json=asked).json() == first.json()
    assert client.get(f"{API}/desks/desk-3").json()["queues"][0]["waiting"] == 1


def test_who_was_slower_is_told_who_did_what_and_when(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    stand.press("desk-3")
    answer = client.post(f"{API}/desks/desk-3/next", json={"shown": None})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "desk_moved_on"
    assert (problem["by"], problem["did"], problem["ticket"]) == ("button", "call", "A001")
    assert problem["at"] == "2026-11-24T07:30:00.000Z"


def test_a_refused_transition_names_ticket_state_and_event(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    ticket = stand.issue("civil").ticket
    answer = client.post(f"{API}/desks/desk-3/tickets/{ticket}/readmit")
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["type"] == "urn:suivant:problem:transition_refused"
    assert (problem["ticket"], problem["state"], problem["event"]) == ("A001", "waiting", "readmit")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/desks/desk-99/next", {}, 404, "unknown"),
        ("/desks/desk-3/tickets/4711/pick", {}, 404, "unknown"),
        ("/desks/desk-3/next", {"id": "not-an-id"}, 422, "invalid_request"),
        ("/desks/desk-3/next", {"shown": "A012"}, 422, "invalid_request"),
        ("/desks/desk-3/next", {"unheard": 1}, 422, "invalid_request"),
        ("/desks/desk-3/dance", {}, 404, "not_found"),
        ("/tickets", {"service": "unknown"}, 422, "unknown"),
        ("/desks/desk-3/finish", {"shown": None}, 409, "desk_holds_nobody"),
        ("/desks/desk-3/tickets/1/transfer", {"to_desk": "desk-99"}, 422, "unknown"),
        ("/desks/desk-99/tickets/1/transfer", {"to_desk": "desk-8"}, 404, "unknown"),
        ("/desks/desk-3/tickets/1/transfer", {"to_desk": "desk-8", "service": "family"}, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_done_is_a_problem_with_a_stable_code(
    client: httpx.Client, stand: Stand, path: str, body: dict[str, object], status: int, code: str
) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    answer = client.post(API + path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_id_that_something_else_was_asked_by_is_refused(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    stand.book("civil", stand.now_ms() + 60_000, confirmation="ETATCIVIL7")
    asked = Origin(Source.DISPENSER, "printer-1", new_id())
    stand.do(CheckInByCode(origin=asked, confirmation="ETATCIVIL7"))
    answer = client.post(f"{API}/desks/desk-3/next", json={"id": asked.request})
    assert (answer.status_code, answer.json()["code"]) == (409, "id_used")


@pytest.mark.parametrize(
    ("first", "then"),
    [("/tickets", "/desks/desk-3/next"), ("/desks/desk-3/next", "/tickets"), ("/desks/desk-3/open", "/tickets")],
)
def test_an_id_of_another_kind_of_command_is_refused_and_tells_nothing_of_that(
    client: httpx.Client, stand: Stand, first: str, then: str
) -> None:
    stand.open("desk-3")
    request = new_id()
    bodies = {"/tickets": {"service": "civil"}}
    assert client.post(API + first, json={"id": request, **bodies.get(first, {})}).is_success
    answer = client.post(API + then, json={"id": request, **bodies.get(then, {})})
    assert (answer.status_code, answer.json()["code"]) == (409, "id_used")


def test_a_desk_that_never_held_anybody_is_not_said_to_have_done_something(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    problem = client.post(f"{API}/desks/desk-3/next", json={"shown": 7}).json()
    assert problem["code"] == "desk_moved_on"
    assert problem["detail"] == "desk desk-3 has moved on: it holds no ticket"
    assert not problem.keys() & {"at", "by", "did", "ticket", "actor"}


def test_while_the_database_is_away_a_reader_is_told_to_come_again_and_not_where_it_is(
    client: httpx.Client, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object) -> None:
        raise OperationalError("select", {}, sqlite3.OperationalError("unable to open /var/lib/suivant"))

    monkeypatch.setattr("hub.web.api.read_counts", away)
    answer = client.get(f"{API}/halls")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "database_away", "1")
    assert answer.json()["detail"] == "the database is away: try again"


def test_a_closed_desk_calls_nobody(client: httpx.Client, stand: Stand) -> None:
    stand.issue("civil")
    answer = client.post(f"{API}/desks/desk-3/next", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "desk_not_open")


def test_a_ticket_of_another_service_is_not_this_desks(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-6")
    ticket = stand.issue("civil").ticket
    stand.sign_on("desk-6")
    answer = client.post(f"{API}/desks/desk-6/tickets/{ticket}/pick")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_this_desk")


def test_every_command_has_its_address(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    ticket = stand.issue("civil").ticket
    for word in DESK_ACTIONS:
        answer = client.post(f"{API}/desks/desk-3/{word}", json={})
        assert answer.status_code in {200, 409}, (word, answer.text)
    stand.sign_on("desk-3")
    for word in TICKET_ACTIONS:
        answer = client.post(f"{API}/desks/desk-3/tickets/{ticket}/{word}", json={})
        assert answer.status_code in {200, 409, 410, 422}, (word, answer.text)


def test_a_ticket_is_issued_and_read_back_with_its_journal(client: httpx.Client, stand: Stand) -> None:
    answer = client.post(f"{API}/tickets", json={"service": "civil"})
    assert answer.status_code == 201
    issued = answer.json()
    assert (issued["number"], issued["people_ahead"]) == ("A001", 0)
    ticket = client.get(f"{API}/tickets/{issued['ticket']}").json()
    assert (ticket["number"], ticket["state"]) == ("A001", "waiting")
    assert [entry["event"] for entry in ticket["journal"]] == ["issue"]


def test_a_tickets_journal_says_that_an_agent_picked_it(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-1")
    stand.sign_on("desk-1")
    picked = stand.issue("civil").ticket
    assert client.post(f"{API}/desks/desk-1/tickets/{picked}/pick", json={}).status_code == 200
    journal = client.get(f"{API}/tickets/{picked}").json()["journal"]
    assert [(entry["event"], entry["picked"]) for entry in journal] == [("issue", False), ("call", True)]


def test_who_waits_is_the_first_fifty_and_a_total(client: httpx.Client, stand: Stand) -> None:
    for _ in range(52):
        stand.issue("civil")
    waiting = client.get(f"{API}/tickets/waiting", params={"service": "civil"}).json()
    assert (len(waiting["tickets"]), waiting["total"]) == (50, 52)
    assert waiting["tickets"][0]["number"] == "A001"


def test_of_more_than_fifty_who_wait_for_one_desk_each_the_first_due_are_told(
    client: httpx.Client, stand: Stand
) -> None:
    stand.open("desk-3", "desk-8")
    waiting = {stand.issue("civil").ticket: "desk-3" for _ in range(50)}
    first = stand.issue("civil", priority=True)
    for ticket, desk in {**waiting, first.ticket: "desk-8"}.items():
        stand.do(Transfer(origin=stand.origin(), desk="desk-3", ticket=ticket, to_desk=desk))
    told = client.get(f"{API}/tickets/waiting", params={"service": "civil"}).json()["tickets"]
    assert (told[0]["number"], len(told)) == (first.number, 50)


def test_desks_halls_and_site_are_read_whole(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    stand.next("desk-3")
    desks = {desk["number"]: desk for desk in client.get(f"{API}/desks").json()["desks"]}
    assert (desks["3"]["mode"], desks["3"]["held"], desks["8"]["mode"]) == ("open", "A001", "closed")
    halls = client.get(f"{API}/halls").json()["halls"]
    assert [queue["letter"] for queue in halls[0]["waiting"]] == ["A", "C", "F", "M"]
    assert client.get(f"{API}/site").json()["zone"] == "Europe/Paris"


def test_the_documents_name_nobody(client: httpx.Client, stand: Stand, clock: object) -> None:
    stand.open("desk-3")
    stand.check_in(stand.book("civil", stand.now_ms(), name="Jeanne Exemple"))
    stand.next("desk-3")
    assert "Jeanne Exemple" in client.get("/desks/desk-3").text
    for path in ("/desks/desk-3", "/desks", "/tickets/1", "/tickets/waiting?service=civil"):
        assert "Jeanne" not in client.get(API + path).text


def test_health_says_what_is_away(client: httpx.Client, stand: Stand) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "reasons": {}}
    stand.unwell["broker"] = "the broker is not reached"
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unwell", "reasons": {"broker": "the broker is not reached"}}


def test_metrics_are_for_prometheus(client_as: Callable[..., httpx.Client]) -> None:
    answer = client_as(Role.ADMINISTRATOR).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "suivant" in answer.text


def test_requests_are_measured_by_the_pattern_of_their_route(client_as: Callable[..., httpx.Client]) -> None:
    client = client_as(Role.ADMINISTRATOR)
    client.get("/api/v1/desks/desk-3")
    client.get("/no/such/page")
    client.get("/api/v1/desks", headers={"host": "elsewhere.example"})
    counted = client.get("/metrics").text
    assert 'suivant_http_requests_total{route="/api/v1/desks/{desk}",status="200"} 1.0' in counted
    assert 'suivant_http_requests_total{route="(none)",status="404"} 1.0' in counted
    assert 'suivant_http_requests_total{route="(none)",status="403"} 1.0' in counted
    assert "/no/such/page" not in counted
