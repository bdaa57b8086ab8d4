"""What a person may do on a desk's page, by their roles and by who is signed on there. Pure.

The picture of a desk is drawn once for all readers, as if each were signed on there. This module decides what is off
for one person on a page drawn for them alone; `static/desk/seat.js` decides it for live pages, by the same facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hub.auth.access import ACCESS, Anyone
from hub.auth.people import Person
from hub.auth.roles import Role
from hub.web.actions import DESK_ACTIONS, TICKET_ACTIONS
from hub.web.desk.picture import SignedOn

_AT_DESK = {
    **{word: (f"/desks/{{desk}}/{word}", action) for word, action in DESK_ACTIONS.items()},
    **{word: (f"/desks/{{desk}}/tickets/{{ticket}}/{word}", action) for word, action in TICKET_ACTIONS.items()},
}
# Actions of the page that are not about a desk.
_ANYWHERE: Mapping[str, str] = {
    "search": "/desks/{desk}/search",
    "retry": "/desks/{desk}/reports/{report}/retry",
}


# A variant of an action above for one kind of ticket, only for the person signed on here.
_HERE: Mapping[str, str] = {"transfer-visit": _AT_DESK["transfer"][0]}


class At(StrEnum):
    """Who is signed on at a desk: the looker, nobody, or somebody else."""

    HERE = "here"
    FREE = "free"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class Looker:
    """A person who looks at a desk's page. `agent`: who is signed on there."""

    person: Person
    agent: SignedOn | None

    @property
    def at(self) -> At:
        if self.agent is None:
            return At.FREE
        return At.HERE if self.agent.account == self.person.account else At.TAKEN

    @property
    def is_displaced(self) -> bool:
        """Whether the person signed on there now took the desk over from them."""
        return self.at is At.TAKEN and self.agent is not None and self.agent.before == self.person.account

    @property
    def calls(self) -> bool:
        """Whether they may sign on, here or anywhere."""
        return self._is_let("sign-on")

    @property
    def administers(self) -> bool:
        return Role.ADMINISTRATOR in self.person.roles

    @property
    def stance(self) -> str:
        """What they do, for the page's notes: `calls`, `welcomes` (checks in, puts back, transfers) or `looks`."""
        if self.calls:
            return "calls"
        return "welcomes" if self._is_let("check-in") else "looks"

    @property
    def free(self) -> frozenset[str]:
        """The words of the actions that they may do without being signed on here."""
        words = {word for word, (_, action) in _AT_DESK.items() if action.without_sign_on & self.person.roles}
        return frozenset(word for word in (*words, *_ANYWHERE) if self._is_let(word))

    def may(self, word: str) -> bool:
        return (self.at is At.HERE and self._is_let(word)) or word in self.free

    def _is_let(self, word: str) -> bool:
        template = _ANYWHERE.get(word) or _HERE.get(word) or _AT_DESK[word][0]
        return is_let(self.person.roles, "POST", template)


def is_let(roles: frozenset[Role], method: str, template: str) -> bool:
    allowed = ACCESS[method, template]
    return isinstance(allowed, Anyone) or bool(allowed & roles)


def everything(_word: str) -> bool:
    """Allow every action, for the picture that is drawn for all readers."""
    return True
