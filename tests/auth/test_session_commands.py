"""`suivant session`: who is logged in, and how an administrator ends it at once."""

import pytest
from sqlalchemy import Engine

from hub.__main__ import main
from hub.auth.session_store import open_sessions
from tests.auth.commands import SITE, said
from tests.auth.test_accounts import log_in


def test_who_is_logged_in_is_listed_with_what_they_came_in_by(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    log_in(hub_engine, "anna.exemple", local=False)
    log_in(hub_engine, "secours")
    assert main(["session", "list"]) == 0
    head, *lines = said(capsys).out.splitlines()
    assert head.split() == ["account", "name", "by", "since", "last", "seen"]
    assert [line.split()[0] for line in lines] == ["anna.exemple", "secours"]
    assert ["directory" in line for line in lines] == [True, False]


def test_all_sessions_of_an_account_end_at_once_and_no_others(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    log_in(hub_engine, "anna.exemple", local=False)
    log_in(hub_engine, "anna.exemple")
    other = log_in(hub_engine, "boris.exemple", local=False)
    assert main(["session", "end", " Anna.Exemple "]) == 0
    told = "2 open sessions of anna.exemple ended. Who still has a role may log in again.\n"
    assert said(capsys).out == told
    with hub_engine.connect() as connection:
        assert [each.id for each in open_sessions(connection, SITE)] == [other]
    assert main(["session", "end", "anna.exemple"]) == 1
    assert "has no open session" in said(capsys).err
