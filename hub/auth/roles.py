"""What somebody may be. `hub.auth.access` says, for every address, which of these it lets in."""

from enum import StrEnum


class Role(StrEnum):
    """Those of people come from the directory's groups or a local account, those of machines from their token."""

    AGENT = "agent"
    RECEPTION = "reception"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"
    METRICS = "metrics"
    INTRANET = "intranet"


# What each of people's is for, as the command line tells it; `hub.auth.access` decides.
DUTIES = {
    Role.AGENT: "signs on at a desk and calls visitors there; issues tickets and finds visitors by name",
    Role.RECEPTION: "issues tickets, checks visitors in and finds them by name; calls nobody",
    Role.SUPERVISOR: "does everything an agent may, signs others off, and reads who came in by a local account",
    Role.ADMINISTRATOR: "looks at everything, also /metrics; calls nobody and finds nobody by name",
}

STAFF = frozenset({Role.AGENT, Role.RECEPTION, Role.SUPERVISOR, Role.ADMINISTRATOR})
MACHINES = frozenset(Role) - STAFF


def roles_text(roles: frozenset[Role]) -> str:
    """As a column keeps them."""
    return " ".join(sorted(roles))


def roles_of(text: str) -> frozenset[Role]:
    """From how a column keeps them. One that is no role of people, or of a later version, gives no right here."""
    named = set(text.split())
    return frozenset(role for role in STAFF if role in named)
