"""`suivant ldap check`: are address, certificate, account, base and groups right, and what may a person do?

Changes nothing, and prints no name and no password: of a person only what was typed, their roles and groups.
"""

from collections.abc import Iterator
from functools import partial

from hub.auth.ldap_directory import (
    Known,
    NowS,
    Reader,
    Searcher,
    may_be_account,
    may_be_password,
    servers_of,
    spelling_of,
)
from hub.auth.ldap_faults import FaultKind, ServerFault
from hub.auth.ldap_groups import group_names
from hub.auth.ldap_names import bind_name, dn_key
from hub.auth.ldap_secrets import LdapSecrets
from hub.auth.ldap_servers import WHOLE_S, ServerTalk
from hub.findings import Finding, Level
from hub.site import LdapDirectory

# Of a person without a role: enough to see which one the site file should name.
GROUPS_SHOWN_MOST = 10
_MEMBERS = ("member", "uniqueMember", "memberUid")

_ADVICE = {
    FaultKind.UNREACHED: "is the address right, and does a firewall let the hub through?",
    FaultKind.TIMEOUT: "does the server run, and does a firewall let the hub through?",
    FaultKind.TLS: "SUIVANT_LDAP_CA_FILE names the authority that signed it, and `servers` the name it was made for",
    FaultKind.ACCOUNT: "is service_account its whole name, and does SUIVANT_LDAP_PASSWORD_FILE hold its password?",
    FaultKind.BASE: "is base right, and may the account read it?",
    FaultKind.REFERRAL: "name the server that holds the base",
}


def check(
    described: LdapDirectory,
    secrets: LdapSecrets,
    person: str | None,
    password: str | None,
    now_s: NowS,
    whole_s: float = WHOLE_S,
) -> Iterator[Finding]:
    """What is found, server after server. `password`: the person's, where people bind as themselves.

    Raises WrongSetting where the service account's password or the authority lacks.
    """
    reader = Reader(described, now_s)
    servers = servers_of(described, secrets, whole_s)
    found: list[Finding] = []
    try:
        for _address, outcome in servers.ask_each(partial(_look, reader, person, password, found)):
            yield from found
            found.clear()
            if isinstance(outcome, ServerFault):
                advice = _ADVICE.get(outcome.kind)
                yield _wrong(f"{outcome}{f': {advice}' if advice else ''}")
    finally:
        servers.close()
    if described.service_account is None:
        words = "without a service account rights are not looked at again: a session ends by its absolute limit"
        yield Finding(Level.NOTE, words)


def _look(reader: Reader, person: str | None, password: str | None, found: list[Finding], talk: ServerTalk) -> None:
    """Adds to `found` step by step, so that what was seen before a fault is told."""
    link = talk.open()
    found.append(_ok(f"{talk.address} is reached over TLS, and its certificate is trusted"))
    if reader.described.bind_as is None:
        with talk.service() as service:
            found.append(_ok("the service account is let in"))
            found.extend(_places(reader, service))
            if person is not None:
                found.extend(_person(reader, service, person))
        return
    if person is None or password is None:
        found.append(Finding(Level.NOTE, "base and groups are seen as a person alone: name one, and type the password"))
        return
    name = bind_name(reader.described.bind_as, person) if may_be_account(person) and may_be_password(password) else None
    if name is None or not link.bind(name, password).ok:
        found.append(_wrong(f"{person!r} is not let in: password wrong, account closed, or bind_as not right"))
        return
    found.append(_ok(f"{person!r} is let in"))
    found.extend(_places(reader, link))
    known = reader.log_in(talk, person, password)
    found.append(_allowed(person, known) if known else _wrong(f"{person!r} has no entry of their own under the base"))


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
        return _wrong(f"{key} {base} is not found: is it right, and may the account read it?")
    return _ok(f"{key} {base} is there")


def _people(reader: Reader, searcher: Searcher) -> Finding:
    attribute = reader.account_attribute
    try:
        found = searcher.search(
            reader.described.base, reader.filter_for(None), (attribute, reader.name_attribute), most=1
        )
    except ServerFault as fault:
        if fault.kind is not FaultKind.BASE:
            raise
        return _wrong("nobody is found, since the base is not")
    also = f" and matches {reader.described.filter}" if reader.described.filter else ""
    if not found.entries:
        return _wrong(
            f"nobody under the base has {attribute}{also}: is account_attribute right, may the account read it?"
        )
    entry = found.entries[0]
    lacking = [each for each in (attribute, reader.name_attribute) if not entry.texts(each)]
    if lacking:
        return _wrong(f"people are found, but {' and '.join(lacking)} can't be read of them: let the account read it")
    return _ok(f"people are found by {attribute}, and have {reader.name_attribute} to be shown by")


def _group(searcher: Searcher, group: str, base: str) -> Finding:
    spelt = spelling_of(searcher, group)
    if spelt is None:
        return _wrong(f"group {group} is not found, so it gives no role: was it renamed, may the account read it?")
    if dn_key(spelt) != dn_key(group):
        return _wrong(f"group {group}: write it as the directory does, {spelt}")
    if not dn_key(group).endswith(dn_key(base)):
        return _wrong(f"group {group} stands outside of {base}, where groups are looked for: name another group_base")
    entry = searcher.search(group, "(objectClass=*)", _MEMBERS, most=1, below=False).entries[0]
    # Active Directory gives long lists out in pieces, and calls a piece `member;range=0-1499`.
    members = sum(len(values) for key, values in entry.values.items() if not key.startswith("objectclass"))
    if not members:
        return Finding(
            Level.NOTE, f"group {group} is there, but no member is seen: is it empty, may the account read it?"
        )
    return _ok(f"group {group} is there, and has members")


def _person(reader: Reader, searcher: Searcher, person: str) -> Iterator[Finding]:
    if not may_be_account(person):
        yield _wrong(f"{person!r} can be nobody's account")
        return
    asked = reader.filter_for(person)
    entries = reader.matching(searcher, person)
    if len(entries) != 1:
        many = "nobody matches" if not entries else "more than one entry matches, so neither may come in:"
        yield _wrong(f"{person!r}: {many} {asked} under {reader.described.base}")
        return
    yield _allowed(person, reader.known(searcher, entries[0], fresh=True))


def _allowed(person: str, known: Known) -> Finding:
    if known.is_over:
        return _wrong(f"{person!r} is found, but the account is disabled, locked or expired: they may not come in")
    roles = ", ".join(sorted(known.person.roles))
    if roles:
        return _ok(f"{person!r} may come in with the right password, as {roles}")
    shown = "; ".join(known.groups[:GROUPS_SHOWN_MOST])
    groups = f"of these groups none gives one: {shown}" if shown else "they are in no group that gives one"
    return _wrong(f"{person!r} has no role, so may not come in: {groups}")


def _ok(words: str) -> Finding:
    return Finding(Level.OK, words)


def _wrong(words: str) -> Finding:
    return Finding(Level.WRONG, words)
