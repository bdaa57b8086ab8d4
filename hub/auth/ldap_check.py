"""Checks the directory's settings: address, certificate, service account, base and groups, and what a person may do.

It changes nothing. Of a person it shows only the account as typed, their roles and groups: no name and no password.
"""

import threading
from collections.abc import Iterator
from functools import partial

import structlog

from hub.auth.ldap_directory import (
    Known,
    NowS,
    Reader,
    Searcher,
    servers_of,
    spelling_of,
)
from hub.auth.ldap_faults import FaultKind, ServerFault
from hub.auth.ldap_groups import group_names
from hub.auth.ldap_names import LDAP_PORT, LDAPS_PORT, Address, bind_name, dn_key, escaped, is_under
from hub.auth.ldap_secrets import LdapSecrets
from hub.auth.ldap_servers import WHOLE_S, ServerTalk
from hub.auth.people import may_be_account, may_be_password, one_spelling
from hub.findings import Finding, Level
from hub.site import LdapDirectory

log = structlog.get_logger(__name__)

# Groups shown of a person without a role: enough to see which one the site file should name.
GROUPS_SHOWN_MOST = 10
_PASSWORD_STATE = ("pwdReset", "pwdAccountLockedTime", "pwdChangedTime")
_MEMBERS = ("member", "uniqueMember", "memberUid")

_ADVICE = {
    FaultKind.UNREACHED: "check the address, and that no firewall blocks the hub",
    FaultKind.TIMEOUT: "check that the server is running, and that no firewall blocks the hub",
    FaultKind.TLS_TIME: "renew the server's certificate, or correct this machine's clock",
    FaultKind.LOST: "check that it is an LDAP server, and that it keeps running",
    FaultKind.TLS: (
        "name the authority that signed it in SUIVANT_LDAP_CA_FILE, and write the server in `servers` by a name in its "
        "certificate"
    ),
    FaultKind.ACCOUNT: "check service_account, the complete name, and the password in SUIVANT_LDAP_PASSWORD_FILE",
    FaultKind.BASE: "check its name, and that the account may read it",
    FaultKind.REFERRAL: "name the server that has the base",
}


def check(
    described: LdapDirectory,
    secrets: LdapSecrets,
    person: str | None,
    password: str | None,
    now_s: NowS,
    whole_s: float = WHOLE_S,
) -> Iterator[Finding]:
    """Yield the findings, server by server. `password`: the person's, where people bind as themselves.

    Raises WrongSetting if the service account's password or the CA file is missing.
    """
    reader = Reader(described, now_s)
    servers = servers_of(described, secrets, whole_s)
    found: list[Finding] = []
    try:
        for address, outcome in servers.ask_each(partial(_look, reader, person, password, found)):
            yield from found
            found.clear()
            if isinstance(outcome, ServerFault):
                advice = _other_port(address) if outcome.kind is FaultKind.NO_TLS else _ADVICE.get(outcome.kind)
                yield _wrong(f"{outcome}{f': {advice}' if advice else ''}")
    finally:
        servers.close()
    if described.service_account is None:
        words = "without a service account, the hub does not check rights again until a session ends after absolute_h"
        yield Finding(Level.NOTE, words)


def warn_once(described: LdapDirectory, secrets: LdapSecrets, now_s: NowS) -> threading.Thread:
    """Log what is wrong, so that it is known before the first person is refused.

    It runs in the background, so that a directory that hangs does not delay the start.
    """
    thread = threading.Thread(target=_warn, args=(described, secrets, now_s), name="ldap-check", daemon=True)
    thread.start()
    return thread


def _warn(described: LdapDirectory, secrets: LdapSecrets, now_s: NowS) -> None:
    try:
        for finding in check(described, secrets, None, None, now_s):
            if finding.level is Level.WRONG:
                log.warning("ldap.wrong", found=finding.words)
    except Exception:
        log.exception("ldap.not_checked")


def _other_port(address: Address) -> str:
    if address.tls_first:
        return (
            f"port {LDAPS_PORT} is usually for ldaps://, {LDAP_PORT} for ldap:// (StartTLS): check which of the two "
            f"port {address.port} is for"
        )
    return (
        f"port {LDAP_PORT} is usually for ldap:// (StartTLS), {LDAPS_PORT} for ldaps://: check which of the two "
        f"port {address.port} is for, and that the server has a certificate"
    )


def _look(reader: Reader, person: str | None, password: str | None, found: list[Finding], talk: ServerTalk) -> None:
    """Add to `found` step by step, so that what was found before a fault is still reported."""
    link = talk.open()
    found.append(_ok(f"{talk.address} can be reached over TLS, and its certificate is trusted"))
    if reader.described.bind_as is None:
        with talk.service() as service:
            found.append(_ok("the service account can log in"))
            found.extend(_places(reader, service))
            if person is not None:
                found.extend(_person(reader, service, person))
        return
    if person is None or password is None:
        words = "only a person's own account can check base and groups: name a person, and type their password"
        found.append(Finding(Level.NOTE, words))
        return
    account = one_spelling(person)
    may_be = may_be_account(account) and may_be_password(password)
    name = bind_name(reader.described.bind_as, account) if may_be else None
    if name is None or not link.bind(name, password).ok:
        found.append(_wrong(f"{person!r} cannot log in: the password or bind_as is wrong, or the account is closed"))
        return
    found.append(_ok(f"{person!r} can log in"))
    found.extend(_places(reader, link))
    known = reader.log_in(talk, person, password)
    if known is None:
        found.append(_wrong(f"{person!r} has no entry of their own under the base, or does not match the filter"))
    else:
        found.append(_allowed(reader, link, person, known))


def _places(reader: Reader, searcher: Searcher) -> Iterator[Finding]:
    described = reader.described
    for key, base in (("base", described.base), ("group_base", described.group_base)):
        if base is not None:
            yield _place(searcher, key, base)
    yield _people(reader, searcher)
    for group in group_names(described.groups):
        yield _group(searcher, group, described.group_base or described.base)


def _place(searcher: Searcher, key: str, base: str) -> Finding:
    if spelling_of(searcher, base) is None:
        return _wrong(f"{key} {base} is not found: check its name, and that the account may read it")
    return _ok(f"{key} {base} exists")


def _people(reader: Reader, searcher: Searcher) -> Finding:
    attribute = reader.account_attribute
    try:
        found = searcher.search(
            reader.described.base, reader.filter_for(None), (attribute, reader.name_attribute), most=1
        )
    except ServerFault as fault:
        if fault.kind is FaultKind.LIMIT:
            return Finding(
                Level.NOTE,
                f"there are more people under the base than the account may look through, so {attribute} is not "
                "checked: name a person to check it",
            )
        if fault.kind is not FaultKind.BASE:
            raise
        return _wrong("nobody is found, because the base is not found")
    if not found.entries:
        also = f" and matches {reader.described.filter}" if reader.described.filter else ""
        keys = "account_attribute and filter" if reader.described.filter else "account_attribute"
        return _wrong(f"nobody under the base has {attribute}{also}: check {keys}, and that the account may read it")
    entry = found.entries[0]
    if not entry.texts(attribute):
        return _wrong(f"people are found, but not their {attribute}: allow the account to read it")
    if not entry.texts(reader.name_attribute):
        words = f"people are found by {attribute}, but have no {reader.name_attribute}, so {attribute} is shown instead"
        return Finding(Level.NOTE, f"{words}: check name_attribute, and that the account may read it")
    return _ok(f"people are found by {attribute}, and {reader.name_attribute} is shown as their name")


def _group(searcher: Searcher, group: str, base: str) -> Finding:
    spelt = spelling_of(searcher, group)
    if spelt is None:
        return _wrong(
            f"group {group} is not found, so it gives nobody a role: check whether it was renamed, and that the "
            "account may read it"
        )
    if dn_key(spelt) != dn_key(group):
        return _wrong(f"group {group}: write it as the directory does, {spelt}")
    if not is_under(group, base):
        return _wrong(f"group {group} is outside {base}, where the hub searches for groups: set another group_base")
    entry = searcher.search(group, "(objectClass=*)", _MEMBERS, most=1, below=False).entries[0]
    # Active Directory splits long lists into attributes such as `member;range=0-1499`.
    members = sum(len(values) for key, values in entry.values.items() if not key.startswith("objectclass"))
    if not members:
        return Finding(
            Level.NOTE,
            f"group {group} exists, but shows no members: check that it has some, and that the account may read them",
        )
    return _ok(f"group {group} exists, and has members")


def _person(reader: Reader, searcher: Searcher, person: str) -> Iterator[Finding]:
    if not may_be_account(one_spelling(person)):
        yield _wrong(f"{person!r} cannot be an account: it is empty, too long, or has characters that are not allowed")
        return
    asked = reader.filter_for(person)
    entries = reader.matching(searcher, person)
    if len(entries) != 1:
        many = "nobody matches" if not entries else "more than one entry matches, so none of them may log in:"
        left_out = (
            "; somebody matches without the filter: check filter"
            if not entries and _any(reader, searcher, person)
            else ""
        )
        yield _wrong(f"{person!r}: {many} {asked} under {reader.described.base}{left_out}")
        return
    known = reader.known(searcher, entries[0], fresh=True)
    yield _allowed(reader, searcher, person, known)
    if known.person.roles and not known.is_over:
        yield Finding(Level.NOTE, _of_the_password(searcher, person, known))


def _any(reader: Reader, searcher: Searcher, person: str) -> bool:
    """Whether the account exists but the filter leaves it out."""
    asked = f"({reader.account_attribute}={escaped(one_spelling(person))})"
    return reader.described.filter is not None and bool(searcher.search(reader.described.base, asked, most=1).entries)


def _of_the_password(searcher: Searcher, person: str, known: Known) -> str:
    """What the entry shows of the password's state. Only the password policy decides whether they may still log in."""
    found = searcher.search(known.entry.dn, "(objectClass=*)", _PASSWORD_STATE, most=1, below=False)
    entry = next(iter(found.entries), known.entry)
    if (entry.text("pwdReset") or "").casefold() == "true":
        return f"the password of {person!r} was reset: they may have to change it elsewhere before they can log in"
    locked, changed = entry.text("pwdAccountLockedTime"), entry.text("pwdChangedTime")
    if locked is not None:
        return f"wrong passwords locked {person!r} at {locked}: they cannot log in until the directory unlocks them"
    seen = f"was last changed at {changed}" if changed else "has an age that the directory does not show"
    return (
        f"the password of {person!r} {seen}: if it is expired or locked, they cannot log in, and the hub logs "
        "ldap.refused"
    )


def _allowed(reader: Reader, searcher: Searcher, person: str, known: Known) -> Finding:
    if known.is_over:
        return _wrong(f"{person!r} is found, but the account is disabled, locked or expired, so they cannot log in")
    if known.person.roles:
        ways = {each: _way(searcher, known, each) for each in known.groups if reader.roles_of([each])}
        as_ = (
            f"{role} (by {'; '.join(way for group, way in ways.items() if role in reader.roles_of([group]))})"
            for role in sorted(known.person.roles)
        )
        return _ok(f"{person!r} can log in with the right password, as {', '.join(as_)}")
    shown = "; ".join(known.groups[:GROUPS_SHOWN_MOST])
    groups = f"none of their groups gives one: {shown}" if shown else "they are in no group that gives one"
    return _wrong(f"{person!r} has no role, so cannot log in: {groups}")


def _way(searcher: Searcher, known: Known, group: str) -> str:
    """`inner in group` if another of the person's groups is nested in this one, else the group."""
    for inner in known.groups[:GROUPS_SHOWN_MOST]:
        holds = f"(|(member={escaped(inner)})(uniqueMember={escaped(inner)}))"
        if inner != group and searcher.search(group, holds, most=1, below=False).entries:
            return f"{inner} in {group}"
    return group


def _ok(words: str) -> Finding:
    return Finding(Level.OK, words)


def _wrong(words: str) -> Finding:
    return Finding(Level.WRONG, words)
