"""The pages as plain forms: what they say, what they accept, and how a refusal reads."""

import re
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

import hub.web
from hub.database.faults import DiskFull
from hub.queue import requests as q
from protocol.messages import DeskMode
from tests.web.stand import Stand, TurnedClock, new_id
from tests.web.texts import SCRIPT, text_of


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    """SQLite alone: the API's tests read the same rows on both databases."""
    return sqlite_engine


def shown(page: str) -> str:
    found = re.search(r'name="shown" value="(\d*)"', page)
    assert found
    return found[1]


def test_the_start_page_leads_to_every_desk(client: httpx.Client, stand: Stand) -> None:
    page = client.get("/").text
    assert all(f'href="/desks/{desk.name}"' in page for desk in stand.site.desks)


def test_the_page_of_a_desk_names_each_module_of_its_script_once(client: httpx.Client) -> None:
    named = re.findall(r'"/static/desk/(.+)\.js"', client.get("/desks/desk-3").text)
    there = {file.stem for file in (Path(hub.web.__file__).parent / "static/desk").iterdir()}
    assert sorted(named) == sorted(there)


def test_a_page_says_from_the_start_that_screens_are_not_reached(client: httpx.Client, stand: Stand) -> None:
    assert "data-screens-off" not in client.get("/desks/desk-3").text
    stand.hears_the_hub = False
    assert "data-screens-off" in client.get("/desks/desk-3").text


def test_a_form_calls_and_leads_back_to_the_page(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    answer = client.post("/desks/desk-3/next", data={"id": new_id(), "shown": ""})
    assert (answer.status_code, answer.headers["location"]) == (303, "/desks/desk-3")
    assert "Appelé au guichet 3" in text_of(client.get("/desks/desk-3").text)


def test_only_a_desk_that_is_not_closed_offers_a_pause(client: httpx.Client, stand: Stand) -> None:
    stand.sign_on("desk-3")
    offer = 'formaction="/desks/desk-3/pause"'
    assert offer not in client.get("/desks/desk-3").text
    stand.open("desk-3")
    assert offer in client.get("/desks/desk-3").text


def test_a_command_that_could_not_be_stored_is_said_in_words_and_is_no_failure_of_the_hub(
    client: httpx.Client, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise DiskFull("/var/lib/suivant/suivant.db")

    monkeypatch.setattr(stand.writer, "_commit", full)
    with capture_logs() as logs:
        page = client.post("/desks/desk-3/open", data={"shown": ""}, headers={"Accept": "text/html"})
        answer = client.post("/desks/desk-3/open", data={"shown": ""}, headers=SCRIPT)
    assert (page.status_code, answer.status_code) == (503, 503)
    assert "Rien n’a changé" in text_of(page.text)
    assert "/var/lib" not in page.text + answer.text
    assert not any(line.get("exc_info") for line in logs)


def test_one_rendering_sends_one_command_however_often_it_is_sent(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    stand.issue("civil")
    page = client.get("/desks/desk-3").text
    found = re.search(r'name="id" value="([0-9a-f-]{36})"', page)
    assert found
    form = {"id": found[1], "shown": shown(page)}
    for _ in range(3):
        assert client.post("/desks/desk-3/next", data=form).status_code == 303
    assert "A\u00a0001" in client.get("/desks/desk-3").text
    assert client.get("/api/v1/desks/desk-3").json()["held"]["number"] == "A001"


@pytest.mark.parametrize(("said", "status"), [("11", 410), ("-1", 303), ("soon", 303), ("9" * 20, 303)])
def test_a_click_that_comes_much_too_late_does_nothing_and_says_so(
    client: httpx.Client, stand: Stand, clock: TurnedClock, said: str, status: int
) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    clicked_at = str(clock.now_ms() - int(said) * 1000) if said == "11" else said
    answer = client.post("/desks/desk-3/next", data={"shown": ""}, headers={"Suivant-Clicked-At": clicked_at})
    assert answer.status_code == status
    assert ("Votre clic est arrivé trop tard" in text_of(answer.text)) == (status == 410)
    assert (client.get("/api/v1/desks/desk-3").json()["held"] is None) == (status == 410)


def test_who_was_slower_reads_who_did_what_to_the_second(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    clock.set("10:42:07")
    stand.press("desk-3")
    answer = client.post("/desks/desk-3/next", data={"shown": ""})
    said = "Déjà fait : le bouton a appelé A 001 à 10:42:07. Cette page est à jour."
    assert answer.status_code == 409
    assert said in text_of(answer.text)
    fragment = client.post("/desks/desk-3/next", data={"shown": ""}, headers=SCRIPT)
    assert text_of(fragment.text) == said
    assert 'id="panel" hx-swap-oob' in fragment.text


@pytest.mark.parametrize(
    ("mode", "did"), [(DeskMode.PAUSED, "mis le guichet en pause"), (DeskMode.CLOSED, "fermé le guichet")]
)
def test_who_calls_when_somebody_has_just_paused_or_closed_the_desk_reads_who_did(
    client: httpx.Client, stand: Stand, clock: TurnedClock, mode: DeskMode, did: str
) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    clock.set("10:42:07")
    button = stand.origin(q.Source.BUTTON)
    stand.do(q.ButtonMode(origin=button, desk="desk-3", at_ms=clock.now_ms(), mode=mode))
    # An agent signed off by a close would be told that instead.
    stand.sign_on("desk-3")
    answer = client.post("/desks/desk-3/next", data={"shown": ""}, headers=SCRIPT)
    said = f"Déjà fait : le bouton a {did} à 10:42:07. Cette page est à jour."
    assert (answer.status_code, text_of(answer.text)) == (409, said)


def test_a_click_on_the_held_ticket_is_not_answered_with_what_was_done_to_another_one(
    client: httpx.Client, stand: Stand
) -> None:
    stand.open("desk-3")
    held, other = stand.issue("civil").ticket, stand.issue("civil").ticket
    stand.next("desk-3")
    stand.do(q.Start(origin=stand.origin(), desk="desk-3", shown=held))

    def absent() -> str:
        return text_of(client.post("/desks/desk-3/absent", data={"shown": str(held)}, headers=SCRIPT).text)

    assert absent().startswith("Déjà fait : une autre page a marqué A 001 présent")
    stand.do(q.Cancel(origin=stand.origin(), desk="desk-3", ticket=other))
    assert absent() == "A 001 est à un guichet à présent. Cette page est à jour."


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/desks/desk-3/next", "Le guichet n’est pas ouvert : ouvrez-le d’abord."),
        ("/desks/desk-3/pause", "Le guichet n’est pas ouvert : ouvrez-le d’abord."),
        ("/desks/desk-3/finish", "Personne n’est au guichet. Cette page est à jour."),
        ("/desks/desk-3/tickets/1/readmit", "A 001 est en attente à présent. Cette page est à jour."),
        ("/desks/desk-3/tickets/99/pick", "Le guichet n’est pas ouvert : ouvrez-le d’abord."),
        ("/desks/desk-3/tickets/99/cancel", "Ce ticket ou ce service n’existe plus."),
        ("/desks/desk-6/tickets/1/cancel", "A 001 n’est pas pour ce guichet."),
    ],
)
def test_each_refusal_is_a_sentence(client: httpx.Client, stand: Stand, path: str, said: str) -> None:
    stand.issue("civil")
    stand.sign_on(path.split("/")[2])
    assert text_of(client.post(path, data={"shown": ""}, headers=SCRIPT).text) == said


@pytest.mark.parametrize("mode", [DeskMode.PAUSED, DeskMode.CLOSED])
def test_the_transfer_panel_counts_no_desk_that_calls_nobody_after_its_visitor(
    client: httpx.Client, stand: Stand, mode: DeskMode
) -> None:
    stand.open("desk-3", "desk-6", "desk-9")
    stand.sign_on("desk-3")
    ticket = stand.issue("civil").ticket
    for desk in ("desk-6", "desk-9"):
        stand.issue("family")
        held = stand.next(desk).ticket
        stand.do(q.SetMode(origin=stand.origin(), desk=desk, shown=held, mode=mode))
    panel = f"/desks/desk-3?panel=transfer&ticket={ticket}"
    assert "Famille 0 en attente, aucun guichet ouvert" in text_of(client.get(panel).text)
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-9", shown=held, mode=DeskMode.OPEN))
    assert "Famille 0 en attente, aucun guichet ouvert" not in text_of(client.get(panel).text)


def test_who_chose_a_desk_that_closed_meanwhile_reads_which_and_chooses_again(
    client: httpx.Client, stand: Stand
) -> None:
    stand.open("desk-3", "desk-4")
    ticket = stand.issue("civil").ticket
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-4", shown=None, mode=DeskMode.CLOSED))
    path = f"/desks/desk-3/tickets/{ticket}/transfer?to_desk=desk-4"
    said = "Le guichet 4 est fermé à présent : choisissez-en un autre, ou un service."
    for headers in (SCRIPT, {}):
        answer = client.post(path, data={}, headers=headers)
        assert answer.status_code == 409
        assert said in text_of(answer.text)
        assert 'data-of="transfer"' in answer.text
        assert "to_desk=desk-4" not in answer.text


def test_the_name_that_a_booking_gave_is_shown_escaped_while_it_is_held(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    stand.check_in(stand.book("civil", stand.now_ms(), name="<b>Jeanne</b> & Exemple"))
    assert "Jeanne" not in client.get("/desks/desk-3").text
    stand.next("desk-3")
    assert "&lt;b&gt;Jeanne&lt;/b&gt; &amp; Exemple" in client.get("/desks/desk-3").text


@pytest.mark.parametrize(("waiting", "rest"), [(51, "et 1 autre"), (53, "et 3 autres")])
def test_lists_show_the_first_fifty_and_a_total(client: httpx.Client, stand: Stand, waiting: int, rest: str) -> None:
    for _ in range(waiting):
        stand.issue("civil")
    page = client.get("/desks/desk-3").text
    assert page.count('<tr class="row" id=') == 50
    assert f"{waiting} en attente" in text_of(page)
    assert re.findall(r"et \d+ autres?", text_of(page)) == [rest]


def test_a_ticket_set_aside_by_a_paused_desk_is_shown_at_the_others_of_its_service(
    client: httpx.Client, stand: Stand
) -> None:
    stand.open("desk-1", "desk-3")
    ticket = stand.issue("civil").ticket
    stand.next("desk-1")
    stand.do(q.Park(origin=stand.origin(), desk="desk-1", shown=ticket))
    assert "guichet 1" not in text_of(client.get("/desks/desk-3").text)
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-1", shown=None, mode=DeskMode.PAUSED))
    assert "A 001 0 min · guichet 1" in text_of(client.get("/desks/desk-3").text)
    answer = client.post(f"/desks/desk-3/tickets/{ticket}/resume", data={"shown": ""})
    assert answer.status_code == 303


def test_the_latest_set_aside_is_taken_up_first_and_this_desks_own_before_another_ones(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    stand.open("desk-1", "desk-3")

    def call_and_park(desk: str, ticket: int) -> None:
        stand.do(q.Pick(origin=stand.origin(), desk=desk, ticket=ticket))
        clock.turn(minutes=1)
        stand.do(q.Park(origin=stand.origin(), desk=desk, shown=ticket))
        clock.turn(minutes=1)

    came_back, own, others = (stand.issue("civil").ticket for _ in range(3))
    stand.do(q.Pick(origin=stand.origin(), desk="desk-3", ticket=came_back))
    stand.do(q.MarkAbsent(origin=stand.origin(), desk="desk-3", shown=came_back))
    clock.turn(minutes=1)
    call_and_park("desk-3", own)
    stand.do(q.StartAbsent(origin=stand.origin(), desk="desk-3", ticket=came_back))
    stand.do(q.Park(origin=stand.origin(), desk="desk-3", shown=came_back))
    clock.turn(minutes=1)
    call_and_park("desk-1", others)
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-1", shown=None, mode=DeskMode.PAUSED))
    parked = client.get("/api/v1/desks/desk-3").json()["parked"]
    assert [each["ticket"] for each in parked] == [came_back, own, others]
    assert f'id="resume" class="small" type="submit" formaction="/desks/desk-3/tickets/{came_back}/resume"' in (
        client.get("/desks/desk-3").text
    )


def test_a_ticket_bound_to_a_paused_desk_may_be_picked_elsewhere(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-1", "desk-3")
    ticket = stand.issue("civil").ticket
    stand.do(q.Transfer(origin=stand.origin(), desk="desk-3", ticket=ticket, to_desk="desk-1"))
    assert 'class="row-link"' not in client.get("/desks/desk-3").text
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-1", shown=None, mode=DeskMode.PAUSED))
    assert "pour le guichet 1" in text_of(client.get("/desks/desk-3").text)
    client.post(f"/desks/desk-3/tickets/{ticket}/pick", data={"shown": ""})
    assert "Appelé au guichet 3" in text_of(client.get("/desks/desk-3").text)


def offered(client: httpx.Client, desk: str, ticket: int) -> set[str]:
    """What a ticket's panel offers to do with it."""
    panel = client.get(f"/desks/{desk}?panel=ticket&ticket={ticket}", headers=SCRIPT).text
    forms = re.findall(r'formaction="[^"]*/([a-z-]+)[?"]', panel)
    links = re.findall(rf'hx-get="[^"]*panel=([a-z]+)&(?:amp;)?ticket={ticket}" hx-target="#panel"', panel)
    return {*forms, *links}


def test_a_ticket_sent_to_a_desk_that_does_not_serve_its_service_is_dealt_with_there_like_any_other(
    client: httpx.Client, stand: Stand
) -> None:
    stand.open("desk-6")
    stand.sign_on("desk-6")
    ticket = stand.issue("civil").ticket
    stand.do(q.Transfer(origin=stand.origin(), desk="desk-3", ticket=ticket, to_desk="desk-6"))
    assert offered(client, "desk-6", ticket) == {"pick", "transfer", "cancel"}
    cancel = client.get(f"/desks/desk-6?panel=cancel&ticket={ticket}", headers=SCRIPT).text
    assert f'formaction="/desks/desk-6/tickets/{ticket}/cancel"' in cancel
    stand.next("desk-6")
    stand.do(q.Park(origin=stand.origin(), desk="desk-6", shown=ticket))
    assert offered(client, "desk-6", ticket) == {"resume", "finish", "transfer"}
    stand.do(q.Resume(origin=stand.origin(), desk="desk-6", ticket=ticket))
    stand.do(q.MarkAbsent(origin=stand.origin(), desk="desk-6", shown=ticket))
    assert offered(client, "desk-6", ticket) == {"start", "readmit"}


def test_what_waits_for_another_desk_at_work_or_was_set_aside_there_is_not_offered_to_be_refused(
    client: httpx.Client, stand: Stand
) -> None:
    stand.open("desk-1", "desk-3")
    ticket = stand.issue("civil").ticket
    stand.do(q.Transfer(origin=stand.origin(), desk="desk-3", ticket=ticket, to_desk="desk-1"))
    assert offered(client, "desk-3", ticket) == {"transfer", "cancel"}
    stand.next("desk-1")
    stand.do(q.Park(origin=stand.origin(), desk="desk-1", shown=ticket))
    assert offered(client, "desk-3", ticket) == set()
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-1", shown=None, mode=DeskMode.PAUSED))
    assert offered(client, "desk-3", ticket) == {"resume", "finish", "transfer"}


def test_where_arrivals_are_not_confirmed_a_call_is_drawn_as_a_visit_after_a_minute(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    stand.open("desk-4")
    stand.issue("civil")
    stand.next("desk-4")
    page = text_of(client.get("/desks/desk-4").text)
    assert "Appelé au guichet 4" in page
    assert "Présent" not in page
    clock.turn(seconds=70)
    page = text_of(client.get("/desks/desk-4").text)
    assert "Au guichet" in page
    assert "Entretien" in page


def test_a_finished_ticket_can_be_reopened_for_ten_minutes(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    stand.open("desk-3")
    ticket = stand.issue("civil").ticket
    stand.next("desk-3")
    stand.do(q.Finish(origin=stand.origin(), desk="desk-3", shown=ticket))
    assert "Rouvrir A 001" in text_of(client.get("/desks/desk-3").text)
    clock.turn(minutes=10)
    assert "Rouvrir" not in text_of(client.get("/desks/desk-3").text)
    clock.turn(seconds=1)
    said = text_of(client.post(f"/desks/desk-3/tickets/{ticket}/reopen", data={"shown": ""}, headers=SCRIPT).text)
    assert said == "Trop tard : un ticket terminé se rouvre pendant dix minutes."


def visit_then_call(stand: Stand) -> tuple[int, int]:
    """Finish a ticket at desk 3 and call the next one there; returns both."""
    stand.open("desk-3")
    first, second = stand.issue("civil").ticket, stand.issue("civil").ticket
    stand.next("desk-3")
    stand.next("desk-3", shown=first)
    return first, second


def undo_of(client: httpx.Client) -> tuple[str, str]:
    """The text of desk 3's undo beside what was done last, and where an answer hides that."""
    button = re.findall(r'<button id="undo".*?</button>', client.get("/desks/desk-3").text, re.DOTALL)[0]
    beside_last = re.sub(r'<span class="beside-answer">.*?</span>', "", button, flags=re.DOTALL)
    beside_answer = re.sub(r'<span class="beside-last">.*?</span>(?=\s*<span)', "", button, flags=re.DOTALL)
    return text_of(beside_last), text_of(beside_answer)


def test_the_undo_is_short_only_beside_the_call_that_it_takes_back(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    _, second = visit_then_call(stand)
    third = stand.issue("civil").ticket
    whole = "Annuler l’appel de A 002, rouvrir la visite d’avant N"
    assert undo_of(client) == ("Annuler N", whole)
    clock.turn(seconds=30)
    stand.do(q.Recall(origin=stand.origin(), desk="desk-3", shown=second))
    assert undo_of(client) == (whole, whole)
    stand.next("desk-3", shown=second)
    assert undo_of(client)[0] == "Annuler N"
    stand.do(q.Undo(origin=stand.origin(), desk="desk-3", shown=third))
    assert undo_of(client) == (whole, whole)


def test_a_call_whose_visit_before_is_too_old_to_reopen_is_not_undone_by_a_word_for_both(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    visit_then_call(stand)
    clock.turn(minutes=11)
    assert undo_of(client) == ("Annuler l’appel de A 002 N",) * 2


def test_what_reception_does_on_the_page_of_a_desk_takes_no_way_back_from_its_agent(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    _, second = visit_then_call(stand)
    assert undo_of(client)[0] == "Annuler N"
    stand.check_in(stand.book("civil", clock.now_ms()), "desk-3")
    assert undo_of(client)[0] == "Annuler l’appel de A 002, rouvrir la visite d’avant N"
    stand.do(q.Finish(origin=stand.origin(), desk="desk-3", shown=second))
    stand.check_in(stand.book("civil", clock.now_ms()), "desk-3")
    assert "Rouvrir A 002" in text_of(client.get("/desks/desk-3").text)


def test_a_call_that_is_not_the_first_of_its_ticket_offers_no_way_back_to_the_visit_before_that(
    client: httpx.Client, stand: Stand
) -> None:
    _, second = visit_then_call(stand)
    stand.do(q.Park(origin=stand.origin(), desk="desk-3", shown=second))
    stand.do(q.Resume(origin=stand.origin(), desk="desk-3", ticket=second))
    page = text_of(client.get("/desks/desk-3").text)
    assert "Annuler l’appel" in page
    assert "rouvrir la visite" not in page


def test_a_visit_that_went_on_since_is_not_offered_to_be_reopened_with_the_call_after_it(
    client: httpx.Client, stand: Stand
) -> None:
    first, second = visit_then_call(stand)
    assert 'formaction="/desks/desk-3/undo' in client.get("/desks/desk-3").text
    stand.do(q.Finish(origin=stand.origin(), desk="desk-3", shown=second))
    stand.do(q.Reopen(origin=stand.origin(), desk="desk-3", ticket=first))
    stand.do(q.Finish(origin=stand.origin(), desk="desk-3", shown=first))
    stand.do(q.Reopen(origin=stand.origin(), desk="desk-3", ticket=second))
    page = client.get("/desks/desk-3").text
    assert 'formaction="/desks/desk-3/withdraw' in page
    assert 'formaction="/desks/desk-3/undo' not in page


def test_staff_are_told_of_who_waits_where_no_desk_is_open(client: httpx.Client, stand: Stand) -> None:
    left = "F Famille 2, aucun guichet ouvert"
    stand.open("desk-6")
    for _ in range(2):
        stand.issue("family")
    stand.issue("welcome")
    assert "F Famille 2 · M Accueil 1, aucun guichet ouvert" in text_of(client.get("/desks/desk-3").text)
    assert "En attente sans guichet ouvert : M Accueil 1" in text_of(client.get("/").text)
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-6", shown=None, mode=DeskMode.PAUSED))
    stand.open("desk-1")
    page = client.get("/desks/desk-3").text
    assert f"Autres services : {left} · M Accueil 1" in text_of(page)
    assert "M Accueil 1, aucun" not in text_of(page)
    assert "En attente sans guichet ouvert : F Famille 2 " in text_of(client.get("/").text)


@pytest.mark.parametrize("mode", [DeskMode.PAUSED, DeskMode.CLOSED])
def test_staff_are_told_of_who_waits_where_the_last_open_desk_calls_nobody_after_its_visitor(
    client: httpx.Client, stand: Stand, mode: DeskMode
) -> None:
    stand.open("desk-6")
    for _ in range(2):
        stand.issue("family")
    shown = stand.next("desk-6").ticket
    assert "guichet ouvert" not in text_of(client.get("/").text)
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-6", shown=shown, mode=mode))
    assert "En attente sans guichet ouvert : F Famille 1" in text_of(client.get("/").text)
    assert "F Famille 1, aucun guichet ouvert" in text_of(client.get("/desks/desk-3").text)


def test_of_a_service_that_nobody_waits_for_it_is_not_said_that_no_desk_is_open(client: httpx.Client) -> None:
    for address in ("/", "/desks/desk-3"):
        assert "guichet ouvert" not in text_of(client.get(address).text)


def test_where_all_who_wait_are_for_a_desk_that_is_away_nobody_is_told_to_press_next(
    client: httpx.Client, stand: Stand
) -> None:
    stand.open("desk-1", "desk-3")
    ticket = stand.issue("civil").ticket
    stand.do(q.Transfer(origin=stand.origin(), desk="desk-3", ticket=ticket, to_desk="desk-1"))
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-1", shown=None, mode=DeskMode.PAUSED))
    page = text_of(client.get("/desks/desk-3").text)
    assert "Personne ne peut être appelé pour l’instant." in page
    assert "Les personnes en attente sont pour un autre guichet" in page
    assert "Personne n’attend" not in page
    assert "Appelez le prochain visiteur" not in page


def test_without_script_a_page_that_answers_a_form_comes_back_as_the_desk_itself(
    client: httpx.Client, stand: Stand
) -> None:
    answer = client.post("/desks/desk-3/finish", data={"shown": "7"})
    assert answer.status_code == 409
    assert 'content="10; url=/desks/desk-3?by=itself"' in answer.text
    shown = client.get("/desks/desk-3?panel=keys").text
    assert 'content="10; url=/desks/desk-3?by=itself&panel=keys"' in shown


@pytest.mark.parametrize("path", ["/desks/desk-99", "/desks/desk-3?panel=ticket&ticket=4711", "/desks/desk-3?panel=x"])
def test_what_is_not_there_is_a_problem(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code in {404, 422}


@pytest.mark.parametrize("panel", ["keys", "close", "queue", "parked", "absent"])
def test_every_panel_stands_alone_and_in_its_page(client: httpx.Client, stand: Stand, panel: str) -> None:
    path = f"/desks/desk-3?panel={panel}"
    alone, whole = client.get(path, headers=SCRIPT).text, client.get(path).text
    assert alone.lstrip().startswith('<div class="panel"')
    assert whole.count('class="panel"') == 1
    assert "<!doctype html>" in whole
