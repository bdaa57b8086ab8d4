"""The table of programs' tokens. Only `suivant token` writes it, in one short transaction per change."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from hub.auth.people import MachineToken
from hub.auth.roles import MACHINES, Role
from hub.database.tables import MachineTokenRow

_token: Any = MachineTokenRow.__table__

# A fixed prefix, so that secret scanners find a token that leaked into a file or a log.
PREFIX = "suivant_"


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A token as it is listed. The token itself is not stored."""

    name: str
    role: str
    created_ms: int
    ended_ms: int | None


def read_token(connection: Connection, site: str, token_hash: str) -> MachineToken | None:
    """Return a token's program; None if it is unknown, was ended, or its role is not a program's in this version."""
    query = select(_token.c.name, _token.c.role).where(
        _token.c.site == site, _token.c.token_hash == token_hash, _token.c.ended_ms.is_(None)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None or row.role not in MACHINES else MachineToken(name=row.name, role=Role(row.role))


def read_tokens(connection: Connection, site: str) -> list[KnownToken]:
    """Return all tokens, ended ones too, ordered by name."""
    columns = (_token.c.name, _token.c.role, _token.c.created_ms, _token.c.ended_ms)
    query = select(*columns).where(_token.c.site == site).order_by(_token.c.name)
    return [KnownToken(*row) for row in connection.execute(query)]


def open_tokens(connection: Connection) -> list[str]:
    """Return the names of the tokens, of all sites, that were not ended."""
    query = select(_token.c.name).where(_token.c.ended_ms.is_(None)).distinct().order_by(_token.c.name)
    return list(connection.scalars(query))


def create_token(connection: Connection, site: str, new: MachineToken, token_hash: str, now_ms: int) -> bool:
    """Return False if an open token has that name. An ended token of that name is replaced."""
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
    """Return False if there is no such token."""
    ended = connection.execute(
        update(_token)
        .where(_token.c.site == site, _token.c.name == name, _token.c.ended_ms.is_(None))
        .values(ended_ms=now_ms)
    )
    return bool(ended.rowcount)
