"""A directory in memory with the rules of the real one, for tests of the code around it."""

import threading
from dataclasses import dataclass, field

from msgspec.structs import replace

from hub.auth.directory import DirectoryAway
from hub.auth.people import LoginRefused, Person, Reason, one_spelling
from hub.auth.roles import Role


@dataclass
class SmallDirectory:
    """`asked` holds the accounts it was asked for. While `answering` is not set, every question hangs.

    `silent_of` holds accounts for which it gives no answer, `unsure_of` roles whose group it does not show.
    """

    can_look_up: bool = True
    away: bool = False
    silent_of: set[str] = field(default_factory=set)
    unsure_of: set[Role] = field(default_factory=set)
    people: dict[str, Person] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answering.set()

    def add(self, account: str, password: str, *roles: Role, name: str = "Basile Exemple") -> Person:
        self.people[account] = Person(account=account, name=name, roles=frozenset(roles))
        self.passwords[account] = password
        return self.people[account]

    def log_in(self, account: str, password: str, /) -> Person:
        self._answer(account, LoginRefused(Reason.AWAY))
        person = self.people.get(one_spelling(account))
        if person is None or password != self.passwords[person.account]:
            raise LoginRefused(Reason.WRONG)
        if not person.roles:
            raise LoginRefused(Reason.NO_ROLE)
        return person

    def look_up(self, account: str, /, held: frozenset[Role] = frozenset()) -> Person | None:
        self._answer(account, DirectoryAway("ldaps://annuaire.example does not answer"))
        person = self.people.get(one_spelling(account))
        if person is None:
            return None
        kept = replace(person, roles=person.roles | (held & self.unsure_of))
        return kept if kept.roles else None

    def close(self) -> None:
        self.away = True

    def _answer(self, account: str, silence: Exception) -> None:
        self.asked.append(account)
        self.answering.wait()
        if self.away or account in self.silent_of:
            raise silence
