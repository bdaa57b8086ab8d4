"""The roles. `hub.auth.access` says for each route which of them it lets in."""

from enum import StrEnum


class Role(StrEnum):
    """People's roles come from the directory's groups or a local account, those of programs from their token."""

    AGENT = "agent"
    RECEPTION = "reception"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"
    METRICS = "metrics"
    INTRANET = "intranet"


# What each role of people is for, as the command line shows it; `hub.auth.access` decides.
DUTIES = {
    Role.AGENT: "signs on at a desk and calls visitors there; finds visitors by name; issues tickets by the API",
    Role.RECEPTION: "checks visitors in and finds them by name; issues tickets by the API; cannot call visitors",
    Role.SUPERVISOR: "does everything an agent may, signs others off, and sees who logged in with a local account",
    Role.ADMINISTRATOR: "sees everything, including /metrics; cannot call visitors or find them by name",
}

STAFF = frozenset({Role.AGENT, Role.RECEPTION, Role.SUPERVISOR, Role.ADMINISTRATOR})
MACHINES = frozenset(Role) - STAFF


def roles_text(roles: frozenset[Role]) -> str:
    """Write roles as they are stored in a column."""
    return " ".join(sorted(roles))


def roles_of(text: str) -> frozenset[Role]:
    """Read roles from a column. A role that is not for people, or that this version does not know, is ignored."""
    named = set(text.split())
    return frozenset(role for role in STAFF if role in named)
