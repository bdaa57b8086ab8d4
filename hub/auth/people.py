"""A person as a directory or a local account tells of them, and what may come of a login."""

from enum import StrEnum
from unicodedata import category, normalize

from msgspec import Struct

from hub.auth.roles import Role

MAX_ACCOUNT, MAX_PASSWORD = 64, 256


class Person(Struct, frozen=True, kw_only=True):
    """`account`: the one spelling of what they log in with, small letters. `name`: as colleagues read it.

    `local`: known by a local account, not by the directory.
    """

    account: str
    name: str
    roles: frozenset[Role]
    local: bool = False


class MachineToken(Struct, frozen=True, kw_only=True):
    """A program that asks with a token of its own, and the one thing it may be."""

    name: str
    role: Role


class LoginRefused(Exception):
    """Nobody came in. `reason` is for the log and the metric: the page says the same of every wrong one."""

    def __init__(self, reason: "Reason") -> None:
        super().__init__(reason)
        self.reason = reason


class Reason(StrEnum):
    """Only the last two may be told to who tries: they say nothing of the account."""

    WRONG = "wrong"
    NO_ROLE = "no_role"
    TOO_MANY = "too_many"
    AWAY = "away"


def one_spelling(account: str) -> str:
    """What was typed as the one spelling of it: directories tell no capitals apart, nobody an é from e and accent."""
    # Not casefold: it makes two letters of ß, by which a directory finds nobody.
    return normalize("NFC", account.strip().lower())


def may_be_account(account: str) -> bool:
    """By its one spelling: whether anybody could be called so."""
    return 0 < len(account) <= MAX_ACCOUNT and account.isprintable()


def may_be_password(text: str) -> bool:
    """An empty one is none: a directory takes it for an anonymous login, which succeeds (RFC 4513, 5.1.2)."""
    # A directory may take a zero for the end; half of a pair of surrogates, from a JSON document alone, is no sign.
    return 0 < len(text) <= MAX_PASSWORD and not any(sign == "\0" or category(sign) == "Cs" for sign in text)
