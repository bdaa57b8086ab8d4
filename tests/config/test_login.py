"""The messages that the author of the site file's `login` reads if something in it is wrong."""

import re
from pathlib import Path

import pytest

import hub
from hub.config.site_file import check_text
from hub.site import Login, Site

SITE = """\
name: annexe
town: Ville de Trois-Tilleuls
zone: Europe/Paris
halls: [{name: hall, title: Hall}]
services: [{name: papers, letter: A, title: Papiers, short: Papiers, hall: hall}]
desks: [{name: desk-1, number: 1, hall: hall, serves: [papers]}]
"""
LOGIN = """\
login:
  directory:
    servers: [ldaps://ldap1.example.fr, "ldap://10.0.0.5:1389"]
    base: ou=people,dc=example,dc=fr
    service_account: cn=suivant,dc=example,dc=fr
    groups:
      agent: ["cn=agents,ou=people,dc=example,dc=fr"]
"""
SERVICE = "service_account: cn=suivant,dc=example,dc=fr"


def read(text: str) -> tuple[Site | None, list[str]]:
    site, problems = check_text(text, Path("site.yaml"))
    return site, [f"{each.line}: {'warning: ' if each.warning else ''}{each}" for each in problems]


def login(text: str) -> Login:
    site, found = read(SITE + text)
    assert site is not None, found
    assert not any("login" in each for each in found), found
    return site.login


def test_a_site_without_a_directory_has_local_accounts_alone():
    assert login("").directory is None
    assert login("") == Login(idle_min=60, absolute_h=10, recheck_min=15, button_acts_for="agent")


def test_a_right_directory_is_read_with_its_defaults():
    directory = login(LOGIN).directory
    assert directory is not None
    assert (directory.kind, directory.group_base, directory.account_attribute) == ("openldap", None, None)
    assert directory.groups.agent == ("cn=agents,ou=people,dc=example,dc=fr",)


def test_the_example_is_right_once_its_signs_of_comment_are_gone():
    lines = Path(hub.__file__).with_name("example-site.yaml").read_text(encoding="utf-8").splitlines()
    start = lines.index("login:")
    text = "\n".join([lines[start], *(re.sub("^  # ", "  ", line) for line in lines[start + 1 :])])
    directory = login(text + "\n").directory
    assert directory is not None
    assert directory.groups.supervisor == ("cn=responsables,ou=groups,dc=trois-tilleuls,dc=example",)


@pytest.mark.parametrize(
    "template",
    ["bind_as: uid={account},dc=example,dc=fr", "kind: active_directory\n    bind_as: '{account}@example.fr'"],
)
def test_people_may_bind_as_themselves(template: str):
    directory = login(LOGIN.replace(SERVICE, template)).directory
    assert directory is not None
    assert directory.service_account is None


def test_in_active_directory_the_service_account_may_be_a_login_name():
    account = "kind: active_directory\n    service_account: suivant@example.fr"
    assert login(LOGIN.replace(SERVICE, account)).directory is not None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "ldaps://ldap1.example.fr, ",
            "http://ldap1.example.fr, ",
            "9: login.directory.servers.1: 'http://ldap1.example",
        ),
        (
            "ldaps://ldap1.example.fr, ",
            "ldaps://a:b@ldap1.fr, ",
            "9: login.directory.servers.1: 'ldaps://a:b@ldap1.fr' sh",
        ),
        (
            "ldaps://ldap1.example.fr, ",
            "ldaps://:636, ",
            "9: login.directory.servers.1: 'ldaps://:636' has no host name",
        ),
        (":1389", ":99999", "9: login.directory.servers.2: 'ldap://10.0.0.5:99999' has no host name"),
        (
            "ldaps://ldap1.example.fr, ",
            "'ldap://10.0.0.5:1389', ",
            "9: login.directory.servers.2: 'ldap://10.0.0.5:1389' is listed twice",
        ),
        ('ldaps://ldap1.example.fr, "ldap://10.0.0.5:1389"', "", "9: login.directory.servers: no server is named"),
        ("ou=people,", "people,", "10: login.directory.base: 'people,dc=example,dc=fr' should be a distin"),
        (
            ",dc=example,dc=fr\n    serv",
            ",example\n    serv",
            "10: login.directory.base: 'ou=people,example' should be a complete",
        ),
        (
            f"    {SERVICE}\n",
            "",
            "8: login.directory: name either 'service_account', the account that searches, or 'bind_as'",
        ),
        (
            SERVICE,
            f"{SERVICE}\n    bind_as: uid={{account}},dc=fr",
            "12: login.directory.bind_as: with a service account, the hub fi",
        ),
        (
            SERVICE,
            "service_account: suivant@example.fr",
            "11: login.directory.service_account: 'suivant@example.fr' sho",
        ),
        (SERVICE, "bind_as: uid=account,dc=fr", "11: login.directory.bind_as: 'uid=account,dc=fr' should contain {acc"),
        (
            SERVICE,
            "bind_as: 'uid={account},fr'",
            "11: login.directory.bind_as: 'uid={account},fr' should be a complete",
        ),
        (SERVICE, "bind_as: '{account}@example.fr'", "11: login.directory.bind_as: '{account}@example.fr' should be"),
        (
            SERVICE,
            f"{SERVICE}\n    filter: (a=b)(c=d)",
            "12: login.directory.filter: '(a=b)(c=d)' should be one filter",
        ),
        (SERVICE, f"{SERVICE}\n    filter: ((a=b)", "12: login.directory.filter: '((a=b)' should be one filter"),
        (SERVICE, f"{SERVICE}\n    filter: a=b", "12: login.directory.filter: 'a=b' should be a filter in parenth"),
        (SERVICE, f"{SERVICE}\n    kind: novell", "12: login.directory.kind: 'novell' should be one of active_dir"),
        (
            SERVICE,
            f"{SERVICE}\n    account_attribute: u id",
            "12: login.directory.account_attribute: 'u id' should be an at",
        ),
        (
            "agent: [",
            "agents: [",
            "13: login.directory.groups.agents: there is no such key here; did you mean 'agent'?",
        ),
        (
            'agent: ["cn=agents,ou=people,dc=example,dc=fr"]',
            "agent: []",
            "12: login.directory.groups: no group is named, so nob",
        ),
        (
            '["cn=agents,ou=people,dc=example,dc=fr"]',
            "['cn=agents,fr']",
            "13: login.directory.groups.agent.1: 'cn=agents,fr' should",
        ),
        (
            '"cn=agents,ou=people,dc=example,dc=fr"',
            '"cn=agents,ou=people,dc=example,dc=fr", "CN=Agents, ou=people,dc=example,dc=FR"',
            "13: login.directory.groups.agent.2: 'CN=Agents, ou=people,dc=example,dc=FR' is listed twice",
        ),
        (
            '["cn=agents,ou=people,dc=example,dc=fr"]',
            "[cn=agents,ou=people,dc=example,dc=fr]",
            "13: login.directory.groups.agent.1: 'cn=agents' is only a piece of a name: put the whole",
        ),
        (
            "cn=agents,ou=people,",
            "cn=agents,ou=otherpeople,",
            "13: login.directory.groups.agent.1: 'cn=agents,ou=otherpeople,dc=example,dc=fr' is outside base",
        ),
        (
            "cn=suivant,dc=example,dc=fr\n",
            "cn=suivant,dc=example,dc=fr\n    group_base: ou=groups,dc=example,dc=fr\n",
            "14: login.directory.groups.agent.1: 'cn=agents,ou=people,dc=example,dc=fr' is outside group_base",
        ),
        (
            "login:",
            "login:\n  idle_min: 700",
            "8: warning: login.idle_min: this has no effect: every session ends after",
        ),
        (
            "login:",
            "login:\n  recheck_min: 600",
            "8: warning: login.recheck_min: this has no effect: every session ends before that, after absolute_h,",
        ),
        ("login:", "login:\n  absolute_h: 100", "8: login.absolute_h: '100' should be a whole number from 1 to 24"),
        (
            "login:",
            "login:\n  button_acts_for: nobody",
            "8: login.button_acts_for: 'nobody' should be one of agent, de",
        ),
    ],
)
def test_a_slip_is_told_with_its_line_its_key_and_what_would_be_right(old: str, new: str, expected: str):
    assert old in LOGIN
    found = [each for each in read(SITE + LOGIN.replace(old, new, 1))[1] if "login" in each]
    assert len(found) == 1, found
    assert found[0].startswith(expected)
