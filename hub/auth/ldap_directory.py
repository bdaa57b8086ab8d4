"""The municipal directory: OpenLDAP, Active Directory, or a compatible server."""

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import structlog
from msgspec import structs

from hub.auth.directory import DirectoryAway
from hub.auth.ldap_entries import CUSTOMS, Custom, Entry, account_of, lock_of, name_of
from hub.auth.ldap_faults import FaultKind, ServerFault
from hub.auth.ldap_groups import Above, FindGroups, group_names, groups_giving, groups_of, roles_by_group, roles_of
from hub.auth.ldap_link import Bound, Link
from hub.auth.ldap_names import bind_name, dn_key, escaped, is_distinguished, parse_address
from hub.auth.ldap_secrets import LdapSecrets
from hub.auth.ldap_servers import WHOLE_S, Servers, ServerTalk, Service
from hub.auth.people import LoginRefused, Person, Reason, may_be_account, may_be_password, one_spelling
from hub.auth.roles import Role
from hub.site import LdapDirectory
from protocol.environment import PREFIX, WrongSetting

log = structlog.get_logger(__name__)

PEOPLE_MOST = 2
# One search finds few groups; servers commonly give out at most 500 entries.
GROUPS_OF_ONE_MOST = 500
# The name that an unknown account binds as, so that its refusal costs the same questions as a known account's. The
# server may still be faster: OpenLDAP computes no hash for a name that does not exist.
_NOBODY = "cn=suivant-unknown-account"

NowS = Callable[[], float]
# A search uses the service account's connection or the person's own.
Searcher = Service | Link


@dataclass(frozen=True, slots=True)
class Known:
    """What the directory says about an account."""

    entry: Entry
    person: Person
    is_over: bool
    groups: tuple[str, ...]
    # Groups that the site file names but the directory does not show. Looked for only if a role would be lost or the
    # person has none.
    unseen: tuple[str, ...] = ()


def open_directory(described: LdapDirectory, secrets: LdapSecrets, *, whole_s: float = WHOLE_S) -> "MunicipalDirectory":
    """Connects to nothing yet. Raises WrongSetting if the service account's password or the CA file is missing."""
    return MunicipalDirectory(described, servers_of(described, secrets, whole_s), time.time)


def servers_of(described: LdapDirectory, secrets: LdapSecrets, whole_s: float) -> Servers:
    service = None
    if described.service_account is not None:
        if not secrets.password:
            wanted = "a file whose first line is the password of the service account that the site file names"
            raise WrongSetting(f"{PREFIX}LDAP_PASSWORD_FILE", None, wanted)
        service = (described.service_account, secrets.password)
    try:
        context = ssl.create_default_context(cafile=secrets.ca_file)
    except (OSError, ssl.SSLError) as error:
        wanted = f"a readable PEM file with the certificate of an authority ({error})"
        raise WrongSetting(f"{PREFIX}LDAP_CA_FILE", str(secrets.ca_file), wanted) from error
    return Servers([parse_address(each) for each in described.servers], context, service, whole_s=whole_s)


class MunicipalDirectory:
    def __init__(self, described: LdapDirectory, servers: Servers, now_s: NowS) -> None:
        self._servers = servers
        self._reader = Reader(described, now_s)
        self._unseen = UnseenGroups()
        self.can_look_up = described.service_account is not None

    def log_in(self, account: str, password: str, /) -> Person:
        # A bind with an empty password succeeds as anonymous: it must never be sent.
        if not may_be_account(one_spelling(account)) or not may_be_password(password):
            raise LoginRefused(Reason.WRONG)
        try:
            known = self._servers.ask(partial(self._reader.log_in, account=account, password=password))
        except DirectoryAway:
            # The log already says which server and why.
            raise LoginRefused(Reason.AWAY) from None
        if known is not None and known.is_over:
            log.info("ldap.refused", why="account disabled, locked or expired")
        if known is None or known.is_over:
            raise LoginRefused(Reason.WRONG)
        self._unseen.note(known)
        if not known.person.roles:
            raise LoginRefused(Reason.AWAY if known.unseen else Reason.NO_ROLE)
        return known.person

    def look_up(self, account: str, /, held: frozenset[Role] = frozenset()) -> Person | None:
        # No `may_be_account` here: the account came from the directory and may be longer than one that can be typed, if
        # its entry has several. Only the directory may say that it is gone.
        if not account:
            return None
        known = self._servers.ask(partial(self._reader.look_up, account=account, held=held))
        if known is None or known.is_over:
            return None
        self._unseen.note(known)
        roles = known.person.roles | (held & self._reader.roles_of(known.unseen))
        return structs.replace(known.person, roles=roles) if roles else None

    def close(self) -> None:
        self._servers.close()


class Reader:
    """The questions to one server, built from the site file's description of the directory. Raises ServerFault."""

    def __init__(self, described: LdapDirectory, now_s: NowS) -> None:
        self.described = described
        self._now_s = now_s
        self._custom: Custom = CUSTOMS[described.kind]
        self.account_attribute = described.account_attribute or self._custom.account
        self.name_attribute = described.name_attribute or self._custom.name
        self._attributes = list(
            dict.fromkeys([self.account_attribute, self.name_attribute, self._custom.account, *self._custom.state])
        )
        self._by_group = roles_by_group(described.groups)
        self._above = Above(now_s)

    def log_in(self, talk: ServerTalk, account: str, password: str) -> Known | None:
        """Return None unless account and password are those of one person."""
        if self.described.bind_as is not None:
            return self._log_in_directly(talk, self.described.bind_as, account, password)
        with talk.service() as service:
            entry = self.find(service, account)
            bound = talk.open().bind(entry.dn if entry else f"{_NOBODY},{self.described.base}", password)
            if entry is None:
                self._must_show_people(service)
                return None
            if not _let_in(bound, entry):
                # The bind has answered; this is asked only so that both refusals cost the same questions.
                with suppress(ServerFault):
                    self._must_show_people(service)
                return None
            known = self.known(service, entry)
            if known.person.roles or known.is_over:
                return known
            return replace(known, unseen=self._unseen(service, group_names(self.described.groups)))

    def look_up(self, talk: ServerTalk, account: str, held: frozenset[Role] = frozenset()) -> Known | None:
        with talk.service() as service:
            entry = self.find(service, account)
            if entry is None:
                self._must_show_people(service)
                return None
            known = self.known(service, entry, fresh=True)
            lost = held - known.person.roles
            return replace(known, unseen=self._unseen(service, groups_giving(lost, self.described.groups)))

    def roles_of(self, groups: Iterable[str]) -> frozenset[Role]:
        return roles_of(groups, self._by_group)

    def _unseen(self, searcher: Searcher, groups: Iterable[str]) -> tuple[str, ...]:
        """The groups that the directory does not show.

        Only for the service account: a person's own account may rightly see nothing but their own groups.
        """
        return tuple(each for each in groups if spelling_of(searcher, each) is None)

    def find(self, searcher: Searcher, account: str, at: str | None = None) -> Entry | None:
        """The one entry of that account, under the base or named `at`; None if there is none or more than one."""
        entries = self.matching(searcher, account, at)
        if len(entries) > 1:
            log.warning("ldap.ambiguous", attribute=self.account_attribute, base=self.described.base)
            return None
        return next(iter(entries), None)

    def matching(self, searcher: Searcher, account: str, at: str | None = None) -> tuple[Entry, ...]:
        """The entries of that account, at most two: a second one means that the account is ambiguous."""
        base, matching = at or self.described.base, self.filter_for(account)
        with _named("base", self.described.base):
            found = searcher.search(base, matching, self._attributes, most=PEOPLE_MOST, below=at is None)
        if found.more and len(found.entries) < PEOPLE_MOST:
            words = f"returns fewer than {PEOPLE_MOST} entries per search"
            raise ServerFault(FaultKind.REFUSED, str(searcher.address), words)
        return found.entries

    def _must_show_people(self, searcher: Searcher) -> None:
        """Raise ServerFault if nobody under the base has an account: then finding nobody says nothing about the person.

        The base or its people may be hidden from the service account, or a replica may not be filled yet.
        """
        base = self.described.base
        try:
            self._must_show_an_account(searcher, self.filter_for(None))
        except ServerFault as fault:
            if fault.kind not in {FaultKind.BASE, FaultKind.LIMIT}:
                raise
            if spelling_of(searcher, base) is None:
                raise ServerFault(FaultKind.BASE, fault.server, f"does not show the base {base}") from None
            # A search that met too many entries to read them all did not find nobody.
            if fault.kind is FaultKind.BASE:
                raise

    def _must_show_an_account(self, searcher: Searcher, matching: str, at: str | None = None) -> None:
        """Raise ServerFault unless an entry under the base, or the one named `at`, shows its account."""
        base = at or self.described.base
        found = searcher.search(base, matching, [self.account_attribute], most=1, below=at is None)
        if not any(account_of(each, self.account_attribute) for each in found.entries):
            words = f"shows nobody with {self.account_attribute} under the base {self.described.base}"
            raise ServerFault(FaultKind.BASE, str(searcher.address), words)

    def filter_for(self, account: str | None) -> str:
        """The filter for one account; with None, for any entry that has an account."""
        asked = f"({self.account_attribute}={'*' if account is None else escaped(one_spelling(account))})"
        return f"(&{self.described.filter}{asked})" if self.described.filter else asked

    def _log_in_directly(self, talk: ServerTalk, template: str, account: str, password: str) -> Known | None:
        name = bind_name(template, one_spelling(account))
        if name is None:
            return None
        link = talk.open()
        if not _let_in(link.bind(name, password), None):
            return None
        at = name if is_distinguished(template) else None
        entry = self.find(link, account, at)
        if entry is None:
            # The password is right. The filter is left out, since it may rightly exclude whoever sees only themselves.
            self._must_show_an_account(link, f"({self.account_attribute}=*)", at)
            return None
        # This login name may equal another person's account_attribute: only the person who bound may log in.
        if at is None and not self._is_who_bound(entry, link.who_am_i()):
            log.warning("ldap.another_bound", attribute=self.account_attribute)
            return None
        return self.known(link, entry)

    def _is_who_bound(self, entry: Entry, identity: str) -> bool:
        """Whether the entry is of this identity. Active Directory answers 'Who am I?' with `u:DOMAIN\\account`."""
        kind, _colon, rest = identity.partition(":")
        account = account_of(entry, self._custom.account)
        return kind == "u" and account is not None and one_spelling(rest.rpartition("\\")[2]) == account

    def known(self, searcher: Searcher, entry: Entry, *, fresh: bool = False) -> Known:
        """Read the person's groups and roles. `fresh`: do not use the cache of which groups contain theirs."""
        account = account_of(entry, self.account_attribute)
        if account is None:
            words = f"does not show {self.account_attribute} of an entry: allow the account that searches to read it"
            raise ServerFault(FaultKind.REFUSED, str(searcher.address), words)
        listed_as = entry.text(self.account_attribute) or account
        find = self._find_groups(searcher)
        groups = tuple(groups_of(self.described, entry.dn, listed_as, find, self._above, fresh=fresh))
        name = name_of(entry, self.name_attribute) or account
        person = Person(account=account, name=name, roles=self.roles_of(groups))
        return Known(entry, person, self._custom.is_over(entry, self._now_s()), groups)

    def _find_groups(self, searcher: Searcher) -> FindGroups:
        key = "base" if self.described.group_base is None else "group_base"
        base = self.described.group_base or self.described.base

        def find(matching: str) -> list[str]:
            with _named(key, base):
                found = searcher.search(base, matching, most=GROUPS_OF_ONE_MOST)
            if found.more:
                # With only some of the groups the person would have only some of their rights.
                words = f"returns only some of a person's groups under {base}, because its limit per search is too low"
                raise ServerFault(FaultKind.REFUSED, str(searcher.address), words)
            return [each.dn for each in found.entries]

        return find


class UnseenGroups:
    """Logs each group that the directory no longer shows once, not once per member. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: frozenset[str] = frozenset()

    def note(self, known: Known) -> None:
        if not known.unseen and not self._told:
            return
        with self._lock:
            fresh = [each for each in known.unseen if dn_key(each) not in self._told]
            back = self._told & set(map(dn_key, known.groups))
            self._told = (self._told - back) | set(map(dn_key, known.unseen))
        for group in fresh:
            why = (
                "the group was renamed or removed, or the service account may not read it; whoever has its role "
                "keeps it, and nobody else gets it"
            )
            log.warning("ldap.group_missing", group=group, why=why)
        for group in sorted(back):
            log.info("ldap.group_back", group=group)


@contextmanager
def _named(key: str, base: str) -> Iterator[None]:
    """Name in the fault which of the site file's two bases is not there."""
    try:
        yield
    except ServerFault as fault:
        if fault.kind is not FaultKind.BASE:
            raise
        raise ServerFault(FaultKind.BASE, fault.server, f"does not show the {key} {base}") from None


def spelling_of(searcher: Searcher, dn: str) -> str | None:
    """The name as the server spells it; None if the server shows no such entry."""
    try:
        found = searcher.search(dn, "(objectClass=*)", most=1, below=False)
    except ServerFault as fault:
        if fault.kind is not FaultKind.BASE:
            raise
        return None
    return next((each.dn for each in found.entries), None)


def _let_in(bound: Bound, entry: Entry | None) -> bool:
    """Whether the bind succeeded. The page says the same for all refusals; the log has the reason, without the name."""
    why = bound.why or (lock_of(entry) if entry else None)
    if not bound.ok and why is not None:
        log.info("ldap.refused", why=why)
    return bound.ok
