"""Login sessions: opened and ended by a person, noted and changed by the keeper."""

from hub.queue import people_store
from hub.queue.answers import DoneAnswer, SessionAnswer
from hub.queue.commands.signing import leave
from hub.queue.people_requests import (
    ChangeSession,
    EndReason,
    EndSession,
    ForgetSessions,
    NoteSessions,
    OpenSession,
    SignOffEnded,
)
from hub.queue.refusals import Unknown
from hub.queue.transaction import Work

# Open sessions of one account. A program that logs in for each of its requests must not fill the hub's memory.
SESSIONS_MOST = 20


def open_session(work: Work, command: OpenSession) -> SessionAnswer:
    """Open a session. A local account is for when the directory is away, so the journal records each login with one.

    Raises Unknown if the local account was ended after its password was checked.
    """
    if command.local and _has_ended(work, command.account):
        raise Unknown("local account", command.account)
    for (surplus,) in work.rows(people_store.OPEN_OF_ACCOUNT, account=command.account)[SESSIONS_MOST - 1 :]:
        _end(work, surplus, EndReason.ENDED)
    session = work.counter("", people_store.SESSION_IDS)
    work.write(
        people_store.INSERT_SESSION,
        id=session,
        token_hash=command.token_hash,
        account=command.account,
        name=command.name,
        roles=" ".join(sorted(command.roles)),
        local=command.local,
        opened_ms=work.now_ms,
        seen_ms=work.now_ms,
        checked_ms=work.now_ms,
        ended_ms=None,
        end_reason=None,
    )
    _show_as(work, command.account, command.name)
    if command.local:
        work.actor = command.account
        work.journal("login_local")
    return SessionAnswer(session=session)


def end_session(work: Work, command: EndSession) -> DoneAnswer:
    """End a session, and sign its person off if they have no open session left.

    If the session they used last ended by being idle, they stay signed on: they are still at the desk.
    """
    account, ended_ms = _session(work, command.session)
    if ended_ms is not None:
        return DoneAnswer()
    _end(work, command.session, command.reason)
    work.flush()
    for desk, agent in work.rows(people_store.LEFT_BEHIND):
        if agent == account:
            leave(work, desk, agent)
    return DoneAnswer(count=1)


def sign_off_ended(work: Work, _command: SignOffEnded) -> DoneAnswer:
    left = work.rows(people_store.LEFT_BEHIND)
    for desk, account in left:
        leave(work, desk, account)
    return DoneAnswer(count=len(left))


def note_sessions(work: Work, command: NoteSessions) -> DoneAnswer:
    """Note when sessions were seen and checked. Nobody needs to be told of this, so there is no journal row."""
    for session, seen_ms in command.seen:
        work.write(people_store.SEE_SESSION, of_id=session, to_ms=seen_ms)
    # Both may change the same row, which one batch of writes can't do twice.
    work.flush()
    for session, checked_ms in command.checked:
        work.write(people_store.CHECK_SESSION, of_id=session, to_ms=checked_ms)
    return DoneAnswer(count=len(command.seen) + len(command.checked))


def change_session(work: Work, command: ChangeSession) -> DoneAnswer:
    """Change the name and roles of a session; one that has ended meanwhile stays as it is."""
    account, ended_ms = _session(work, command.session)
    if ended_ms is not None:
        return DoneAnswer()
    work.write(
        people_store.CHANGE_SESSION,
        guarded=True,
        of_id=command.session,
        to_name=command.name,
        to_roles=" ".join(sorted(command.roles)),
        to_ms=command.checked_ms,
    )
    _show_as(work, account, command.name)
    if not command.calls:
        _leave_desk(work, account)
    return DoneAnswer(count=1)


def forget_sessions(work: Work, command: ForgetSessions) -> DoneAnswer:
    """Delete a slice of the ended sessions, the oldest first."""
    old = work.rows(people_store.OLD_SESSIONS, before_ms=command.before_ms, limit=command.limit)
    if old:
        work.write(people_store.DELETE_SESSIONS, before_ms=command.before_ms, last_id=old[-1][0])
    return DoneAnswer(count=len(old))


def _session(work: Work, session: int) -> tuple[str, int | None]:
    rows = work.rows(people_store.SESSION_BY_ID, id=session)
    if not rows:
        raise Unknown("session", str(session))
    account, ended_ms = rows[0]
    return account, ended_ms


def _has_ended(work: Work, account: str) -> bool:
    return any(ended_ms is not None for (ended_ms,) in work.rows(people_store.END_OF_ACCOUNT, account=account))


def _end(work: Work, session: int, reason: EndReason) -> None:
    work.write(people_store.END_SESSION, guarded=True, of_id=session, to_ended_ms=work.now_ms, to_reason=reason)


def _leave_desk(work: Work, account: str) -> None:
    for (desk,) in work.rows(people_store.DESKS_OF_AGENT, account=account):
        leave(work, desk, account)


def _show_as(work: Work, account: str, name: str) -> None:
    known = work.rows(people_store.AGENT_NAME, account=account)
    if not known:
        work.write(people_store.INSERT_AGENT, account=account, name=name)
    elif known[0][0] != name:
        work.write(people_store.RENAME_AGENT, guarded=True, of_account=account, to_name=name)
