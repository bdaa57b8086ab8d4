"""Appointments on staff's pages and in the API: who is expected, who is found, and what the source was not told."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs
from structlog.testing import capture_logs

from hub.appointments.list_state import ListState
from hub.auth.roles import Role
from hub.database.engine import open_engine
from hub.queue import requests as q
from hub.queue.requests import Origin, Source
from hub.queue.states import State
from hub.site import Hall
from hub.site_index import SiteIndex
from hub.web.desk.booking_sentences import list_age, list_mark
from hub.web.desk.drawing import draw
from hub.web.desk.reading import read_desk, read_ticket
from tests.databases import sqlite_url
from tests.web.stand import Served, Stand, TurnedClock, a_site, client_of, new_id, served
from tests.web.texts import SCRIPT, at, text_of

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
NAME = "Zoé Exemple-Inventée"


def search(client: httpx.Client, query: str, desk: str = "desk-3") -> str:
    """The text that the panel shows for a search."""
    answer = client.post(f"/desks/{desk}/search", data={"query": query}, headers=SCRIPT)
    assert answer.status_code == 200
    return text_of(re.sub(r"(?s).*?<p class=.found", "<p class=", answer.text, count=1))


def check_in(client: httpx.Client, ticket: int, desk: str = "desk-3") -> httpx.Response:
    path = f"/desks/{desk}/tickets/{ticket}/check-in"
    return client.post(path, data={"shown": ""}, headers=SCRIPT)


def never_came(stand: Stand, ticket: int) -> None:
    stand.do(q.ExpireExpected(origin=Origin(Source.JOB), ticket=ticket))


# --- the list -------------------------------------------------------------------------------------------------------


def test_who_is_expected_stands_with_time_code_service_and_name(client: httpx.Client, stand: Stand) -> None:
    stand.book("civil", at("10:45"), name=NAME, confirmation="JTKVQDBZ")
    page = client.get("/desks/desk-3").text
    assert f"10:45 {NAME} A État civil · JTKVQDBZ" in text_of(page)


def test_the_word_by_which_a_phone_follows_a_ticket_is_on_no_page(client: httpx.Client, stand: Stand) -> None:
    ticket = stand.book("civil", at("10:45"), confirmation="JTKVQDBZ")
    with stand.engine.connect() as connection:
        word = connection.exec_driver_sql(f"select code from ticket where id = {ticket}").scalar_one()  # noqa: S608
    pages = [
        client.get("/desks/desk-3").text,
        client.get(f"/desks/desk-3?panel=ticket&ticket={ticket}").text,
        client.post("/desks/desk-3/search", data={"query": "JTKVQDBZ"}).text,
        client.post(f"/desks/desk-3/tickets/{ticket}/pick", data={"shown": ""}, headers=SCRIPT).text,
    ]
    client.post(f"/desks/desk-3/tickets/{ticket}/cancel", data={"shown": ""})
    pages.append(client.get("/desks/desk-3").text)
    # Nor in groups of four, as on paper.
    assert [page for page in pages if word in "".join(page.lower().split())] == []
    assert "· rendez-vous de 10:45 annulé" in text_of(pages[-1])


def test_who_never_came_has_a_mark_and_is_not_called_the_next_appointment(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    late = stand.book("civil", at("8:35"))
    stand.book("civil", at("11:15"))
    stand.open("desk-3")
    clock.set("10:00")
    never_came(stand, late)
    page = text_of(client.get("/desks/desk-3").text)
    assert "8:35 A État civil" in page
    assert "non venu" in page
    assert "Prochain rendez-vous 11:15 État civil Pas encore arrivé. Appel dès 11:05" in page


def test_from_when_an_appointment_can_be_called_is_said_only_until_then(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    stand.book("civil", at("11:15"))
    stand.open("desk-3")
    clock.set("11:04")
    said = "Pas encore arrivé. Appel dès 11:05, plus tôt si la file est vide."
    assert said in text_of(client.get("/desks/desk-3").text)
    clock.set("11:05")
    page = text_of(client.get("/desks/desk-3").text)
    assert "Pas encore arrivé." in page
    assert "Appel dès" not in page


def test_a_still_page_is_drawn_anew_when_an_appointment_can_be_called(stand: Stand, clock: TurnedClock) -> None:
    stand.book("civil", at("11:15"))
    clock.set("11:04:30")
    index = SiteIndex(stand.site)
    desk = index.desk("desk-3")
    with stand.engine.connect() as connection:
        rows = read_desk(connection, index, desk, clock.now_ms())
    assert draw(rows, index, desk, lambda _: None, ListState()).redraw_ms == at("11:05")


def test_who_missed_an_appointment_that_was_then_cancelled_or_moved_is_not_waited_for_any_more(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    ticket = stand.book("civil", at("8:35"), confirmation="JTKVQDBZ")
    clock.set("10:00")
    never_came(stand, ticket)
    assert "JTKVQDBZ" in client.get("/desks/desk-3").text
    stand.take(q.CancelBooking(booking=stand.booking_of(ticket)))
    page = client.get("/desks/desk-3").text
    assert "JTKVQDBZ" not in page
    assert "non venu" not in page


def test_who_missed_an_appointment_and_has_another_time_stands_there_once(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    ticket = stand.book("civil", at("8:35"), confirmation="JTKVQDBZ")
    booking = stand.booking_of(ticket)
    clock.set("10:00")
    never_came(stand, ticket)
    stand.take(q.Move(booking=booking, appointment_ms=at("10:45")))
    page = client.get("/desks/desk-3").text
    assert page.count("JTKVQDBZ") == 1
    assert "non venu" not in page


def test_many_that_never_came_leave_room_for_those_to_come(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    for minute in range(12):
        never = stand.book("civil", at("8:31") + minute * MINUTE_MS)
        clock.set("9:30")
        never_came(stand, never)
        clock.set("8:30")
    for minute in range(45):
        stand.book("civil", at("10:00") + minute * MINUTE_MS)
    page = client.get("/desks/desk-3").text
    assert page.count("non venu") == 10
    assert page.count('class="row-link"') == 50
    assert "et d’autres : cherchez par nom ou par code" in text_of(page)


def test_where_there_are_no_appointments_the_page_does_not_speak_of_them(client: httpx.Client, stand: Stand) -> None:
    assert "Rendez-vous attendus" not in client.get("/desks/desk-3").text
    stand.list_state = ListState(source="Publik")
    page = text_of(client.get("/desks/desk-3").text)
    assert "Rendez-vous attendus lecture de la liste en cours" in page
    assert "Plus personne n’est attendu à ce guichet aujourd’hui" in page


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (ListState("Publik", None), "lecture de la liste en cours"),
        (ListState("Publik", at("8:29")), "à jour"),
        (ListState("Publik", at("7:41"), late=True), "liste de 7:41, Publik ne répond pas"),
        (ListState("Publik", at("7:41") - DAY_MS, late=True), "liste du 23/11 à 7:41, Publik ne répond pas"),
        (ListState("Publik", late=True), "pas encore de liste, Publik ne répond pas"),
        (
            ListState("Publik", at("7:41"), late=True, behind=("Passeport", "État civil")),
            "liste de 7:41 pour Passeport, État civil, Publik n’en donne pas de plus récente",
        ),
        (
            ListState("Publik", at("7:41") - DAY_MS, late=True, behind=("Passeport",)),
            "liste du 23/11 à 7:41 pour Passeport, Publik n’en donne pas de plus récente",
        ),
        (
            ListState("Publik", late=True, behind=("Passeport",)),
            "pas encore de liste pour Passeport, Publik n’en donne pas de complète",
        ),
        (
            ListState("Publik", at("7:41"), late=True, behind=("Passeport", "État civil"), doubted=("Passeport",)),
            (
                "liste de 7:41 pour Passeport : des rendez-vous connus n’apparaissent plus dans Publik"
                " ; pas de plus récente pour État civil"
            ),
        ),
        (
            ListState("Publik", at("7:41"), late=True, behind=("Passeport",), doubted=("Passeport",)),
            "liste de 7:41 pour Passeport : des rendez-vous connus n’apparaissent plus dans Publik",
        ),
        (
            ListState("Publik", at("7:41") - DAY_MS, late=True, behind=("Passeport",), doubted=("Passeport",)),
            "liste du 23/11 à 7:41 pour Passeport : des rendez-vous connus n’apparaissent plus dans Publik",
        ),
        (
            ListState("Publik", late=True, behind=("Passeport",), doubted=("Passeport",)),
            "liste pour Passeport non prise : des rendez-vous connus n’apparaissent plus dans Publik",
        ),
        (ListState("rdv.csv", at("7:41"), late=True, is_file=True), "liste de 7:41, rdv.csv n’est pas lisible"),
        (ListState("rdv.csv", late=True, is_file=True), "pas encore de liste, rdv.csv n’est pas lisible"),
    ],
)
def test_the_list_says_how_old_it_is(state: ListState, said: str) -> None:
    assert list_age(state, "Europe/Paris", at("8:30")) == said


@pytest.mark.parametrize(
    ("as_of_ms", "said"),
    [
        (at("7:41"), "Liste\u00a0RDV de\u00a07:41"),
        (at("7:41") - DAY_MS, "Liste\u00a0RDV du\u00a023/11"),
        (None, "Aucune liste\u00a0RDV"),
    ],
)
def test_a_few_words_say_how_old_a_late_list_is(as_of_ms: int | None, said: str) -> None:
    assert list_mark(ListState("Publik", as_of_ms, late=True), "Europe/Paris", at("8:30")) == said


def test_an_old_list_is_an_icon_and_words_a_fresh_one_is_calm(client: httpx.Client, stand: Stand) -> None:
    for late, style in ((False, "age"), (True, "mark")):
        stand.list_state = ListState("Publik", at("8:10"), late=late)
        head = re.search(r'(?s)<div class="expected-head">(.*?)<a ', client.get("/desks/desk-3").text)
        assert head
        assert f'<span class="{style}"><svg' in head[1]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (ListState("Publik", at("8:10"), late=True), "liste de 8:10, Publik ne répond pas"),
        (ListState("Publik", late=True), "pas encore de liste, Publik ne répond pas"),
        (ListState("Publik"), "lecture de la liste en cours"),
    ],
)
def test_nobody_is_said_to_have_no_appointment_by_a_list_that_may_lack_it(
    client: httpx.Client, stand: Stand, state: ListState, said: str
) -> None:
    stand.book("civil", at("10:45"), name=NAME)
    stand.list_state = state
    assert said in text_of(client.get("/desks/desk-3?panel=search", headers=SCRIPT).text)
    for query, found in (
        ("personne", "Pas trouvé, mais le rendez-vous existe peut-être : vérifiez la confirmation."),
        ("exemple", "1 rendez-vous aujourd’hui"),
    ):
        answer = text_of(client.post("/desks/desk-3/search", data={"query": query}, headers=SCRIPT).text)
        assert said in answer
        assert found in answer
        assert "prend un ticket à la borne" not in answer


@pytest.mark.parametrize("state", [ListState("Publik", at("8:29")), ListState()])
def test_of_a_fresh_list_and_of_none_a_search_says_no_age(client: httpx.Client, stand: Stand, state: ListState) -> None:
    stand.list_state = state
    answer = client.post("/desks/desk-3/search", data={"query": "personne"}, headers=SCRIPT).text
    assert "Aucun rendez-vous trouvé. Un visiteur sans rendez-vous prend un ticket à la borne." in text_of(answer)
    assert 'class="mark"' not in answer
    assert 'class="age"' not in answer


def test_what_cannot_be_shown_is_counted(client: httpx.Client, stand: Stand) -> None:
    stand.list_state = ListState(source="Publik", as_of_ms=stand.now_ms(), flaws=3)
    assert "3 rendez-vous (Publik) ne peuvent pas être affichés" in text_of(client.get("/desks/desk-3").text)


@pytest.mark.parametrize(
    ("change", "mark"), [("cancelled", "RDV annulé"), ("moved", "RDV déplacé"), ("replaced", "RDV déplacé")]
)
def test_a_booking_that_changes_after_check_in_is_marked_wherever_its_ticket_stands(
    client: httpx.Client, stand: Stand, change: str, mark: str
) -> None:
    ticket = stand.book("civil", at("8:40"), confirmation="JTKVQDBZ")
    stand.check_in(ticket)
    booking = stand.booking_of(ticket)
    changed: Any = q.CancelBooking(booking=booking, moved=change == "replaced")
    if change == "moved":
        changed = q.Move(booking=booking, appointment_ms=at("14:00"))
    stand.take(changed)
    assert mark in text_of(client.get("/desks/desk-3").text)
    assert mark in search(client, "JTKVQDBZ")
    panel = text_of(client.get(f"/desks/desk-3?panel=ticket&ticket={ticket}", headers=SCRIPT).text)
    assert mark in panel
    # The new time is known only if this very booking was moved.
    assert (f"{mark} à présent 14:00" in panel) == ("à présent" in panel) == (change == "moved")
    stand.open("desk-3")
    stand.next("desk-3")
    assert mark in text_of(client.get("/desks/desk-3").text)


# --- search ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["zoe", "EXEMPLE inv", "inventée zoé", " jtk-vqd bz ", "https://publik.invalid/code/JTKVQDBZ/"]
)
def test_a_booking_is_found_by_name_or_code(client: httpx.Client, stand: Stand, query: str) -> None:
    stand.book("family", at("10:45"), name=NAME, confirmation="JTKVQDBZ")
    stand.book("family", at("10:50"), name="Ange Fictif")
    found = search(client, query)
    assert f"1 rendez-vous aujourd’hui 10:45 {NAME} F Famille · JTKVQDBZ attendu" in found
    assert "Fictif" not in found


@pytest.mark.parametrize("query", ["personne", "🎉", "JTKVQDB", "%", "_", "' or 1=1 --", "\x00"])
def test_what_finds_nothing_says_what_to_do(client: httpx.Client, stand: Stand, query: str) -> None:
    stand.book("civil", at("10:45"), name=NAME, confirmation="JTKVQDBZ")
    assert "Aucun rendez-vous trouvé." in search(client, query)


@pytest.mark.parametrize(("booked", "rest"), [(51, "et 1 autre"), (53, "et 3 autres")])
def test_a_search_shows_the_first_fifty_and_the_total(
    client: httpx.Client, stand: Stand, booked: int, rest: str
) -> None:
    for minute in range(booked):
        stand.book("civil", at("10:00") + minute * MINUTE_MS, name=f"Exemple Numéro{minute}")
    found = search(client, "exem")
    assert f"{booked} rendez-vous aujourd’hui 10:00 Exemple Numéro0" in found
    assert "Numéro49" in found
    assert "Numéro50" not in found
    assert f"{rest} : précisez le nom" in found


def test_a_booking_of_another_day_is_found_only_where_none_of_today_is(client: httpx.Client, stand: Stand) -> None:
    stand.book("civil", at("10:45") + DAY_MS, name=NAME, confirmation="JTKVQDBZ")
    for query in ("zoé", "JTKVQDBZ"):
        assert f"Pas aujourd’hui : 1 rendez-vous d’un autre jour 25/11 10:45 {NAME}" in search(client, query)
    stand.book("civil", at("11:00"), name="Zoé Fictive")
    assert "Inventée" not in search(client, "zoé")


def test_by_the_code_from_before_a_move_the_appointment_there_is_now_is_found(
    client: httpx.Client, stand: Stand
) -> None:
    before = stand.booking_of(stand.book("civil", at("10:45"), name=NAME, confirmation="OLD"))
    after = stand.booking_of(stand.book("civil", at("11:00") + DAY_MS, name=NAME, confirmation="NEW"))
    stand.take(q.Move(booking=after, appointment_ms=at("11:00") + DAY_MS, reference=f"form/{before}"))
    assert "OLD attendu" in search(client, "old")
    stand.take(q.CancelBooking(booking=before))
    assert f"25/11 11:00 {NAME} A État civil · NEW attendu" in search(client, "old")
    stand.take(q.CancelBooking(booking=after))
    assert "OLD annulé" in search(client, "old")


@pytest.mark.parametrize("query", ["same", "zoé"])
@pytest.mark.parametrize(
    ("days", "said"),
    [(0, "1 rendez-vous aujourd’hui 11:30"), (1, "Pas aujourd’hui : 1 rendez-vous d’un autre jour 25/11")],
)
def test_an_appointment_that_was_moved_is_found_where_it_stands_now_and_not_as_cancelled(
    client: httpx.Client, stand: Stand, query: str, days: int, said: str
) -> None:
    before = stand.booking_of(stand.book("civil", at("10:45"), name=NAME, confirmation="SAME"))
    moved_ms = at("11:30") + days * DAY_MS
    after = stand.booking_of(stand.book("civil", moved_ms, name=NAME, confirmation="SAME"))
    stand.take(q.Move(booking=after, appointment_ms=moved_ms, reference=f"form/{before}"))
    stand.take(q.CancelBooking(booking=before, moved=True))
    assert search(client, query).startswith(said)
    stand.take(q.CancelBooking(booking=after))
    assert "10:45" in search(client, query)


def test_whoever_is_here_is_found_beside_the_appointment_that_theirs_was_moved_to(
    client: httpx.Client, stand: Stand
) -> None:
    ticket = stand.book("civil", at("8:40"), name=NAME, confirmation="SAME")
    stand.check_in(ticket)
    before = stand.booking_of(ticket)
    after = stand.booking_of(stand.book("civil", at("11:30"), name=NAME, confirmation="SAME"))
    stand.take(q.Move(booking=after, appointment_ms=at("11:30"), reference=f"form/{before}"))
    stand.take(q.CancelBooking(booking=before, moved=True))
    for query in ("same", "zoé"):
        assert "2 rendez-vous aujourd’hui" in search(client, query)


def booked_twice(stand: Stand, service: str) -> tuple[int, int]:
    """One request with two appointments: one for civil at 10:45 and one for `service` at 11:30."""
    first = stand.book("civil", at("10:45"), name=NAME, confirmation="FIRST")
    second = stand.book(service, at("11:30"), name=NAME, confirmation="SECOND")
    stand.take(
        q.Move(
            booking=stand.booking_of(second), appointment_ms=at("11:30"), reference=f"form/{stand.booking_of(first)}"
        )
    )
    return first, second


@pytest.mark.parametrize("service", ["civil", "family"])
def test_one_of_two_appointments_of_a_request_that_was_cancelled_at_the_desk_is_found_beside_the_other(
    client: httpx.Client, stand: Stand, service: str
) -> None:
    first, _ = booked_twice(stand, service)
    client.post(f"/desks/desk-3/tickets/{first}/cancel", data={"shown": ""}, headers=SCRIPT)
    for query in ("zoé", "first"):
        found = search(client, query)
        assert "2 rendez-vous aujourd’hui" in found
        assert "FIRST annulé" in found
        assert "SECOND attendu" in found


def test_one_of_two_appointments_of_a_request_that_was_cancelled_at_its_source_is_found_by_the_name(
    client: httpx.Client, stand: Stand
) -> None:
    first, _ = booked_twice(stand, "family")
    stand.take(q.CancelBooking(booking=stand.booking_of(first)))
    assert "FIRST annulé" in search(client, "zoé")
    assert "SECOND attendu" in search(client, "zoé")


def test_a_search_for_nothing_finds_fault_with_nobody(client: httpx.Client, stand: Stand) -> None:
    stand.book("civil", at("10:45"), name=NAME)
    assert search(client, " ") == ""


def test_a_name_that_may_no_longer_be_kept_is_not_found(client: httpx.Client, stand: Stand) -> None:
    stand.book("civil", at("10:45"), name=NAME)
    with stand.engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql(f"update visitor_name set delete_after_ms = {stand.now_ms()}")  # noqa: S608
    assert "Aucun rendez-vous trouvé." in search(client, "zoé")
    assert "Zoé" not in client.get("/desks/desk-3").text


def test_what_is_looked_for_stands_in_no_address_log_or_metric(client: httpx.Client, stand: Stand) -> None:
    stand.book("civil", at("10:45"), name=NAME)
    with capture_logs() as logs:
        page = client.post("/desks/desk-3/search", data={"query": "exemple-inventée"})
        assert client.get("/desks/desk-3/search?query=exemple").status_code == 303
        client.post("/desks/desk-3/search", data={"query": "exemple" * 90})
    assert NAME in page.text
    assert not re.search(r"(href|action|hx-[a-z]+)=[^>]*exemple", page.text, re.IGNORECASE)
    assert "exemple" not in str(logs).lower()
    assert "exemple" not in client.get("/metrics").text.lower()


def test_a_search_without_script_is_a_page_that_does_not_reload_itself(client: httpx.Client, stand: Stand) -> None:
    stand.book("civil", at("10:45"), name=NAME)
    page = client.post("/desks/desk-3/search", data={"query": "zoé"}).text
    assert page.count('class="panel"') == 1
    assert 'value="zoé"' in page
    assert "http-equiv" not in page
    assert "http-equiv" in client.get("/desks/desk-3").text


# --- check-in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("9:00", "En avance : rendez-vous de 10:45, appel dès 10:35, plus tôt si la file est vide."),
        ("10:40", "À l’heure pour le rendez-vous de 10:45."),
        ("10:48", "En retard, mais le rendez-vous de 10:45 compte encore."),
        ("11:30", "Trop tard pour le rendez-vous de 10:45 : attend comme sans rendez-vous."),
    ],
)
def test_who_checks_in_is_told_before_and_after_how_the_appointment_stands(
    client: httpx.Client, stand: Stand, clock: TurnedClock, now: str, said: str
) -> None:
    ticket = stand.book("family", at("10:45"), name=NAME)
    clock.set(now)
    assert said in text_of(client.get(f"/desks/desk-3?panel=ticket&ticket={ticket}", headers=SCRIPT).text)
    assert text_of(check_in(client, ticket).text) == f"F 001 est enregistré. {said}"


def test_who_was_found_absent_waits_like_somebody_without_an_appointment(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    ticket = stand.book("civil", at("8:35"), confirmation="JTKVQDBZ")
    clock.set("9:00")
    never_came(stand, ticket)
    assert "non venu" in search(client, "JTKVQDBZ")
    said = "A 001 est enregistré. Trop tard pour le rendez-vous de 8:35 : attend comme sans rendez-vous."
    assert text_of(check_in(client, ticket).text) == said


def test_who_comes_twice_keeps_the_number(client: httpx.Client, stand: Stand, clock: TurnedClock) -> None:
    ticket = stand.book("civil", at("10:45"), confirmation="JTKVQDBZ")
    clock.set("10:20")
    stand.check_in(ticket)
    clock.set("10:25")
    assert "arrivé, A 001 attend" in search(client, "JTKVQDBZ")
    answer = check_in(client, ticket)
    assert (answer.status_code, text_of(answer.text)) == (409, "Déjà arrivé à 10:20 : A 001 attend.")


def test_a_check_in_that_is_sent_twice_is_answered_with_its_number_twice(client: httpx.Client, stand: Stand) -> None:
    ticket = stand.book("civil", at("8:35"))
    form = {"id": new_id(), "shown": ""}
    path = f"/desks/desk-3/tickets/{ticket}/check-in"
    first, again = (text_of(client.post(path, data=form, headers=SCRIPT).text) for _ in range(2))
    assert first == "A 001 est enregistré. À l’heure pour le rendez-vous de 8:35."
    assert again == "A 001 est enregistré."


def test_who_is_called_set_aside_over_or_absent_is_told_so(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    stand.open("desk-3")
    ticket = stand.book("civil", at("8:40"), confirmation="JTKVQDBZ")
    stand.check_in(ticket)
    clock.set("8:41")
    stand.next("desk-3")
    assert "A 001 appelé, guichet 3" in search(client, "JTKVQDBZ")
    stand.sign_on("desk-6")
    assert text_of(check_in(client, ticket, "desk-6").text) == "Déjà arrivé : A 001 est au guichet 3 ou y est appelé."
    stand.sign_on("desk-3")
    stand.do(q.Park(origin=stand.origin(), desk="desk-3", shown=ticket))
    assert "A 001 de côté, guichet 3" in search(client, "JTKVQDBZ")
    assert "A 001 est mis de côté par le guichet 3." in text_of(check_in(client, ticket).text)
    stand.do(q.Resume(origin=stand.origin(), desk="desk-3", ticket=ticket))
    stand.do(q.MarkAbsent(origin=stand.origin(), desk="desk-3", shown=ticket))
    assert "A 001 appelé et absent" in search(client, "JTKVQDBZ")
    said = "Déjà absent : A 001 a été appelé à 8:41 et n’est pas venu. Remettez-le en file."
    assert text_of(check_in(client, ticket).text) == said
    clock.turn(minutes=1)
    stand.do(q.StartAbsent(origin=stand.origin(), desk="desk-3", ticket=ticket))
    stand.do(q.Finish(origin=stand.origin(), desk="desk-3", shown=ticket))
    assert "visite terminée" in search(client, "JTKVQDBZ")
    assert text_of(check_in(client, ticket).text) == "Visite terminée à 8:42."


def test_who_comes_on_another_day_is_told_which_and_may_not_be_checked_in(client: httpx.Client, stand: Stand) -> None:
    ticket = stand.book("civil", at("10:45") + DAY_MS)
    panel = client.get(f"/desks/desk-3?panel=ticket&ticket={ticket}", headers=SCRIPT).text
    assert "Pas aujourd’hui : ce rendez-vous est le 25/11 à 10:45." in text_of(panel)
    assert "/check-in" not in panel


def state_of(stand: Stand, ticket: int) -> State | None:
    with stand.engine.connect() as connection:
        found = read_ticket(connection, stand.site.name, ticket)
    return found.state if found else None


def test_who_came_too_late_is_listed_with_a_missed_appointment_and_waits_like_one_without(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    in_time, too_late = stand.book("civil", at("8:35")), stand.book("civil", at("8:40"))
    clock.set("8:38")
    check_in(client, in_time)
    clock.set("8:50")
    check_in(client, too_late)
    rows = re.findall(r'<td class="(when[^"]*)">(.*?)</td>', client.get("/desks/desk-3").text)
    shown = [(style, text_of(cell)) for style, cell in rows if "8:" in cell]
    assert shown[:2] == [("when is-booked", "8:35"), ("when", "8:40 manqué")]


def test_cancelling_asks_once_and_nothing_is_done_by_opening_the_question(client: httpx.Client, stand: Stand) -> None:
    ticket = stand.book("civil", at("10:45"))
    panel = client.get(f"/desks/desk-3?panel=ticket&ticket={ticket}", headers=SCRIPT).text
    assert f"/tickets/{ticket}/cancel" not in panel
    assert f"?panel=cancel&amp;ticket={ticket}" in panel or f"?panel=cancel&ticket={ticket}" in panel
    question = client.get(f"/desks/desk-3?panel=cancel&ticket={ticket}", headers=SCRIPT).text
    assert "Annuler le rendez-vous de 10:45\u00a0?" in question
    assert f'formaction="/desks/desk-3/tickets/{ticket}/cancel"' in question
    assert state_of(stand, ticket) is State.EXPECTED
    client.post(f"/desks/desk-3/tickets/{ticket}/cancel", data={"shown": ""})
    assert state_of(stand, ticket) is State.CANCELLED
    question = client.get(f"/desks/desk-3?panel=cancel&ticket={ticket}", headers=SCRIPT).text
    assert "formaction" not in question


def test_a_cancelled_appointment_says_so(client: httpx.Client, stand: Stand) -> None:
    ticket = stand.book("civil", at("10:45"), confirmation="JTKVQDBZ")
    stand.take(q.CancelBooking(booking=stand.booking_of(ticket)))
    assert "10:45 A État civil · JTKVQDBZ annulé" in search(client, "JTKVQDBZ")
    assert text_of(check_in(client, ticket).text) == "Rendez-vous annulé : il faut un ticket sans rendez-vous."


@pytest.fixture
def two_halls(tmp_path: Path, clock: TurnedClock) -> Iterator[Served]:
    """A site where visitors for Famille wait upstairs."""
    site = a_site()
    services = tuple(
        structs.replace(each, hall="upstairs" if each.name == "family" else each.hall) for each in site.services
    )
    halls = (*site.halls, Hall(name="upstairs", title="Premier étage"))
    engine = open_engine(sqlite_url(tmp_path))
    stand = Stand(engine, structs.replace(site, services=services, halls=halls), clock.now_ms)
    with served(stand) as server:
        yield server
    stand.stop()
    engine.dispose()


def test_who_waits_in_another_hall_is_told_which(two_halls: Served) -> None:
    stand = two_halls.stand
    ticket = stand.book("family", at("8:35"), confirmation="JTKVQDBZ")
    with client_of(two_halls, Role.RECEPTION) as client:
        assert "F Famille · JTKVQDBZ · Premier étage" in search(client, "JTKVQDBZ")
        said = text_of(check_in(client, ticket).text)
    assert said.endswith("À l’heure pour le rendez-vous de 8:35. Attend en salle « Premier étage ».")


def test_a_ticket_of_another_desks_service_offers_nothing_that_would_be_refused(
    client: httpx.Client, stand: Stand
) -> None:
    stand.open("desk-3")
    ticket = stand.book("family", at("8:40"))
    stand.check_in(ticket)
    panel = client.get(f"/desks/desk-3?panel=ticket&ticket={ticket}", headers=SCRIPT).text
    assert panel.count("pas pour ce guichet") == 3
    assert not re.search(rf"tickets/{ticket}/|panel=transfer", panel)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }} %(x)s"])
def test_a_name_is_never_markup(client: httpx.Client, stand: Stand, name: str) -> None:
    ticket = stand.book("civil", at("8:40"), name=name, confirmation="JTKVQDBZ")
    for page in (
        client.get("/desks/desk-3").text,
        client.post("/desks/desk-3/search", data={"query": "JTKVQDBZ"}).text,
        client.post("/desks/desk-3/search", data={"query": name}).text,
        client.get(f"/desks/desk-3?panel=ticket&ticket={ticket}").text,
    ):
        assert name in text_of(page) or "alert(1)" in name
        assert not re.search(r"<(script>|img)", page)
