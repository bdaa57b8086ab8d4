"""The rows of programs' tokens. Written by `suivant token` alone, in one short transaction each."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from hub.auth.people import MachineToken
from hub.auth.roles import MACHINES, Role
from hub.database.tables import MachineTokenRow

_token: Any = MachineTokenRow.__table__

# So that a token which leaked into a file or a log is found by those who look for such.
PREFIX = "suivant_"


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A token as it is listed: what it is for, and since when; the token itself is kept nowhere."""

    name: str
    role: str
    created_ms: int
    ended_ms: int | None


def read_token(connection: Connection, site: str, token_hash: str) -> MachineToken | None:
    """Whose token it is; None where it is nobody's, was ended, or is of a role that no program has in this version."""
    query = select(_token.c.name, _token.c.role).where(
        _token.c.site == site, _token.c.token_hash == token_hash, _token.c.ended_ms.is_(None)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None or row.role not in MACHINES else MachineToken(name=row.name, role=Role(row.role))


def read_tokens(connection: Connection, site: str) -> list[KnownToken]:
    """All of them, ended ones too, by name."""
    columns = (_token.c.name, _token.c.role, _token.c.created_ms, _token.c.ended_ms)
    query = select(*columns).where(_token.c.site == site).order_by(_token.c.name)
    return [KnownToken(*row) for row in connection.execute(query)]


def open_tokens(connection: Connection) -> list[str]:
    """The names of those of all sites that open something."""
    query = select(_token.c.name).where(_token.c.ended_ms.is_(None)).distinct().order_by(_token.c.name)
    return list(connection.scalars(query))


def create_token(connection: Connection, site: str, new: MachineToken, token_hash: str, now_ms: int) -> bool:
    """False where there is one of that name; an ended one gives its name away."""
    named = (_token.c.site == site) & (_token.c.name == new.name)
    if connection.scalar(select(_token.c.name).where(named, _token.c.ended_ms.is_(None))) is not None:
        return False
    connection.execute(delete(_token).where(named))
    connection.execute(
        insert(_token).values(
            site=site, name=new.name, token_hash=token_hash, role=new.role, created_ms=now_ms, ended_ms=None
        )
    )
    return True


def end_token(connection: Connection, site: str, name: str, now_ms: int) -> bool:
    """False where there is no such token."""
    ended = connection.execute(
        update(_token)
        .where(_token.c.site == site, _token.c.name == name, _token.c.ended_ms.is_(None))
        .values(ended_ms=now_ms)
    )
    return bool(ended.rowcount)
