"""The SQL of login sessions, and of which agent is signed on at which desk."""

from typing import Any

from sqlalchemy import Executable, bindparam, delete, func, insert, literal_column, select, update

from hub.database.tables import AccountRow, AgentRow, LoginSessionRow
from hub.queue.store import DESK, ID, SITE, desk, event

session: Any = LoginSessionRow.__table__
agent: Any = AgentRow.__table__
account: Any = AccountRow.__table__

# The counter, without a day, of session ids.
SESSION_IDS = "session"

_ACCOUNT: Any = bindparam("account")
_IS_OPEN: Any = literal_column("login_session.ended_ms is null")
_OF_SESSION: Any = (session.c.site == SITE) & (session.c.id == bindparam("of_id")) & _IS_OPEN

SESSION_BY_ID: Executable = select(session.c.account, session.c.ended_ms).where(
    session.c.site == SITE, session.c.id == ID
)
# The most recently used first.
OPEN_OF_ACCOUNT: Executable = (
    select(session.c.id)
    .where(session.c.site == SITE, session.c.account == _ACCOUNT, _IS_OPEN)
    .order_by(session.c.seen_ms.desc(), session.c.id.desc())
)
# The lock waits for a command line that is ending the account at this moment: else neither would see the other.
END_OF_ACCOUNT: Executable = (
    select(account.c.ended_ms).where(account.c.site == SITE, account.c.account == _ACCOUNT).with_for_update(read=True)
)
AGENT_NAME: Executable = select(agent.c.name).where(agent.c.site == SITE, agent.c.account == _ACCOUNT)
DESKS_OF_AGENT: Executable = select(desk.c.name).where(desk.c.site == SITE, desk.c.agent == _ACCOUNT)
_LOGGED_OUT_MS: Any = func.max(session.c.ended_ms).filter(literal_column("login_session.end_reason <> 'idle'"))
# Only for sessions that ended as idle: another program ends one by its own clock, perhaps while its person uses it.
_USED_MS: Any = func.coalesce(
    func.max(session.c.seen_ms).filter(literal_column("login_session.end_reason = 'idle'")), 0
)
# Desks whose agent has no open session, unless the session used last ended as idle. One pass over the sessions, because
# it runs at each end of a session, and all staff's sessions end in the evening.
LEFT_BEHIND: Executable = (
    select(desk.c.name, desk.c.agent)
    .join(session, (session.c.site == desk.c.site) & (session.c.account == desk.c.agent))
    .where(desk.c.site == SITE)
    .group_by(desk.c.name, desk.c.agent)
    .having(func.count() == func.count(session.c.ended_ms), _USED_MS <= _LOGGED_OUT_MS)
)
DESKS_AND_AGENTS: Executable = select(desk.c.name, desk.c.mode, desk.c.agent).where(desk.c.site == SITE)
# If an agent is signed on at the desk, this is their sign-on.
LAST_SIGN_ON: Executable = (
    select(event.c.at_ms, event.c.data)
    .where(event.c.site == SITE, event.c.desk == DESK, literal_column("event = 'sign_on'"))
    .order_by(event.c.id.desc())
    .limit(1)
)

INSERT_SESSION: Executable = insert(session).values({each.name: bindparam(each.name) for each in session.c}).inline()
END_SESSION: Executable = (
    update(session).where(_OF_SESSION).values(ended_ms=bindparam("to_ended_ms"), end_reason=bindparam("to_reason"))
)
# These change only a session that is still open.
SEE_SESSION: Executable = update(session).where(_OF_SESSION).values(seen_ms=bindparam("to_ms"))
CHECK_SESSION: Executable = update(session).where(_OF_SESSION).values(checked_ms=bindparam("to_ms"))
CHANGE_SESSION: Executable = (
    update(session)
    .where(_OF_SESSION)
    .values(name=bindparam("to_name"), roles=bindparam("to_roles"), checked_ms=bindparam("to_ms"))
)
_IS_OLD: Any = (session.c.site == SITE) & (session.c.ended_ms < bindparam("before_ms"))
OLD_SESSIONS: Executable = select(session.c.id).where(_IS_OLD).order_by(session.c.id).limit(bindparam("limit"))
DELETE_SESSIONS: Executable = delete(session).where(_IS_OLD, session.c.id <= bindparam("last_id"))
INSERT_AGENT: Executable = insert(agent).values({each.name: bindparam(each.name) for each in agent.c}).inline()
RENAME_AGENT: Executable = (
    update(agent)
    .where(agent.c.site == SITE, agent.c.account == bindparam("of_account"))
    .values(name=bindparam("to_name"))
)
