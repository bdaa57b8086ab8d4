"""Login in a whole hub: sessions survive a restart, and programs are known by their tokens."""

import pytest

from hub.auth.account_store import LocalAccount, create_account, end_account
from hub.auth.passwords import hash_password
from hub.auth.people import LoginRefused, MachineToken, Person, Reason
from hub.auth.roles import Role
from hub.auth.sessions import hash_token
from hub.auth.token_store import create_token, end_token
from hub.database.engine import open_engine
from hub.database.faults import DatabaseFault
from hub.queue.people_requests import OpenSession
from hub.queue.requests import Origin, Source
from tests.databases import sqlite_url
from tests.hub.standing import eventually, standing

DESK_PC = "192.0.2.10"
PASSWORD = "trois tilleuls et un banc"


@pytest.fixture
def hub(tmp_path):
    with standing(sqlite_url(tmp_path), tmp_path) as made:
        yield made


def write(hub):
    return hub.hub.engine.execution_options(write=True).begin()


def add_local(hub):
    roles = frozenset({Role.ADMINISTRATOR})
    new = LocalAccount(
        account="secours", name="Compte de secours", password=hash_password(PASSWORD), roles=roles, created_ms=1
    )
    with write(hub) as connection:
        create_account(connection, hub.site.name, new)


def opened(hub, person: Person) -> str:
    """Open a session as the pages do, but without adding it to the book; return its token."""
    token = hub.hub.gate.new_token()
    hub.do(
        OpenSession(
            origin=Origin(Source.PAGE, person.account),
            token_hash=hash_token(token),
            account=person.account,
            name=person.name,
            roles=tuple(sorted(person.roles)),
            local=person.local,
        )
    )
    return token


def test_who_came_in_stays_in_over_a_restart_until_the_account_is_ended(hub):
    add_local(hub)
    person = hub.hub.gate.log_in("secours", PASSWORD, DESK_PC)
    token = opened(hub, person)
    hub.restart()
    found = hub.hub.gate.book.find(token, hub.hub.clock.now_ms())
    assert found is not None
    assert found.person == person
    assert hub.metric("suivant_open_sessions") == 1
    with write(hub) as connection:
        end_account(connection, hub.site.name, "secours", hub.hub.clock.now_ms())
    eventually(lambda: hub.hub.gate.book.find(token, hub.hub.clock.now_ms()) is None)
    with pytest.raises(LoginRefused) as refused:
        hub.hub.gate.log_in("secours", PASSWORD, DESK_PC)
    assert refused.value.reason is Reason.WRONG


def test_a_database_that_is_away_is_told_as_such_whoever_comes(hub):
    hub.hub.entrance._engine = open_engine("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseFault, match="nothing"):
        hub.hub.gate.log_in("secours", PASSWORD, DESK_PC)
    with pytest.raises(DatabaseFault, match="nothing"):
        hub.hub.gate.token("made-up")


def test_a_program_is_known_by_its_token_until_that_is_ended(hub):
    machine = MachineToken(name="prometheus", role=Role.METRICS)
    with write(hub) as connection:
        create_token(connection, hub.site.name, machine, hash_token("made-up"), 1)
    assert hub.hub.gate.token("made-up") == machine
    assert hub.hub.gate.token("another") is None
    with write(hub) as connection:
        end_token(connection, hub.site.name, "prometheus", 2)
    assert hub.hub.gate.token("made-up") is None


def test_while_the_database_is_away_a_program_is_known_as_it_was_last(hub):
    """The scrape that would report the outage must not fail because of it."""
    machine = MachineToken(name="prometheus", role=Role.METRICS)
    with write(hub) as connection:
        for name in ("prometheus", "never-used", "ended"):
            new = MachineToken(name=name, role=Role.METRICS)
            create_token(connection, hub.site.name, new, hash_token(name), 1)
    assert hub.hub.gate.token("prometheus") == machine
    assert hub.hub.gate.token("ended") is not None
    with write(hub) as connection:
        end_token(connection, hub.site.name, "ended", 2)
    assert hub.hub.gate.token("ended") is None
    there, away = hub.hub.engine, open_engine("postgresql://nobody@127.0.0.1:1/nothing")
    hub.hub.entrance._engine = away
    assert hub.hub.gate.token("prometheus") == machine
    for token in ("never-used", "ended", "made-up"):
        with pytest.raises(DatabaseFault):
            hub.hub.gate.token(token)
    hub.hub.entrance._engine = there
    with write(hub) as connection:
        end_token(connection, hub.site.name, "prometheus", 3)
    assert hub.hub.gate.token("prometheus") is None
