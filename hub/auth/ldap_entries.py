"""A person's entry, and the attributes each kind of directory uses. Pure.

Active Directory's attributes and codes come from Microsoft's documentation and were not tried against a real server.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.auth.people import one_spelling

NAME_MOST = 100
# Active Directory counts time in units of 100 ns since 1601.
_TICKS_A_SECOND = 10_000_000
_FROM_1601_TO_1970_S = 11_644_473_600
_DAY_S = 86_400
# userAccountControl: ADS_UF_ACCOUNTDISABLE.
_DISABLED = 0x2
# accountExpires: never.
_NEVER = frozenset({0, 0x7FFF_FFFF_FFFF_FFFF})
# pwdAccountLockedTime of an account that an administrator locked. Any other value means too many wrong passwords, which
# anybody can type, so it must not end a colleague's session.
_LOCKED_FOR_GOOD = "000001010000Z"

_POLICY_ERROR = 0x81

# Why Active Directory refused a bind, by the number after `data` in its message.
REFUSALS = {
    "525": "unknown account",
    "52e": "wrong password",
    "530": "not allowed at this hour",
    "531": "not allowed from this machine",
    "532": "password expired",
    "533": "account disabled",
    "568": "member of too many groups",
    "701": "account expired",
    "773": "password must be changed",
    "775": "account locked",
}
# Why OpenLDAP's ppolicy refused a bind, if it is asked: draft-behera-ldap-password-policy-10, 6.2.
POLICY_REFUSALS = {0: "password expired", 1: "account locked", 2: "password must be changed"}


@dataclass(frozen=True, slots=True)
class Entry:
    """`values`: the raw bytes by lower-case attribute name."""

    dn: str
    values: Mapping[str, tuple[bytes, ...]]

    def texts(self, attribute: str) -> list[str]:
        return [each.decode(errors="replace") for each in self.values.get(attribute.lower(), ())]

    def text(self, attribute: str) -> str | None:
        return next(iter(self.texts(attribute)), None)

    def number(self, attribute: str) -> int | None:
        try:
            return int(self.text(attribute) or "")
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Custom:
    """The attributes of one kind of directory.

    `is_over` takes an entry and the time in s since 1970, and reads the attributes in `state`.
    """

    account: str
    name: str
    state: tuple[str, ...]
    is_over: Callable[[Entry, float], bool]


def account_of(entry: Entry, attribute: str) -> str | None:
    """The normalized account; always the same one if the entry has several."""
    return min((one_spelling(each) for each in entry.texts(attribute)), default=None)


def name_of(entry: Entry, attribute: str) -> str | None:
    """The name to show to colleagues, without unprintable characters."""
    text = "".join(sign if sign.isprintable() else " " for sign in entry.text(attribute) or "")
    return " ".join(text.split())[:NAME_MOST] or None


def policy_refusal(answer: bytes) -> str | None:
    """The error in the password policy's control: SEQUENCE { [0] warning OPTIONAL, [1] error OPTIONAL }."""
    # Each element is short: a tag, a length of one byte, the value.
    place = 2
    while place + 2 < len(answer):
        sign, length = answer[place], answer[place + 1]
        if sign == _POLICY_ERROR:
            return POLICY_REFUSALS.get(answer[place + 2])
        place += 2 + length
    return None


def lock_of(entry: Entry) -> str | None:
    """Why the entry is locked, if it is. slapd's answer to a bind says so only if its policy allows it."""
    since = entry.text("pwdAccountLockedTime")
    if since is None:
        return None
    return "account locked" if since == _LOCKED_FOR_GOOD else "wrong password, or account locked by wrong passwords"


def _is_over_openldap(entry: Entry, now_s: float) -> bool:
    if entry.text("pwdAccountLockedTime") == _LOCKED_FOR_GOOD:
        return True
    last_day = entry.number("shadowExpire")
    return last_day is not None and last_day >= 0 and now_s >= last_day * _DAY_S


def _is_over_active_directory(entry: Entry, now_s: float) -> bool:
    if (entry.number("userAccountControl") or 0) & _DISABLED:
        return True
    expires = entry.number("accountExpires")
    return expires is not None and expires not in _NEVER and now_s >= expires / _TICKS_A_SECOND - _FROM_1601_TO_1970_S


CUSTOMS = {
    "openldap": Custom("uid", "cn", ("pwdAccountLockedTime", "shadowExpire"), _is_over_openldap),
    "active_directory": Custom(
        "sAMAccountName", "displayName", ("userAccountControl", "accountExpires"), _is_over_active_directory
    ),
}
