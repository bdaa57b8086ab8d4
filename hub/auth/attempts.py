"""Limits on login attempts: few passwords can be tried, and no colleague is locked out at a usual address. Pure.

A try counts as failed from its start, so that concurrent tries count too. The count is taken back when the login
succeeds or when nobody could judge the password. A refused try is not counted: trying again does not lengthen the wait.

There are three counts:

- failures of an account from one address;
- failures from an address;
- failures of an account from all addresses where it has not logged in during the last 30 days.

Where the account has logged in during that time, only the first count is checked and raised. So an attacker who tries
a colleague's account from elsewhere, or many accounts from anywhere, never stops that colleague from logging in at
their usual address.

Sources of the numbers: NIST SP 800-63B-4, 3.2.2, allows at most 100 failed attempts on an account, and suggests
growing waits and the addresses of earlier logins so that the owner is not shut out. OWASP's Authentication Cheat Sheet
asks for a threshold, a window and a wait, counted by account. Here an account allows 100 failures a day from unknown
addresses. All counts are in memory and lost at a restart. Their number is bounded; a flood of made-up accounts or
addresses pushes counts out but gains no extra try, see `_Failures`.
"""

import unicodedata
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from itertools import zip_longest
from typing import Generic, TypeVar

from hub.site import DAY_MS, MINUTE_MS

# A town hall has hundreds of people. An attacker who floods this with made-up ones is first stopped by the count of
# their own address.
COUNTED_MOST = 10_000
KNOWN_MOST = 10_000
KNOWN_ADDRESSES_MOST = 20
KNOWN_MS = 30 * DAY_MS
# An internet line is given a prefix of this length and may use any address in it.
IPV6_PREFIX = 64
# The longest written form of an address.
ADDRESS_SIGNS = 45

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Most:
    """At most `failures` within a sliding window."""

    failures: int
    within_ms: int


# The second, longer window makes the wait grow.
OF_PAIR = (Most(5, 15 * MINUTE_MS), Most(12, 60 * MINUTE_MS))
OF_ADDRESS = (Most(30, 15 * MINUTE_MS), Most(200, DAY_MS))
OF_ACCOUNT = (Most(20, 15 * MINUTE_MS), Most(100, DAY_MS))


@dataclass(frozen=True, slots=True)
class Try:
    """An allowed try. `account`, `address`: the keys it counts under. `known`: the account has logged in from there."""

    account: str
    address: str
    at_ms: int
    known: bool


class Attempts:
    """The tries of all accounts. Accounts may come in any spelling. Not thread-safe."""

    def __init__(self) -> None:
        self._pairs: _Failures[tuple[str, str]] = _Failures(OF_PAIR)
        # Kept apart, so that a flood of other people's failures never counts against somebody at their usual address.
        self._known_pairs: _Failures[tuple[str, str]] = _Failures(OF_PAIR)
        self._addresses: _Failures[str] = _Failures(OF_ADDRESS)
        self._accounts: _Failures[str] = _Failures(OF_ACCOUNT)
        self._known: OrderedDict[str, OrderedDict[str, int]] = OrderedDict()

    def begin(self, account: str, address: str, now_ms: int) -> Try | None:
        """Count a try and return it; None if it is refused."""
        key, place = one_account(account), one_address(address)
        begun = Try(key, place, now_ms, known=self._knows(key, place, now_ms))
        pairs = self._pairs_of(begun)
        if pairs.full((key, place), now_ms):
            return None
        if not begun.known and (self._addresses.full(place, now_ms) or self._accounts.full(key, now_ms)):
            return None
        pairs.add((key, place), now_ms)
        if not begun.known:
            self._addresses.add(place, now_ms)
            self._accounts.add(key, now_ms)
        return begun

    def came_in(self, begun: Try, now_ms: int) -> None:
        """The password was right: forget the earlier failures from this address, and remember the address as known."""
        self.not_judged(begun)
        failed_ms = self._pairs_of(begun).forget((begun.account, begun.address))
        if not begun.known:
            for at_ms in failed_ms:
                self._addresses.take_back(begun.address, at_ms)
                self._accounts.take_back(begun.account, at_ms)
        addresses = self._known.get(begun.account, OrderedDict())
        _put_last(addresses, begun.address, now_ms, KNOWN_ADDRESSES_MOST)
        _put_last(self._known, begun.account, addresses, KNOWN_MOST)

    def not_judged(self, begun: Try) -> None:
        """Nobody could say whether the password was right: take the count back."""
        self._pairs_of(begun).take_back((begun.account, begun.address), begun.at_ms)
        if not begun.known:
            self._addresses.take_back(begun.address, begun.at_ms)
            self._accounts.take_back(begun.account, begun.at_ms)

    def _pairs_of(self, begun: Try) -> "_Failures[tuple[str, str]]":
        return self._known_pairs if begun.known else self._pairs

    def _knows(self, account: str, address: str, now_ms: int) -> bool:
        at_ms = self._known.get(account, OrderedDict[str, int]()).get(address)
        return at_ms is not None and now_ms - at_ms < KNOWN_MS


class _Failures(Generic[K]):
    """The times of each key's failures, ascending, for at most COUNTED_MOST keys.

    Beyond that it forgets the key with the fewest failures; among equals, the one that has had so many for longest.
    A key without an entry counts like the worst of the forgotten ones, so never as fewer failures than it really had.
    """

    def __init__(self, rule: tuple[Most, ...]) -> None:
        self._rule = rule
        self._kept_most = max(most.failures for most in rule)
        self._kept_ms = max(most.within_ms for most in rule)
        self._at_ms: OrderedDict[K, deque[int]] = OrderedDict()
        # The keys by number of failures, so that no search is needed.
        self._having: list[OrderedDict[K, None]] = [OrderedDict() for _ in range(self._kept_most + 1)]
        # In every window up to now, at least as many failures as any forgotten key had.
        self._forgotten: list[int] = []

    def full(self, key: K, now_ms: int) -> bool:
        at_ms = self._at_ms.get(key, self._forgotten)
        return any(_count_since(at_ms, now_ms - most.within_ms) >= most.failures for most in self._rule)

    def add(self, key: K, now_ms: int) -> None:
        self._drop_old(now_ms)
        at_ms = self.forget(key) if key in self._at_ms else deque(self._forgotten, self._kept_most)
        at_ms.append(now_ms)
        self._at_ms[key] = at_ms
        self._having[len(at_ms)][key] = None
        if len(self._at_ms) > COUNTED_MOST:
            fewest = next(having for having in self._having if having)
            self._forgotten = _worst(self._forgotten, self.forget(next(iter(fewest))))

    def _drop_old(self, now_ms: int) -> None:
        """Forget the keys whose failures are all too old to count."""
        while self._at_ms:
            key, at_ms = next(iter(self._at_ms.items()))
            if at_ms and at_ms[-1] > now_ms - self._kept_ms:
                return
            self.forget(key)

    def take_back(self, key: K, at_ms: int) -> None:
        failed_ms = self._at_ms.get(key, deque[int]())
        if at_ms not in failed_ms:  # forgotten in the meantime
            return
        del self._having[len(failed_ms)][key]
        failed_ms.remove(at_ms)
        self._having[len(failed_ms)][key] = None

    def forget(self, key: K) -> deque[int]:
        """Return the forgotten failures."""
        at_ms = self._at_ms.pop(key, deque[int]())
        self._having[len(at_ms)].pop(key, None)
        return at_ms


def _worst(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Merge two ascending lists: in every window up to now, the result has as many failures as the worse of them."""
    both = zip_longest(reversed(one), reversed(other), fillvalue=0)
    return [max(pair) for pair in both][::-1]


def _count_since(at_ms: Iterable[int], since_ms: int) -> int:
    return sum(1 for each in at_ms if each > since_ms)


def one_account(account: str) -> str:
    """One key for all spellings that a directory may take for the same account.

    Directories ignore case and, at times, accents and punctuation. Two accounts with the same key only share a count.
    """
    # Folded again after NFKD, which makes a plain capital of a mathematical one.
    folded = unicodedata.normalize("NFKD", account.casefold()).casefold()
    return "".join(each for each in folded if each.isalnum()) or account


def one_address(address: str) -> str:
    """One key for all addresses of an internet line: an IPv6 address is replaced by its prefix."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:ADDRESS_SIGNS]
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> IPV6_PREFIX << IPV6_PREFIX)}/{IPV6_PREFIX}"


def _put_last(into: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    into[key] = value
    into.move_to_end(key)
    if len(into) > most:
        into.popitem(last=False)
