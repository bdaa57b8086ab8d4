"""The staff of this town hall, all made up. They share one password, which works on this machine alone."""

from dataclasses import dataclass

PASSWORD = "trois-tilleuls"  # noqa: S105 - told on the demo's page


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the staff. `name`: as colleagues see it. `role`: as the hub names it."""

    account: str
    name: str
    role: str


# For people who watch the demo, one for each role; the accounts are the roles' names on the hub's pages.
GUESTS = (
    Member("agent", "Nadia Exemple", "agent"),
    Member("accueil", "Basile Fictif", "reception"),
    Member("responsable", "Odile Inventée", "supervisor"),
    Member("admin", "Marius Modèle", "administrator"),
)
_NAMES = ("Alix", "Bruno", "Chloé", "Djamel", "Élise", "Farid", "Gaëlle", "Hugo", "Inès")
# The script's agents, one for each desk in order.
AGENTS = tuple(
    Member(f"agent-{place}", f"{first_name} Exemple-{place}", "agent") for place, first_name in enumerate(_NAMES, 1)
)
