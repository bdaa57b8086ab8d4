"""`suivant session`: who is logged in, and how an administrator ends a session at once."""

import pytest
from sqlalchemy import Engine, text

from hub import people_commands
from hub.__main__ import main
from hub.auth.session_store import open_sessions
from hub.queue.people_requests import EndReason
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
    told = "ended 2 open sessions of anna.exemple, who can log in again as long as they have a role.\n"
    assert said(capsys).out == told
    with hub_engine.connect() as connection:
        assert [each.id for each in open_sessions(connection, SITE)] == [other]
    assert main(["session", "end", "anna.exemple"]) == 1
    assert "has no open session" in said(capsys).err


def test_who_had_only_been_idle_is_said_to_be_signed_off(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    log_in(hub_engine, "anna.exemple", local=False)
    with hub_engine.execution_options(write=True).begin() as connection:
        connection.execute(text("update login_session set ended_ms = 5, end_reason = 'idle'"))
    told = "anna.exemple had no open session, only one that had ended for being idle; they are signed off their desk."
    assert main(["session", "end", "anna.exemple"]) == 0
    assert said(capsys).out == f"{told}\n"
    assert main(["session", "end", "anna.exemple"]) == 1
    assert "has no open session" in said(capsys).err


def test_each_reason_of_an_end_has_its_words() -> None:
    assert set(people_commands.WHY_ENDED) == set(EndReason)


def test_those_that_ended_are_listed_too_with_when_and_why(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(hub_engine, "anna.exemple", local=False)
    main(["session", "end", "anna.exemple"])
    log_in(hub_engine, "boris.exemple", local=False)
    main(["session", "end", "boris.exemple"])
    log_in(hub_engine, "secours")
    said(capsys)
    assert main(["session", "list", "--all"]) == 0
    head, first, second, third = said(capsys).out.splitlines()
    assert head.split()[-2:] == ["ended", "why"]
    assert [line.split()[0] for line in (first, second, third)] == ["anna.exemple", "boris.exemple", "secours"]
    why = "ended by suivant session or admin, or replaced by a newer one"
    assert [line.endswith(why) for line in (first, second, third)] == [True, True, False]
    monkeypatch.setattr(people_commands, "ENDED_SHOWN_MOST", 1)
    assert main(["session", "list", "--all"]) == 0
    _, first, second, more = said(capsys).out.splitlines()
    assert [line.split()[0] for line in (first, second)] == ["boris.exemple", "secours"]
    assert more == "Only the last 1 ended sessions are shown."
