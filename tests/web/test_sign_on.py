"""Who is signed on where, on the start page and on a desk's, and what is off for whom; browser tests cover it too."""

import re
from collections.abc import Callable

import httpx
import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from hub.auth.people import Person
from hub.auth.roles import STAFF, Role
from hub.queue import requests as q
from hub.queue.people_requests import OpenSession
from hub.queue.requests import Origin, Source
from hub.queue.states import State
from hub.site import Login
from hub.web.actions import DESK_ACTIONS, TICKET_ACTIONS
from hub.web.desk.picture import SignedOn
from hub.web.desk.reading import LAST_EVENTS, read_ticket
from hub.web.desk.rights import At, Looker
from tests.web.stand import Served, Stand, TurnedClock, a_site, client_of, new_id, served
from tests.web.texts import SCRIPT, text_of

MARKUP, ESCAPED = "Paul <b>Exemple</b>", "Paul &lt;b&gt;Exemple&lt;/b&gt;"
# The sentences for somebody who is not signed on at desk 3 while somebody else is.
NOT_HERE = re.compile(r"est au guichet 3 depuis|Guichet 3 repris par")
ClientAs = Callable[..., httpx.Client]


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    """SQLite alone: the commands' own tests run on both databases."""
    return sqlite_engine


def looker(*roles: Role, agent: SignedOn | None = None) -> Looker:
    return Looker(Person(account="c.exemple", name="Camille Exemple", roles=frozenset(roles)), agent)


def signed_on(account: str, before: str | None = None) -> SignedOn:
    return SignedOn(account, "Somebody Exemple", 0, before)


def come_in_locally(stand: Stand, account: str, name: str) -> None:
    opened = OpenSession(
        origin=Origin(Source.PAGE, account, new_id()),
        token_hash=new_id(),
        account=account,
        name=name,
        roles=("administrator",),
        local=True,
    )
    stand.do(opened)


def place_of(page: str, desk: str) -> str:
    found = re.search(rf'<li class="place[^>]*id="{desk}">.*?</li>', page, re.DOTALL)
    assert found
    return found[0]


# --- what is off for whom -------------------------------------------------------------------------------------------


def test_how_somebody_stands_to_a_desk() -> None:
    assert looker(Role.AGENT).at is At.FREE
    assert looker(Role.AGENT, agent=signed_on("c.exemple")).at is At.HERE
    other = looker(Role.AGENT, agent=signed_on("p.exemple", before="z.exemple"))
    assert (other.at, other.is_displaced) == (At.TAKEN, False)
    assert looker(Role.AGENT, agent=signed_on("p.exemple", before="c.exemple")).is_displaced


@pytest.mark.parametrize(
    ("roles", "free", "stance"),
    [
        ({Role.AGENT}, {"sign-on", "search", "retry"}, "calls"),
        ({Role.SUPERVISOR}, {"sign-on", "sign-off", "search", "retry"}, "calls"),
        ({Role.RECEPTION}, {"readmit", "check-in", "cancel", "transfer", "search"}, "welcomes"),
        ({Role.ADMINISTRATOR}, set(), "looks"),
    ],
)
def test_what_each_role_may_do_without_being_signed_on(roles: set[Role], free: set[str], stance: str) -> None:
    assert looker(*roles).free == free
    assert looker(*roles).stance == stance


@pytest.mark.parametrize("role", sorted(STAFF))
def test_what_a_page_offers_is_what_the_hub_lets(server: Served, stand: Stand, role: Role) -> None:
    """With somebody else signed on: what is offered is not refused for a missing role or sign-on."""
    stand.log_in(Role.AGENT, account="p.exemple", name="Paul Exemple")
    me = looker(role, agent=signed_on("p.exemple"))
    with client_of(server, role, account="c.exemple") as client:
        for path, word in [
            *((f"/desks/desk-3/{word}", word) for word in DESK_ACTIONS),
            *((f"/desks/desk-3/tickets/99/{word}", word) for word in TICKET_ACTIONS),
        ]:
            stand.sign_on("desk-3", account="p.exemple")
            answer = client.post(path, data={"id": new_id(), "shown": ""}, headers=SCRIPT)
            is_let = answer.status_code != 403 and not NOT_HERE.search(text_of(answer.text))
            assert me.may(word) == is_let, (role, word, answer.text)


@pytest.mark.parametrize("role", sorted(STAFF))
def test_without_script_the_page_itself_draws_off_what_is_off(client_as: ClientAs, stand: Stand, role: Role) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    stand.next("desk-3")
    page = client_as(role).get("/desks/desk-3").text
    offered = {path.rsplit("/", 1)[-1] for path in re.findall(r'formaction="([^"?]*)', page)} - {"logout"}
    assert offered == ({"sign-on"} if role in {Role.AGENT, Role.SUPERVISOR} else set())
    assert re.search(r'id="transfer"[^>]*href', page) is None


@pytest.mark.parametrize("state", ["called", "parked"])
def test_reception_moves_on_who_waits_and_no_visit_of_a_desk_where_it_is_not_signed_on(
    stand: Stand, client_as: ClientAs, state: str
) -> None:
    stand.open("desk-1", "desk-3")
    stand.log_in(Role.AGENT, account="p.exemple", name="Paul Exemple")
    stand.sign_on("desk-3", account="p.exemple")
    visitor, waits = stand.issue("civil").ticket, stand.issue("civil").ticket
    stand.next("desk-3")
    if state == "parked":
        stand.do(q.Park(origin=stand.origin(), desk="desk-3", shown=visitor))
    reception = client_as(Role.RECEPTION)

    def transfer(ticket: int) -> httpx.Response:
        path = f"/desks/desk-3/tickets/{ticket}/transfer?to_desk=desk-1"
        return reception.post(path, data={"id": new_id(), "shown": ""}, headers=SCRIPT)

    def place(ticket: int) -> tuple[State, str | None]:
        with stand.engine.connect() as connection:
            found = read_ticket(connection, stand.site.name, ticket)
        assert found is not None
        return found.state, found.bound_desk

    assert NOT_HERE.search(text_of(transfer(visitor).text))
    assert place(visitor) == (state, None)
    transfer(waits)
    assert place(waits) == ("waiting", "desk-1")


def test_a_supervisor_whose_page_is_old_signs_nobody_off_but_themself(client_as: ClientAs, stand: Stand) -> None:
    supervisor = client_as(Role.SUPERVISOR)
    stand.log_in(Role.AGENT, account="p.exemple", name="Paul Exemple")
    stand.sign_on("desk-3", account="p.exemple")
    old = supervisor.post("/desks/desk-3/sign-off?own=1", data={"id": new_id(), "shown": ""}, headers=SCRIPT)
    assert NOT_HERE.search(text_of(old.text))
    assert supervisor.post("/api/v1/desks/desk-3/sign-off", json={}).status_code == 200


def test_a_desk_that_the_panel_showed_as_free_is_not_taken_from_who_came_since(
    client_as: ClientAs, stand: Stand
) -> None:
    agent = client_as(Role.AGENT)
    path = re.search(r'formaction="([^"]*sign-on[^"]*)"', agent.get("/desks/desk-3?panel=take", headers=SCRIPT).text)
    assert path
    stand.log_in(Role.AGENT, account="p.exemple", name="Paul Exemple")
    stand.sign_on("desk-3", account="p.exemple")
    late = agent.post(path[1], data={"id": new_id(), "shown": ""}, headers=SCRIPT)
    assert late.status_code == 409


def test_who_was_never_there_reads_who_is_and_not_that_the_desk_was_taken_over(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    clock.set("10:42:07")
    stand.log_in(Role.AGENT, account="p.exemple", name=MARKUP)
    stand.sign_on("desk-3", account="p.exemple")
    stand.log_in(Role.AGENT, account="z.exemple", name="Zoé Exemple")
    stand.sign_on("desk-3", account="z.exemple")
    answer = client.post("/desks/desk-3/next", data={"shown": ""}, headers=SCRIPT)
    assert text_of(answer.text) == "Zoé Exemple est au guichet 3 depuis 10:42."


def test_a_name_with_markup_is_text_wherever_it_stands(client: httpx.Client, stand: Stand, clock: TurnedClock) -> None:
    stand.log_in(Role.AGENT, account="p.exemple", name=MARKUP)
    stand.open("desk-3")
    stand.issue("civil")
    stand.do(q.SignOn(origin=Origin(Source.PAGE, "p.exemple", new_id()), desk="desk-3"))
    stand.do(q.Next(origin=Origin(Source.PAGE, "p.exemple", new_id()), desk="desk-3", shown=None))
    for path in ("/", "/desks/desk-3", "/desks/desk-3?panel=take"):
        page = client.get(path).text
        assert ESCAPED in page
        assert MARKUP not in page
    assert f"appelé · {MARKUP}, page" in text_of(client.get("/desks/desk-3").text)


# --- the start page -------------------------------------------------------------------------------------------------


def test_the_start_page_says_who_is_where_and_offers_the_free_desks(client: httpx.Client, stand: Stand) -> None:
    stand.log_in(Role.AGENT, account="p.exemple", name=MARKUP)
    stand.sign_on("desk-2", account="p.exemple")
    page = client.get("/").text
    assert "Votre guichet" in place_of(page, "desk-3")
    assert "is-mine" in place_of(page, "desk-3")
    assert ESCAPED in place_of(page, "desk-2")
    assert "<form" not in place_of(page, "desk-2")
    assert 'action="/desks/desk-1/sign-on?free=1&amp;idle=1"' in place_of(page, "desk-1")
    answer = client.post("/desks/desk-1/sign-on?free=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desks/desk-1")
    assert "Votre guichet" in place_of(client.get("/").text, "desk-1")


@pytest.mark.parametrize("role", [Role.RECEPTION, Role.ADMINISTRATOR])
def test_who_does_not_call_is_offered_no_desk(client_as: ClientAs, role: Role) -> None:
    page = client_as(role).get("/").text
    assert "sign-on" not in page
    assert "Les agents et les responsables prennent un guichet." in text_of(page)


@pytest.mark.parametrize(
    ("role", "is_told"),
    [(Role.SUPERVISOR, True), (Role.ADMINISTRATOR, True), (Role.AGENT, False), (Role.RECEPTION, False)],
)
def test_each_use_of_a_local_account_is_shown_for_a_week_to_who_watches(
    client_as: ClientAs, stand: Stand, clock: TurnedClock, role: Role, is_told: bool
) -> None:
    come_in_locally(stand, "secours", MARKUP)
    clock.turn(minutes=42)
    come_in_locally(stand, "secours", MARKUP)
    come_in_locally(stand, "veille", "Veille Exemple")
    clock.turn(minutes=1)
    client = client_as(role)
    page = client.get("/").text
    said = (
        "Comptes locaux utilisés : Paul <b>Exemple</b> , aujourd’hui à 9:12 (2 fois en 7 jours) "
        "· Veille Exemple , aujourd’hui à 9:12"
    )
    assert (said in text_of(page)) == is_told
    assert (ESCAPED in page) == is_told


def test_where_local_accounts_are_how_everybody_comes_in_their_use_is_no_news(
    engine: Engine, clock: TurnedClock
) -> None:
    stand = Stand(engine, replace(a_site(), login=Login()), clock.now_ms)
    come_in_locally(stand, "secours", "Secours Exemple")
    with served(stand) as server, client_of(server, Role.SUPERVISOR) as client:
        page = client.get("/")
    stand.stop()
    assert page.status_code == 200
    assert "Comptes locaux" not in page.text


def test_a_use_of_a_local_account_is_dated_and_forgotten_after_a_week(
    stand: Stand, server: Served, clock: TurnedClock
) -> None:
    come_in_locally(stand, "secours", "Secours Exemple")
    clock.turn(minutes=6 * 24 * 60)
    with client_of(server, Role.SUPERVISOR) as client:
        assert "Secours Exemple , le 24/11 à 8:30" in text_of(client.get("/").text)
    clock.turn(minutes=24 * 60)
    with client_of(server, Role.SUPERVISOR) as client:
        assert "Comptes locaux" not in text_of(client.get("/").text)


# --- what comes too late --------------------------------------------------------------------------------------------


def test_a_page_that_was_old_displaces_nobody(client: httpx.Client, stand: Stand, clock: TurnedClock) -> None:
    stand.log_in(Role.AGENT, account="p.exemple", name=MARKUP)
    clock.set("10:42:07")
    stand.sign_on("desk-2", account="p.exemple")
    answer = client.post("/desks/desk-2/sign-on?free=1")
    assert answer.status_code == 409
    assert f"{MARKUP} est au guichet 2 depuis 10:42." in text_of(answer.text)
    assert ESCAPED in answer.text
    assert client.post("/desks/desk-2/sign-on").status_code == 303


def test_coming_and_going_during_a_call_leaves_what_was_done_in_sight(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    called = client.post("/desks/desk-3/next", data={"shown": ""}, headers=SCRIPT)
    assert called.status_code == 200
    for _ in range(LAST_EVENTS):
        client.post("/desks/desk-3/sign-off", headers=SCRIPT)
        client.post("/desks/desk-3/sign-on", headers=SCRIPT)
    page = client.get("/desks/desk-3")
    assert page.status_code == 200
    assert "A 001 appelé" in text_of(page.text)


def test_the_panel_that_asks_says_who_is_there(client: httpx.Client, stand: Stand, clock: TurnedClock) -> None:
    stand.log_in(Role.AGENT, account="p.exemple", name=MARKUP)
    clock.set("10:42:07")
    stand.open("desk-2")
    stand.issue("identity")
    stand.next("desk-2")
    stand.sign_on("desk-2", account="p.exemple")
    panel = client.get("/desks/desk-2?panel=take", headers=SCRIPT).text
    assert f"{MARKUP} est au guichet 2 depuis 10:42. Le ticket C 001 reste au guichet." in text_of(panel)
    assert 'formaction="/desks/desk-2/sign-on?idle=1"' in panel


def test_who_would_leave_a_visitor_reads_whom_and_where_before_they_take_another_desk(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    stand.open("desk-3")
    ticket = stand.issue("civil").ticket
    free = re.findall(r'action="([^"]*/desks/desk-1/sign-on[^"]*)"', client.get("/").text)[0].replace("&amp;", "&")
    stand.next("desk-3")
    for headers, status in (({}, 409), (SCRIPT, 200)):
        asked = client.post(free, data={"id": new_id(), "shown": ""}, headers=headers)
        assert asked.status_code == status
        assert "Vous quittez le guichet 3 : A 001 y est appelé." in text_of(asked.text)
        assert 'formaction="/desks/desk-1/sign-on?free=1"' in asked.text
        assert "is-mine" in place_of(client.get("/").text, "desk-3")
    stand.do(q.Start(origin=stand.origin(), desk="desk-3", shown=ticket))
    assert "Vous quittez le guichet 3 : A 001 y est encore." in text_of(client.get("/desks/desk-2?panel=take").text)
    said = client.post("/desks/desk-1/sign-on?free=1", data={"id": new_id(), "shown": ""}, headers=SCRIPT)
    assert said.status_code == 200
    assert "is-mine" in place_of(client.get("/").text, "desk-1")


def test_who_leaves_nobody_takes_another_desk_by_one_click(client: httpx.Client, stand: Stand) -> None:
    stand.open("desk-2", "desk-3")
    stand.issue("identity")
    stand.next("desk-2")
    assert "Vous quittez" not in text_of(client.get("/desks/desk-1?panel=take").text)
    said = client.post("/desks/desk-1/sign-on?free=1&idle=1", data={"id": new_id(), "shown": ""}, headers=SCRIPT)
    assert said.status_code == 200
    assert "is-mine" in place_of(client.get("/").text, "desk-1")


def test_a_desk_is_mine_only_to_who_is_signed_on_there(client_as: ClientAs, stand: Stand) -> None:
    stand.open("desk-1", "desk-3")
    panel = f"/desks/desk-3?panel=transfer&ticket={stand.issue('civil').ticket}"
    agent = client_as(Role.AGENT)
    stand.sign_on("desk-3")
    assert "Votre guichet" in agent.get(panel).text
    stand.log_in(Role.AGENT, account="p.exemple", name="Paul Exemple")
    stand.sign_on("desk-3", account="p.exemple")
    assert "Votre guichet" not in agent.get(panel).text
    page = client_as(Role.RECEPTION).get(panel).text
    assert re.search(r'formaction="[^"]*transfer\?to_desk=desk-3"', page)
