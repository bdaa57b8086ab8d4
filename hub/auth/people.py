"""A person as the directory or a local account describes them, and the reasons for refusing a login."""

from enum import StrEnum
from unicodedata import category, normalize

from msgspec import Struct

from hub.auth.roles import Role

MAX_ACCOUNT, MAX_PASSWORD = 64, 256


class Person(Struct, frozen=True, kw_only=True):
    """`account`: what they log in with, normalized by `one_spelling`. `name`: the name shown to colleagues.

    `local`: from a local account, not from the directory.
    """

    account: str
    name: str
    roles: frozenset[Role]
    local: bool = False


class MachineToken(Struct, frozen=True, kw_only=True):
    """A program that authenticates with a token of its own, and its one role."""

    name: str
    role: Role


class LoginRefused(Exception):
    """The login was refused. `reason` is for the log and the metric: the page says the same for WRONG and NO_ROLE."""

    def __init__(self, reason: "Reason") -> None:
        super().__init__(reason)
        self.reason = reason


class Reason(StrEnum):
    """Only TOO_MANY and AWAY may be shown to the user: they reveal nothing about the account."""

    WRONG = "wrong"
    NO_ROLE = "no_role"
    TOO_MANY = "too_many"
    AWAY = "away"


def one_spelling(account: str) -> str:
    """Normalize a typed account: directories ignore case, and an é is the same as an e with a combining accent."""
    # Not casefold: it turns ß into ss, which a directory would not find.
    return normalize("NFC", account.strip().lower())


def may_be_account(account: str) -> bool:
    """Whether a normalized account has a valid length and characters."""
    return 0 < len(account) <= MAX_ACCOUNT and account.isprintable()


def may_be_password(text: str) -> bool:
    """Whether a password may be tried. A directory takes an empty one as an anonymous login (RFC 4513, 5.1.2)."""
    # A directory may stop at a NUL. A lone surrogate, which only a JSON document can hold, is no character.
    return 0 < len(text) <= MAX_PASSWORD and not any(sign == "\0" or category(sign) == "Cs" for sign in text)
