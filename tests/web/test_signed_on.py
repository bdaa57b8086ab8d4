"""What is shown if somebody else is at the desk: their name on the page, their account in the API."""

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import Engine, select

from hub.auth.roles import Role
from hub.database.tables import RequestRow
from tests.web.stand import Served, Stand, TurnedClock, client_of, new_id
from tests.web.texts import text_of

NEXT = "/desks/desk-3/next"


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    """SQLite alone: the commands' own tests run on both databases."""
    return sqlite_engine


@pytest.fixture
def other(server: Served) -> Iterator[httpx.Client]:
    """A colleague's browser."""
    with client_of(server, Role.AGENT, account="p.exemple") as client:
        yield client


def come_in(stand: Stand, account: str, name: str) -> None:
    stand.log_in(Role.AGENT, account=account, name=name)


def test_who_is_signed_on_nowhere_reads_so(other: httpx.Client, stand: Stand) -> None:
    answer = other.post(NEXT, data={"shown": ""})
    assert answer.status_code == 409
    assert "Vous n’êtes pas au guichet 3." in text_of(answer.text)


def test_who_was_taken_over_reads_by_whom_and_when_to_the_second(
    client: httpx.Client, other: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    come_in(stand, "p.exemple", "Paul <b>Exemple</b>")
    clock.set("10:42:07")
    assert other.post("/desks/desk-3/sign-on", data={}).status_code == 303
    clock.set("10:43:00")
    answer = client.post(NEXT, data={"shown": ""})
    assert answer.status_code == 409
    assert "Guichet 3 repris par Paul &lt;b&gt;Exemple&lt;/b&gt; à 10:42:07." in answer.text
    problem = client.post(f"/api/v1{NEXT}", json={"shown": None}).json()
    assert (problem["code"], problem["agent"]) == ("not_signed_on", "p.exemple")
    assert problem["at"] == "2026-11-24T09:42:07.000Z"


def test_who_was_slower_than_a_colleague_reads_their_name_and_no_answer_keeps_it(
    client: httpx.Client, other: httpx.Client, stand: Stand, engine: Engine, clock: TurnedClock
) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    clock.set("10:42:07")
    assert client.post(NEXT, data={"id": new_id(), "shown": ""}).status_code == 303
    stand.sign_on("desk-3", account="p.exemple")
    late = other.post(NEXT, data={"id": new_id(), "shown": ""})
    said = "Déjà fait : Maude Exemple a appelé A 001 à 10:42:07. Cette page est à jour."
    assert said in text_of(late.text)
    with engine.connect() as connection:
        kept = "".join(connection.scalars(select(RequestRow.answer)))
    assert "m.exemple" in kept
    assert "Maude" not in kept


def test_who_was_slower_with_the_same_visitor_reads_who_did_what(
    client: httpx.Client, stand: Stand, clock: TurnedClock
) -> None:
    stand.open("desk-3")
    ticket = stand.issue("civil").ticket
    stand.next("desk-3")
    clock.set("10:42:07")
    shown = {"shown": str(ticket)}
    assert client.post("/desks/desk-3/start", data={"id": new_id(), **shown}).status_code == 303
    late = client.post("/desks/desk-3/absent", data={"id": new_id(), **shown})
    assert late.status_code == 409
    assert "Déjà fait : Maude Exemple a marqué A 001 présent à 10:42:07." in text_of(late.text)
