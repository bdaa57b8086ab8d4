"""Names, filters, entries and groups of a directory, tested without a directory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.auth.ldap_entries import CUSTOMS, Entry, account_of, name_of, policy_refusal
from hub.auth.ldap_groups import (
    DEPTH_MOST,
    GROUPS_MOST,
    REMEMBERED_S,
    Above,
    groups_of,
    in_chain_filter,
    roles_by_group,
    roles_of,
)
from hub.auth.ldap_names import Address, bind_name, dn_key, escaped, parse_address
from hub.auth.roles import Role
from hub.site import LdapDirectory, RoleGroups

TOWN = "dc=example,dc=fr"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ldaps://ldap.example.fr", Address("ldap.example.fr", 636, tls_first=True)),
        ("ldap://ldap.example.fr", Address("ldap.example.fr", 389, tls_first=False)),
        ("ldaps://[2001:db8::1]:1636", Address("2001:db8::1", 1636, tls_first=True)),
    ],
)
def test_an_address_has_its_port_by_custom(text: str, address: Address):
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize("text", ["ldaps://", "ldaps://:636", "ldaps://a:b", "ldaps://a:70000"])
def test_what_names_no_machine_is_refused(text: str):
    with pytest.raises(ValueError, match=r"has no host name|Port"):
        parse_address(text)


@given(st.text())
def test_an_escaped_value_holds_no_sign_that_means_something(text: str):
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    found = escaped(text)
    assert all(sign.isascii() and (sign.isalnum() or sign == "\\") for sign in found)
    back = bytearray()
    place = 0
    while place < len(found):
        if found[place] == "\\":
            back.append(int(found[place + 1 : place + 3], 16))
            place += 3
        else:
            back.append(ord(found[place]))
            place += 1
    assert back.decode() == text


@pytest.mark.parametrize(
    "other",
    [
        "CN=Agents,OU=Groups,DC=Example,DC=FR",
        "cn = agents , ou=groups, dc=example,dc=fr",
        r"cn=\61gents,ou=groups,dc=example,dc=fr",
        r"cn=\ agents,ou=groups,dc=example,dc=fr",
        "commonName=agents,organizationalUnitName=groups,domainComponent=example,domainComponent=fr",
    ],
)
def test_one_name_has_many_spellings(other: str):
    assert dn_key(other) == dn_key(f"cn=agents,ou=groups,{TOWN}")


@pytest.mark.parametrize(
    "other",
    [
        r"cn=agents\,ou=groups,dc=example,dc=fr",
        r"cn=agents\2Cou=groups,dc=example,dc=fr",
        "cn=agents+ou=groups,dc=example,dc=fr",
        "cn=agents,dc=example,dc=fr",
        "uid=agents,ou=groups,dc=example,dc=fr",
    ],
)
def test_two_names_stay_two(other: str):
    assert dn_key(other) != dn_key(f"cn=agents,ou=groups,{TOWN}")
    assert dn_key("cn=a+ou=b,dc=fr") == dn_key("ou=B+cn=A,dc=fr")


def test_nobody_binds_as_another_by_what_they_type():
    assert bind_name("uid={account},ou=people", "a,b+c") == r"uid=a\2cb\2bc,ou=people"
    assert bind_name("{account}@example.fr", "alix.exemple") == "alix.exemple@example.fr"
    for account in ("alix@other.fr", "OTHER\\alix", "cn=alix", "a b", "a,b"):
        assert bind_name("{account}@example.fr", account) is None
        assert bind_name("EXAMPLE\\{account}", account) is None


# --- groups -------------------------------------------------------------------------------------------------------


def described(**changes) -> LdapDirectory:
    fields = {"servers": ("ldaps://a",), "base": TOWN, "groups": RoleGroups(agent=(f"cn=agents,{TOWN}",))}
    return LdapDirectory(**(fields | changes))


def test_a_chain_of_groups_is_followed_so_far_and_no_farther():
    asked: list[str] = []

    def find(matching: str) -> list[str]:
        asked.append(matching)
        return [f"cn=level-{len(asked)},{TOWN}"]

    groups = groups_of(described(), "uid=a", "a", find, Above(lambda: 0.0))
    assert len(groups) == len(asked) == 1 + DEPTH_MOST


def test_a_crowd_of_groups_is_followed_so_far_and_no_farther():
    def find(matching: str) -> list[str]:
        return [f"cn={abs(hash(matching))}-{number},{TOWN}" for number in range(400)]

    assert len(groups_of(described(), "uid=a", "a", find, Above(lambda: 0.0))) == GROUPS_MOST


def test_what_stands_around_a_group_is_remembered_for_a_minute():
    now_s = 1000.0
    around = [f"cn=outer,{TOWN}"]
    asked: list[str] = []

    def find(matching: str) -> list[str]:
        asked.append(matching)
        return list(around) if "outer" not in matching else []

    def looked_up(*, fresh: bool = False) -> tuple[list[str], int]:
        asked.clear()
        return list(above.of([f"cn=inner,{TOWN}"], find, fresh=fresh)), len(asked)

    above = Above(lambda: now_s)
    outer = [f"cn=outer,{TOWN}"]
    assert looked_up() == (outer, 2)
    around.clear()
    assert looked_up() == (outer, 0)
    # A check of whether a right still holds asks anew, and the next login uses that answer.
    assert looked_up(fresh=True) == ([], 1)
    assert looked_up() == ([], 0)
    now_s += REMEMBERED_S
    assert looked_up() == ([], 1)
    now_s -= 3600
    assert looked_up() == ([], 1)


def test_active_directory_is_asked_by_its_own_matching_rule_and_only_for_groups_that_count():
    # https://learn.microsoft.com/windows/win32/adsi/search-filter-syntax: LDAP_MATCHING_RULE_IN_CHAIN.
    asked: list[str] = []

    def find(matching: str) -> list[str]:
        asked.append(matching)
        return [f"CN=Agents,{TOWN}"]

    directory = described(kind="active_directory")
    groups = groups_of(directory, f"CN=Alix (mairie),{TOWN}", "alix", find, Above(lambda: 0.0))
    assert roles_of(groups, roles_by_group(directory.groups)) == {Role.AGENT}
    assert asked == [in_chain_filter(f"CN=Alix (mairie),{TOWN}", [f"cn=agents,{TOWN}"])]
    assert asked[0] == (
        r"(&(objectClass=group)(|(distinguishedName=cn\3dagents\2cdc\3dexample\2cdc\3dfr))"
        r"(member:1.2.840.113556.1.4.1941:=CN\3dAlix\20\28mairie\29\2cdc\3dexample\2cdc\3dfr))"
    )


# --- entries ------------------------------------------------------------------------------------------------------


def entry(**values: str | list[str]) -> Entry:
    listed = {key: [value] if isinstance(value, str) else value for key, value in values.items()}
    return Entry("uid=a", {key.lower(): tuple(each.encode() for each in value) for key, value in listed.items()})


def test_an_account_with_several_spellings_is_always_the_same_one():
    assert account_of(entry(uid=["Zoé", "alix"]), "uid") == account_of(entry(uid=["alix", "Zoé"]), "uid") == "alix"
    assert account_of(entry(), "uid") is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("3000", None),
        ("3003810100", "password expired"),
        ("3003810101", "account locked"),
        ("3003810102", "password must be changed"),
        # Only warnings: logins left, seconds left.
        ("3005a003810102", None),
        ("3006a00480020e10", None),
        ("3008a003810100810101", "account locked"),
        ("3003810109", None),
        ("", None),
        ("300381", None),
    ],
)
def test_the_answer_of_a_password_policy_is_read(answer: str, why: str | None):
    assert policy_refusal(bytes.fromhex(answer)) == why


def test_a_name_is_what_a_screen_can_show():
    assert name_of(entry(cn="  Alix\u202e \n Exemple\0 "), "cn") == "Alix Exemple"
    assert name_of(entry(cn="x" * 1000), "cn") == "x" * 100
    assert name_of(entry(cn="\u200b"), "cn") is None


# 2026-09-21, in seconds since 1970 and in Active Directory's units (100 ns since 1601).
NOW_S = 1_790_000_000.0
NOW_TICKS = int((NOW_S + 11_644_473_600) * 10_000_000)


@pytest.mark.parametrize(
    ("kind", "values", "is_over"),
    [
        ("openldap", {}, False),
        ("openldap", {"pwdAccountLockedTime": "000001010000Z"}, True),
        ("openldap", {"pwdAccountLockedTime": "20260921000000Z"}, False),
        ("openldap", {"shadowExpire": "-1"}, False),
        ("openldap", {"shadowExpire": str(int(NOW_S // 86_400))}, True),
        ("openldap", {"shadowExpire": str(int(NOW_S // 86_400) + 1)}, False),
        ("openldap", {"shadowExpire": "soon"}, False),
        ("active_directory", {}, False),
        ("active_directory", {"userAccountControl": "512", "accountExpires": "0"}, False),
        ("active_directory", {"userAccountControl": "512", "accountExpires": "9223372036854775807"}, False),
        ("active_directory", {"userAccountControl": "514"}, True),
        ("active_directory", {"userAccountControl": "66050"}, True),
        ("active_directory", {"accountExpires": str(NOW_TICKS)}, True),
        ("active_directory", {"accountExpires": str(NOW_TICKS + 10_000_000)}, False),
    ],
)
def test_an_account_is_over_as_its_directory_says(kind: str, values: dict[str, str], is_over: bool):
    assert CUSTOMS[kind].is_over(entry(**values), NOW_S) is is_over
