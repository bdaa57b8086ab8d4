"""Who works at this town hall. All of them are made up; one password lets each of them in, on this machine alone."""

from dataclasses import dataclass

PASSWORD = "trois-tilleuls"  # noqa: S105 - told on the demo's page


@dataclass(frozen=True, slots=True)
class Member:
    """One of the staff. `name`: as colleagues read it. `role`: in the hub's word."""

    account: str
    name: str
    role: str


# For whoever watches the demo, one of each role; the accounts are the roles' words on the hub's pages.
GUESTS = (
    Member("agent", "Nadia Exemple", "agent"),
    Member("accueil", "Basile Fictif", "reception"),
    Member("responsable", "Odile Inventée", "supervisor"),
    Member("admin", "Marius Modèle", "administrator"),
)
_NAMES = ("Alix", "Bruno", "Chloé", "Djamel", "Élise", "Farid", "Gaëlle", "Hugo", "Inès")
# The morning's own, one for each desk in order.
AGENTS = tuple(
    Member(f"agent-{place}", f"{first_name} Exemple-{place}", "agent") for place, first_name in enumerate(_NAMES, 1)
)
