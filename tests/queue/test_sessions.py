"""Login sessions: what the writer keeps of them, and when the end of one signs its agent off their desk."""

import pytest

from hub.auth.account_store import LocalAccount, create_account, end_account
from hub.auth.people import Person
from hub.auth.roles import Role
from hub.auth.session_store import end_sessions, open_sessions
from hub.auth.sessions import Session
from hub.queue.answers import DoneAnswer, SessionAnswer
from hub.queue.commands.sessions import SESSIONS_MOST
from hub.queue.people_requests import (
    ChangeSession,
    EndReason,
    EndSession,
    ForgetSessions,
    NoteSessions,
    OpenSession,
    SignOffEnded,
)
from hub.queue.requests import Origin, SignOn, Source
from tests.checkers import check_all, read
from tests.queue.harness import DAY, HOUR, MINUTE, refused

JOB = Origin(Source.JOB, "keeper")


def log_in(queue, account="anna", name="Anna Martin", *, local=False, roles=(Role.AGENT,)):
    """Log in; return the session's id. The hash of its token is `hash-{n}`, n from the number of sessions."""
    hashed = f"hash-{len(queue.table('login_session')) + 1}"
    command = OpenSession(
        origin=Origin(Source.PAGE, account), token_hash=hashed, account=account, name=name, roles=roles, local=local
    )
    answer = queue.do(command)
    assert isinstance(answer, SessionAnswer)
    return answer.session


def end(queue, session, reason=EndReason.LOGOUT):
    answer = queue.do(EndSession(origin=JOB, session=session, reason=reason))
    assert isinstance(answer, DoneAnswer)
    check_all(read(queue.engine, queue.site.name))
    return answer.count


def sessions(queue):
    with queue.engine.connect() as connection:
        return open_sessions(connection, queue.site.name)


def at_desks(queue):
    return {row[1]: row[7] for row in queue.table("desk") if row[7] is not None}


def sign_on(queue, account, desk="desk-1"):
    queue.do(SignOn(origin=Origin(Source.PAGE, account), desk=desk))


def test_a_session_is_read_as_it_was_opened(queue):
    first = log_in(queue, roles=(Role.SUPERVISOR, Role.AGENT))
    queue.turn(MINUTE)
    second = log_in(queue, "secours", "Secours", local=True, roles=(Role.ADMINISTRATOR,))
    roles = frozenset({Role.AGENT, Role.SUPERVISOR})
    anna = Person(account="anna", name="Anna Martin", roles=roles)
    other = Person(account="secours", name="Secours", roles=frozenset({Role.ADMINISTRATOR}), local=True)
    then, now = queue.now_ms - MINUTE, queue.now_ms
    assert sessions(queue) == [
        Session(id=first, token_hash="hash-1", person=anna, opened_ms=then, seen_ms=then, checked_ms=then),
        Session(id=second, token_hash="hash-2", person=other, opened_ms=now, seen_ms=now, checked_ms=now),
    ]


def test_roles_of_a_later_version_and_of_programs_give_nobody_a_right_and_keep_nobody_from_logging_in(queue):
    log_in(queue, roles=("agent", "of_a_later_version", "metrics"))
    (session,) = sessions(queue)
    assert session.person.roles == {Role.AGENT}


def test_the_use_of_a_local_account_stands_in_the_journal_and_that_of_the_directory_does_not(queue):
    log_in(queue)
    assert queue.table("ticket_event") == []
    log_in(queue, "secours", "Secours", local=True)
    (row,) = queue.table("ticket_event")
    assert (row[3], row[7], row[8]) == ("login_local", "page", "secours")


def test_an_agent_is_shown_by_the_name_that_was_told_last(queue):
    session = log_in(queue)
    log_in(queue, name="Anna Martin-Roux")
    assert queue.table("agent") == [(queue.site.name, "anna", "Anna Martin-Roux")]
    queue.do(ChangeSession(origin=JOB, session=session, name="Anna Roux", roles=("agent",), checked_ms=1))
    assert queue.table("agent") == [(queue.site.name, "anna", "Anna Roux")]


def test_an_ended_session_is_open_no_more_and_ends_once(queue):
    kept, ended = log_in(queue), log_in(queue)
    queue.turn(MINUTE)
    assert end(queue, ended, EndReason.ABSOLUTE) == 1
    assert [each.id for each in sessions(queue)] == [kept]
    queue.turn(MINUTE)
    assert end(queue, ended) == 0
    row = next(row for row in queue.table("login_session") if row[1] == ended)
    assert row[-2:] == (queue.now_ms - MINUTE, "absolute")


def test_of_too_many_sessions_of_one_account_the_one_seen_longest_ago_ends(queue):
    other = log_in(queue, "boris", "Boris Petit")
    first, second, *rest = [log_in(queue) for _ in range(SESSIONS_MOST)]
    sign_on(queue, "anna")
    queue.do(NoteSessions(origin=JOB, seen=((first, queue.now_ms + MINUTE),)))
    newest = log_in(queue)
    assert [each.id for each in sessions(queue)] == [other, first, *rest, newest]
    row = next(row for row in queue.table("login_session") if row[1] == second)
    assert row[-2:] == (queue.now_ms, "ended")
    assert at_desks(queue) == {"desk-1": "anna"}


def test_a_session_that_never_was_cannot_be_ended_or_changed(queue):
    refused(queue.do(EndSession(origin=JOB, session=9, reason=EndReason.IDLE)), "unknown")
    refused(queue.do(ChangeSession(origin=JOB, session=9, name="-", roles=(), checked_ms=1)), "unknown")


@pytest.mark.parametrize("reason", sorted(set(EndReason) - {EndReason.IDLE}))
def test_who_logs_out_or_loses_their_rights_leaves_their_desk(queue, reason):
    session = log_in(queue)
    sign_on(queue, "anna")
    end(queue, session, reason)
    assert at_desks(queue) == {}
    assert queue.events()[-1] == "sign_off"
    assert queue.effects.desks == {"desk-1"}


def test_who_was_only_idle_is_still_at_the_desk(queue):
    session = log_in(queue)
    sign_on(queue, "anna")
    end(queue, session, EndReason.IDLE)
    assert at_desks(queue) == {"desk-1": "anna"}


def test_who_has_another_session_stays_at_the_desk_until_that_ends_too(queue):
    first, second = log_in(queue), log_in(queue)
    other = log_in(queue, "boris", "Boris Petit")
    sign_on(queue, "anna")
    sign_on(queue, "boris", "desk-2")
    end(queue, first)
    assert at_desks(queue) == {"desk-1": "anna", "desk-2": "boris"}
    end(queue, second)
    assert at_desks(queue) == {"desk-2": "boris"}
    end(queue, other)
    assert at_desks(queue) == {}


def test_who_logged_out_is_not_at_the_desk_because_a_window_left_open_was_idle_after_that(queue):
    left_open = log_in(queue)
    queue.turn(MINUTE)
    session = log_in(queue)
    sign_on(queue, "anna")
    queue.turn(MINUTE)
    end(queue, session)
    assert at_desks(queue) == {"desk-1": "anna"}
    queue.turn(MINUTE)
    end(queue, left_open, EndReason.IDLE)
    assert at_desks(queue) == {}
    assert queue.job(SignOffEnded).count == 0


def test_who_logged_out_came_back_and_was_only_idle_is_still_at_the_desk(queue):
    end(queue, log_in(queue))
    queue.turn(MINUTE)
    session = log_in(queue)
    sign_on(queue, "anna")
    queue.turn(MINUTE)
    end(queue, session, EndReason.IDLE)
    assert at_desks(queue) == {"desk-1": "anna"}
    assert queue.job(SignOffEnded).count == 0


def test_who_went_on_in_another_window_after_a_logout_and_was_only_idle_is_still_at_the_desk(queue):
    """As after a login in a second window, which ends the session before."""
    before = log_in(queue)
    sign_on(queue, "anna")
    queue.turn(MINUTE)
    session = log_in(queue)
    end(queue, before)
    queue.turn(MINUTE)
    queue.do(NoteSessions(origin=JOB, seen=((session, queue.now_ms),)))
    queue.turn(HOUR)
    end(queue, session, EndReason.IDLE)
    assert at_desks(queue) == {"desk-1": "anna"}
    assert queue.job(SignOffEnded).count == 0


def end_past_the_writer(queue, account):
    """End the account as `suivant admin end` does, which writes nothing to the journal."""
    new = LocalAccount(account=account, name="-", password="unused", roles=frozenset({Role.AGENT}), created_ms=1)
    with queue.engine.execution_options(write=True).begin() as connection:
        create_account(connection, queue.site.name, new)
        end_account(connection, queue.site.name, account, queue.now_ms)


def test_nobody_comes_in_by_a_local_account_that_was_ended_while_they_logged_in(queue):
    end_past_the_writer(queue, "secours")
    origin = Origin(Source.PAGE, "secours", queue.new_id())
    login = OpenSession(origin=origin, token_hash="late", account="secours", name="-", roles=("agent",), local=True)
    refused(queue.do(login), "unknown")
    assert sessions(queue) == []
    assert queue.table("ticket_event") == []
    log_in(queue, "secours", "A namesake of the directory")
    assert len(sessions(queue)) == 1


def test_whoever_was_ended_past_the_writer_is_signed_off_and_nobody_else(queue):
    log_in(queue, local=True)
    idle, kept = log_in(queue, "boris", "Boris Petit"), log_in(queue, "chloe", "Chloé Roux", local=True)
    log_in(queue, "chloe", "Chloé Roux")
    for number, account in enumerate(("anna", "boris", "chloe", "from before there were sessions"), 1):
        sign_on(queue, account, f"desk-{number}")
    end(queue, idle, EndReason.IDLE)
    end_past_the_writer(queue, "anna")
    end_past_the_writer(queue, "chloe")
    assert kept not in [each.id for each in sessions(queue)]
    assert queue.job(SignOffEnded).count == 1
    check_all(read(queue.engine, queue.site.name))
    assert at_desks(queue) == {"desk-2": "boris", "desk-3": "chloe", "desk-4": "from before there were sessions"}
    assert queue.events()[-1] == "sign_off"
    assert queue.job(SignOffEnded).count == 0


def test_who_was_idle_when_their_account_was_ended_is_signed_off_too(queue):
    session = log_in(queue, local=True)
    sign_on(queue, "anna")
    end(queue, session, EndReason.IDLE)
    end_past_the_writer(queue, "anna")
    assert queue.job(SignOffEnded).count == 1
    assert at_desks(queue) == {}


def test_who_was_idle_when_their_sessions_were_ended_from_the_command_line_is_signed_off_too(queue):
    session = log_in(queue)
    sign_on(queue, "anna")
    end(queue, session, EndReason.IDLE)
    with queue.engine.execution_options(write=True).begin() as connection:
        end_sessions(connection, queue.site.name, "anna", queue.now_ms)
    assert queue.job(SignOffEnded).count == 1
    assert at_desks(queue) == {}


def test_whose_session_is_ended_from_the_command_line_while_they_use_it_is_signed_off(queue):
    """The command-line program ends it with the time of its own start, by its own clock."""
    session = log_in(queue)
    sign_on(queue, "anna")
    began_ms = queue.now_ms
    queue.turn(MINUTE)
    queue.do(NoteSessions(origin=JOB, seen=((session, queue.now_ms),)))
    with queue.engine.execution_options(write=True).begin() as connection:
        end_sessions(connection, queue.site.name, "anna", began_ms)
    assert queue.job(SignOffEnded).count == 1
    assert at_desks(queue) == {}


def test_who_is_at_a_desk_after_all_though_they_logged_out_meanwhile_is_signed_off(queue):
    """A page's sign-on may be queued behind the logout from another window."""
    end(queue, log_in(queue))
    sign_on(queue, "anna")
    assert queue.job(SignOffEnded).count == 1
    assert at_desks(queue) == {}


def test_what_a_keeper_notes_is_no_event(queue):
    first, second = log_in(queue), log_in(queue)
    seen, checked = queue.now_ms + MINUTE, queue.now_ms + 2 * MINUTE
    queue.do(NoteSessions(origin=JOB, seen=((first, seen), (second, seen)), checked=((first, checked),)))
    assert [(each.seen_ms, each.checked_ms) for each in sessions(queue)] == [(seen, checked), (seen, queue.now_ms)]
    assert queue.table("ticket_event") == []


def test_of_many_sessions_each_is_noted(queue):
    """More sessions than fit in one statement, and more than are written one by one."""
    ids = [log_in(queue, f"agent-{number}") for number in range(60)]
    noted = tuple((session, session * MINUTE) for session in ids)
    queue.do(NoteSessions(origin=JOB, seen=noted, checked=noted))
    assert [(each.seen_ms, each.checked_ms) for each in sessions(queue)] == [(ms, ms) for _, ms in noted]


def test_of_a_session_that_ended_meanwhile_nothing_is_noted_or_changed(queue):
    session = log_in(queue)
    end(queue, session)
    before = queue.snapshot()
    queue.do(NoteSessions(origin=JOB, seen=((session, 1),), checked=((session, 1),)))
    answer = queue.do(ChangeSession(origin=JOB, session=session, name="Anna Roux", roles=(), checked_ms=1))
    assert answer == DoneAnswer(count=0)
    assert queue.snapshot() == before


def test_roles_that_were_changed_are_those_of_the_session(queue):
    session = log_in(queue)
    now = queue.now_ms + MINUTE
    queue.do(
        ChangeSession(
            origin=JOB, session=session, name="Anna Martin", roles=("reception", "supervisor"), checked_ms=now
        )
    )
    (kept,) = sessions(queue)
    assert kept.person.roles == {Role.RECEPTION, Role.SUPERVISOR}
    assert kept.checked_ms == now
    assert queue.table("ticket_event") == []


def test_who_may_call_visitors_no_more_leaves_the_desk_though_the_session_stays(queue):
    session = log_in(queue)
    sign_on(queue, "anna")
    change = {"origin": JOB, "session": session, "name": "Anna Martin", "checked_ms": queue.now_ms}
    queue.do(ChangeSession(roles=("reception", "supervisor"), **change))
    assert at_desks(queue) == {"desk-1": "anna"}
    queue.do(ChangeSession(roles=("reception",), calls=False, **change))
    assert at_desks(queue) == {}
    assert len(sessions(queue)) == 1


def test_sessions_that_ended_long_ago_are_forgotten_slice_by_slice_and_open_ones_never(queue):
    kept = log_in(queue)
    old = [log_in(queue) for _ in range(3)]
    for session in old:
        end(queue, session)
    queue.turn(8 * DAY)
    recent = log_in(queue)
    end(queue, recent)
    assert [queue.job(ForgetSessions, before_ms=queue.now_ms, limit=2).count for _ in range(3)] == [2, 1, 0]
    assert [row[1] for row in queue.table("login_session")] == [kept, recent]
    assert log_in(queue, "boris", "Boris Petit") == recent + 1, "no id is given twice"
