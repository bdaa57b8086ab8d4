"""The table of local accounts. Only `suivant admin` writes it, in one short transaction per change."""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, update

from hub.auth.people import Person
from hub.auth.roles import Role, roles_of, roles_text
from hub.auth.session_store import end_sessions
from hub.database.tables import AccountRow

_account: Any = AccountRow.__table__


class LocalAccount(Struct, frozen=True, kw_only=True):
    """`password`: the hash, see `hub.auth.passwords`. `ended_ms`: from then on nobody can log in with the account."""

    account: str
    name: str
    password: str
    roles: frozenset[Role]
    created_ms: int
    ended_ms: int | None = None

    @property
    def person(self) -> Person:
        return Person(account=self.account, name=self.name, roles=self.roles, local=True)


def read_account(connection: Connection, site: str, account: str) -> LocalAccount | None:
    """Return the open account of this name; None if there is none or it was ended."""
    query = select(*_account.c).where(_account.c.site == site, _account.c.account == account)
    row = connection.execute(query.where(_account.c.ended_ms.is_(None))).one_or_none()
    return None if row is None else _from_row(row)


def read_accounts(connection: Connection, site: str) -> list[LocalAccount]:
    """Return all accounts, ended ones too, ordered by account name."""
    query = select(*_account.c).where(_account.c.site == site).order_by(_account.c.account)
    return [_from_row(row) for row in connection.execute(query)]


def open_accounts(connection: Connection) -> list[str]:
    """Return the names of the accounts, of all sites, that were not ended."""
    query = select(_account.c.account).where(_account.c.ended_ms.is_(None)).distinct().order_by(_account.c.account)
    return list(connection.scalars(query))


def create_account(connection: Connection, site: str, new: LocalAccount) -> bool:
    """Return False if an open account has that name. An ended account of that name is replaced."""
    if read_account(connection, site, new.account) is not None:
        return False
    connection.execute(delete(_account).where(_account.c.site == site, _account.c.account == new.account))
    connection.execute(
        insert(_account).values(
            site=site,
            account=new.account,
            name=new.name,
            password=new.password,
            roles=roles_text(new.roles),
            created_ms=new.created_ms,
            ended_ms=None,
        )
    )
    return True


def end_account(connection: Connection, site: str, account: str, now_ms: int) -> int | None:
    """End the account and its open local sessions. Return how many those were, or None if there is no such account."""
    ended = connection.execute(
        update(_account)
        .where(_account.c.site == site, _account.c.account == account, _account.c.ended_ms.is_(None))
        .values(ended_ms=now_ms)
    )
    if not ended.rowcount:
        return None
    return end_sessions(connection, site, account, now_ms, local_only=True).open


def _from_row(row: Any) -> LocalAccount:
    return LocalAccount(
        account=row.account,
        name=row.name,
        password=row.password,
        roles=roles_of(row.roles),
        created_ms=row.created_ms,
        ended_ms=row.ended_ms,
    )
