"""Reports that the source of appointments refused, in the API and at a desk; and the address that Publik calls."""

from typing import Any

import httpx
import msgspec
import pytest

from hub.appointments.list_state import ListState
from hub.appointments.source import SourceRefuses
from hub.appointments.source_refusal import SourceRefusal, Why, read_refusal, written
from hub.publik.answers import Answer, document
from hub.publik.faults import Fault, for_source
from hub.web.desk.booking_reading import FailedReport
from hub.web.desk.booking_sentences import report_reason
from tests.web.stand import NO_TLS, Served, Stand, TurnedClock, new_id
from tests.web.texts import SCRIPT, at, text_of

API = "/api/v1"
NAME = "Zoé Exemple-Inventée"


# --- what was not told ----------------------------------------------------------------------------------------------


def test_what_the_source_refused_stands_before_the_agent_and_is_told_again(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    stand.list_state = ListState(source="Publik", as_of_ms=stand.now_ms())
    walked, never = stand.check_in(stand.book("civil", at("8:40"))).ticket, stand.book("civil", at("9:45"))
    stand.fail_report(walked, "arrived", "the request knows no such step")
    clock.set("10:50")
    report = stand.fail_report(never, "absent", "the request knows no such step")
    assert "2 rendez-vous n’ont pas pu être transmis à Publik" in text_of(client.get("/desks/desk-3").text)
    panel = text_of(client.get("/desks/desk-3?panel=reports", headers=SCRIPT).text)
    assert (
        "A 001 arrivé · en échec depuis 8:30 Cela a été refusé. « the request knows no such step » Réessayer" in panel
    )
    assert f"9:45 {stand.code_of(never)} non venu · en échec depuis 10:50" in panel
    assert client.post(f"/desks/desk-3/reports/{report}/retry").headers["location"] == "/desks/desk-3?panel=reports"
    assert "1 rendez-vous n’a pas pu être transmis" in text_of(client.get("/desks/desk-3").text)
    again = client.post(f"/desks/desk-3/reports/{report}/retry", headers=SCRIPT)
    assert (again.status_code, text_of(again.text)) == (409, "Déjà transmis, ou remis en attente d’envoi.")
    assert "Ce ticket" not in client.post("/desks/desk-3/reports/99/retry", headers=SCRIPT).text


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, {"err": 1, "err_desc": "Page absente"}, "La demande ne connaît pas cette étape dans son état actuel."),
        (403, {"err": 1, "err_desc": "Unmet condition"}, "Cette étape n’est pas ouverte à la demande pour le moment."),
        (200, [], "La réponse est inutilisable\u00a0: à voir par l’administrateur."),
        (200, {"err": 1, "err_desc": "réservation annulée"}, "Cela a été refusé."),
        (400, {"err": 1, "err_desc": "whatever"}, "Cela a été refusé."),
    ],
)
def test_a_refusal_is_told_in_plain_words(status: int, body: Any, said: str) -> None:
    with pytest.raises(Fault) as refused:
        document(Answer("https://publik.invalid/api/forms/x/1/", status, msgspec.json.encode(body), 0))
    error = for_source(refused.value, Why.NO_STEP)
    assert isinstance(error, SourceRefuses)
    kept = read_refusal(written(error.refusal))
    report = FailedReport(1, "b", 1, None, "", 0, "served", 0, 1, kept)
    assert report_reason(report) == said
    assert kept.reason == str(refused.value)
    assert kept.said == (body["err_desc"] if isinstance(body, dict) else "")


def test_a_sentence_kept_by_an_earlier_version_is_still_shown() -> None:
    assert read_refusal("publik said no") == SourceRefusal(Why.SAYS_NO, "publik said no", "publik said no")


def test_of_a_refusal_staff_read_french_and_the_sources_own_words_and_programs_the_english_sentence(
    client: httpx.Client, stand: Stand
) -> None:
    ticket = stand.book("civil", at("9:45"))
    stand.fail_report(
        ticket, "served", written(SourceRefusal(Why.SAYS_NO, "https://p.invalid/1/ says no", "déjà pointé"))
    )
    panel = text_of(client.get("/desks/desk-3?panel=reports", headers=SCRIPT).text)
    assert "Cela a été refusé. « déjà pointé » Réessayer" in panel
    assert "says no" not in panel
    (report,) = client.get(f"{API}/appointments/reports").json()["reports"]
    assert report["error"] == "https://p.invalid/1/ says no"


def test_the_last_one_told_again_leaves_a_panel_that_says_so(client: httpx.Client, stand: Stand) -> None:
    report = stand.fail_report(stand.book("civil", at("9:45")), "absent", "no")
    answer = client.post(f"/desks/desk-3/reports/{report}/retry", headers=SCRIPT)
    assert "Nouvel essai en cours." in text_of(answer.text)
    assert "Tout est transmis." in text_of(answer.text)


def test_the_api_says_how_old_the_list_is_and_what_was_refused(client: httpx.Client, stand: Stand) -> None:
    stand.list_state = ListState("Publik", at("8:10"), late=True, reason="Publik was not reached", flaws=2)
    ticket = stand.book("civil", at("9:45"), name=NAME)
    report = stand.fail_report(ticket, "absent", "the request knows no such step")
    assert client.get(f"{API}/appointments").json() == {
        "source": "Publik",
        "as_of": "2026-11-24T07:10:00.000Z",
        "late": True,
        "reason": "Publik was not reached",
        "flaws": 2,
        "failed": 1,
    }
    reports = client.get(f"{API}/appointments/reports")
    assert reports.json()["total"] == 1
    assert reports.json()["reports"][0] == {
        "report": report,
        "booking": stand.booking_of(ticket),
        "ticket": ticket,
        "number": None,
        "appointment_at": "2026-11-24T08:45:00.000Z",
        "kind": "absent",
        "since": "2026-11-24T07:30:00.000Z",
        "attempts": 3,
        "error": "the request knows no such step",
    }
    assert "Zoé" not in reports.text + client.get(f"{API}/desks/desk-3").text
    request = new_id()
    for _ in range(2):
        answer = client.post(f"{API}/appointments/reports/{report}/retry", json={"id": request})
        assert answer.json() == {"id": request, "count": 1}
    assert client.post(f"{API}/appointments/reports/{report}/retry").json()["count"] == 0
    assert client.post(f"{API}/appointments/reports/4711/retry").status_code == 404


# --- the door -------------------------------------------------------------------------------------------------------


def test_a_push_is_handed_on_as_it_came_and_answered_with_what_is_said_of_it(server: Served) -> None:
    query, body = "orig=publik.invalid&nonce=%2b&signature=a%2Bb%3D", b'{"form_url": "x"} \xff'
    path = f"{server.address}{API}/publik/push?{query}"
    answer = httpx.post(path, content=body, verify=NO_TLS, trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"err": 0})
    assert server.stand.pushed == [(query.encode(), body)]
    server.stand.push_answer = (403, {"err": 1, "err_desc": "signature"})
    answer = httpx.post(path, content=body, headers={"Origin": "http://evil.example"}, verify=NO_TLS, trust_env=False)
    assert (answer.status_code, answer.json()) == (403, {"err": 1, "err_desc": "signature"})


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", f"{API}/publik/push", {"Host": "evil.example"}, 403),
        ("POST", f"{API}/publik/push/", {}, 403),
        ("POST", f"{API}/publik//push", {}, 403),
        ("POST", f"{API}/publik/push/../../desks/desk-3/next", {}, 403),
        ("GET", f"{API}/publik/push", {}, 401),
        ("POST", f"{API}/appointments/reports/1/retry", {}, 403),
        ("POST", "/desks/desk-3/search", {}, 403),
    ],
)
def test_only_the_door_itself_is_outside_of_the_origin_rule(
    server: Served, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = httpx.request(method, f"{server.address}{path}", headers=headers, verify=NO_TLS, trust_env=False)
    assert answer.status_code == status
    assert server.stand.pushed == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_door_takes_calls_by_post_alone(client: httpx.Client, method: str) -> None:
    answer = client.request(method, f"{API}/publik/push")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_push_that_is_too_long_is_refused_before_it_is_read(server: Served) -> None:
    answer = httpx.post(f"{server.address}{API}/publik/push", content=b" " * 70_000, verify=NO_TLS, trust_env=False)
    assert answer.status_code == 413
    assert server.stand.pushed == []
