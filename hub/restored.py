"""What to do after a backup was put back.

Nodes are told everything anew; sessions that the backup opened again are ended, accounts and tokens are listed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Engine

from hub.auth.account_store import open_accounts
from hub.auth.session_store import end_all_sessions
from hub.auth.token_store import open_tokens
from hub.database.engine import renew_generation
from hub.database.faults import faults_of
from hub.database.lock import hold_all_sites


@dataclass(frozen=True, slots=True)
class Restored:
    """The result for all sites of the database.

    `sessions`: how many were ended. `accounts`, `tokens`: the names of those that are open; some of them may have been
    ended after the backup was made.
    """

    sites: int
    sessions: int
    accounts: list[str]
    tokens: list[str]


def note_restore(engine: Engine, now_ms: int) -> Restored:
    """Makes nodes accept the older pictures, and ends all sessions: nobody can tell which had ended since the backup.

    Raises SiteTaken while a hub uses the database: it would go on as before.
    """
    with hold_all_sites(engine):
        with faults_of(engine), engine.execution_options(write=True).begin() as connection:
            sessions = end_all_sessions(connection, now_ms)
            accounts, tokens = open_accounts(connection), open_tokens(connection)
        return Restored(renew_generation(engine, now_ms), sessions, accounts, tokens)


def opened_again(restored: Restored) -> Iterator[str]:
    """Lines for the person who put the backup back: who must log in again, and what they may have to end again."""
    count = restored.sessions
    if count:
        which = "session that was" if count == 1 else "sessions that were"
        yield f"ended {count} {which} open at the time of the backup: everybody must log in again."
    if restored.accounts:
        names = ", ".join(restored.accounts)
        yield f"local accounts that are open now, with their passwords and roles from the backup: {names}"
    if restored.tokens:
        yield f"tokens that are open now, as in the backup: {', '.join(restored.tokens)}"
    if restored.accounts or restored.tokens:
        how = "suivant admin end ACCOUNT, suivant token end NAME"
        yield f"End those that were ended or replaced since the backup: {how}."
