"""Sessions in the database and in memory agree, whoever ends them: on both databases, with the real writer."""

import threading
from concurrent.futures import Future

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from hub.auth.account_store import LocalAccount, create_account, end_account
from hub.auth.keeper import Keeper
from hub.auth.people import Person
from hub.auth.roles import Role
from hub.auth.sessions import Limits, SessionBook
from hub.queue.people_requests import SESSIONS_AT_ONCE, EndReason, EndSession, NoteSessions
from hub.queue.requests import Origin, Source
from hub.site import Login
from hub.tasks import Busy
from tests.auth.at_work import LIMIT_S

MINUTE, HOUR = 60_000, 3_600_000
AGENT = Person(account="b.exemple", name="Basile Exemple", roles=frozenset({Role.AGENT}))
LOCAL = Person(account="secours", name="Compte de secours", roles=frozenset({Role.AGENT}), local=True)


def keeper_of(work, book=None):
    return Keeper(work.engine, work.site.name, book or work.book, work.put, lambda: work.now_ms)


@pytest.fixture
def keeper(work):
    return keeper_of(work)


def test_a_session_that_was_idle_for_too_long_is_ended_and_its_person_stays_at_the_desk(work, keeper):
    session = work.log_in(AGENT)
    work.sign_on(AGENT, "desk-1")
    work.now_ms += HOUR
    keeper.look()
    assert work.why_ended(session) == "idle"
    assert work.told == [{session}]
    keeper.look()
    assert work.signed_on("desk-1") == AGENT.account
    assert work.told == [{session}]
    assert [type(each) for each in work.asked] == [EndSession]


def test_a_session_ends_with_its_longest_time_and_its_person_leaves_the_desk(work, keeper):
    session = work.log_in(AGENT)
    work.sign_on(AGENT, "desk-1")
    for _ in range(19):
        work.now_ms += 30 * MINUTE
        assert work.book.find("token", work.now_ms)
        keeper.look()
    work.now_ms += 30 * MINUTE
    keeper.look()
    assert work.why_ended(session) == "absolute"
    assert work.signed_on("desk-1") is None


def end_by_the_command_line(work):
    new = LocalAccount(
        account=LOCAL.account, name=LOCAL.name, password="unused", roles=LOCAL.roles, created_ms=work.now_ms
    )
    with work.engine.execution_options(write=True).begin() as connection:
        create_account(connection, work.site.name, new)
        end_account(connection, work.site.name, LOCAL.account, work.now_ms)
    assert work.signed_on("desk-1") == LOCAL.account


def test_a_session_that_a_command_line_ended_is_dropped_and_its_person_leaves_the_desk(work, keeper):
    keeper.look()
    session = work.log_in(LOCAL)
    work.sign_on(LOCAL, "desk-1")
    end_by_the_command_line(work)
    keeper.look()
    assert work.told == [{session}]
    assert work.book.find("token", work.now_ms) is None
    assert work.signed_on("desk-1") is None
    assert work.why_ended(session) == "ended"


def test_who_was_ended_while_the_hub_was_off_leaves_the_desk_when_it_is_on_again(work):
    work.log_in(LOCAL)
    work.sign_on(LOCAL, "desk-1")
    end_by_the_command_line(work)
    keeper_of(work, SessionBook(Limits.of(Login()))).look()
    assert work.signed_on("desk-1") is None


def test_who_was_only_idle_stays_at_the_desk_though_the_writer_could_not_take_every_end(work, keeper):
    idle = [work.log_in(AGENT, "token"), work.log_in(AGENT, "another")]
    work.sign_on(AGENT, "desk-1")
    work.now_ms += HOUR
    taken = []

    def is_soon_full(command):
        if taken:
            raise Busy
        taken.append(work.put(command))
        return taken[0]

    with pytest.raises(Busy):
        Keeper(work.engine, work.site.name, work.book, is_soon_full, lambda: work.now_ms).look()
    taken[0].result(LIMIT_S)
    keeper.look()
    assert [work.why_ended(each) for each in idle] == ["idle", "idle"]
    assert work.signed_on("desk-1") == AGENT.account


def test_a_session_that_its_person_ended_is_not_ended_twice(work, keeper):
    session = work.log_in(AGENT)
    work.do(EndSession(origin=Origin(Source.PAGE, AGENT.account), session=session, reason=EndReason.LOGOUT))
    work.book.drop(session)
    work.asked.clear()
    keeper.look()
    assert work.asked == []
    assert work.why_ended(session) == "logout"


def test_when_somebody_was_last_seen_is_written_once_a_minute(work, keeper):
    session = work.log_in(AGENT)
    keeper.look()
    for seconds in (10, 20, 59):
        assert work.book.find("token", work.now_ms + seconds * 1000)
    work.now_ms += MINUTE - 1
    keeper.look()
    assert work.row(session).seen_ms == work.now_ms + 1 - MINUTE
    work.now_ms += 1
    keeper.look()
    assert work.row(session).seen_ms == work.now_ms - 1000
    work.now_ms += MINUTE
    keeper.look()
    assert [type(each) for each in work.asked] == [NoteSessions]


def test_many_are_noted_in_slices_that_keep_nobody_waiting(work, keeper):
    for number in range(SESSIONS_AT_ONCE + 1):
        work.log_in(replace(AGENT, account=f"agent-{number}"), f"token-{number}")
    work.asked.clear()
    work.now_ms += MINUTE
    for number in range(SESSIONS_AT_ONCE + 1):
        assert work.book.find(f"token-{number}", work.now_ms)
    keeper.look()
    assert [len(each.seen) for each in work.asked] == [SESSIONS_AT_ONCE, 1]
    assert {each.seen_ms for each in work.rows()} == {work.now_ms}


def test_sessions_outlive_the_program(work):
    session = work.log_in(AGENT)
    after = SessionBook(Limits.of(Login()))
    keeper = keeper_of(work, after)
    keeper.start()
    try:
        assert after.find("token", work.now_ms).person == AGENT
        assert after.find("token", work.now_ms).id == session
    finally:
        keeper.stop()


def test_the_thread_finds_what_ended_and_is_over_when_it_is_stopped(work):
    session = work.log_in(AGENT)
    told = threading.Event()
    work.book.on_end(lambda _: told.set())
    keeper = keeper_of(work)
    keeper.start()
    work.do(EndSession(origin=Origin(Source.JOB), session=session, reason=EndReason.LOGOUT))
    assert told.wait(LIMIT_S)
    keeper.stop()
    assert work.told == [{session}]


def test_a_writer_that_does_not_answer_does_not_keep_the_hub_from_stopping(work, monkeypatch):
    """The database neither reads nor writes, as when the disk hangs, or a standby that each commit waits for."""
    monkeypatch.setattr("hub.auth.keeper.STOP_LIMIT_S", 0.1)
    answer, asked = Future(), threading.Event()

    def put(_):
        asked.set()
        return answer

    work.log_in(AGENT)
    work.now_ms += HOUR
    keeper = Keeper(work.engine, work.site.name, work.book, put, lambda: work.now_ms)
    keeper.start()
    assert asked.wait(LIMIT_S)
    keeper.stop()
    assert keeper._thread.is_alive()
    answer.set_result(None)
    keeper._thread.join(LIMIT_S)
    assert not keeper._thread.is_alive()


def test_an_end_that_could_not_be_written_is_written_the_next_time(work, keeper):
    session = work.log_in(AGENT)
    work.now_ms += HOUR
    failing = Keeper(work.engine, work.site.name, work.book, _refuse, lambda: work.now_ms)
    with pytest.raises(OSError, match="away"):
        failing.look()
    # Meanwhile the session lets nobody in.
    assert work.book.find("token", work.now_ms) is None
    assert work.why_ended(session) is None
    keeper.look()
    assert work.why_ended(session) == "idle"


def _refuse(_):
    raise OSError("the database is away")


def test_a_database_that_is_away_ends_nobodys_session(work):
    work.log_in(AGENT)
    reading = threading.Event()
    real = work.book.keep

    def away(_):
        reading.set()
        raise OSError("the database is away")

    keeper = keeper_of(work)
    with capture_logs() as logs:
        keeper.start()
        work.book.keep = away
        assert reading.wait(LIMIT_S)
        keeper.stop()
    work.book.keep = real
    assert work.book.find("token", work.now_ms)
    assert {each["event"] for each in logs} == {"sessions.not_kept"}
    assert "exemple" not in repr(logs)
