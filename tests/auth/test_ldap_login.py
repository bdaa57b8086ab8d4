"""Who can log in with a real slapd, and who cannot."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from ldap3 import MODIFY_ADD, MODIFY_DELETE

from hub.auth.directory import DirectoryAway, NoDirectory
from hub.auth.ldap_directory import MunicipalDirectory, open_directory
from hub.auth.ldap_faults import FaultKind, ServerFault
from hub.auth.ldap_link import Bound, Found, Link
from hub.auth.ldap_names import dn_key
from hub.auth.ldap_secrets import LdapSecrets
from hub.auth.people import LoginRefused, Reason
from hub.auth.roles import Role
from hub.site import RoleGroups
from protocol.environment import WrongSetting
from tests.auth.conftest import Opened
from tests.auth.slapd import (
    BASE,
    BASE_UNREADABLE,
    HIDDEN,
    LIMITED,
    PASSWORD,
    PEOPLE,
    SERVICE,
    Slapd,
    group,
    person_dn,
    start_slapd,
)
from tests.auth.town_directory import CROWD, LONG_ACCOUNT, people

TEMPLATE = f"uid={{account}},{PEOPLE}"
# Both ways to log in: the service account finds the person, or the person binds with a name made from a template.
WAYS = {"searched": {}, "direct": {"service_account": None, "bind_as": TEMPLATE}}


@pytest.fixture(params=WAYS)
def directory(slapd: Slapd, opened: Opened, request: pytest.FixtureRequest) -> MunicipalDirectory:
    return opened(slapd, **WAYS[request.param])


@contextmanager
def refused(reason: Reason) -> Iterator[None]:
    with pytest.raises(LoginRefused) as told:
        yield
    assert told.value.reason is reason


@pytest.mark.parametrize("account", ["alix", "ALIX", " Alix "])
def test_an_account_is_one_however_it_is_spelt(directory: MunicipalDirectory, account: str):
    person = directory.log_in(account, PASSWORD)
    assert (person.account, person.name, person.local) == ("alix", "Alix Exemple", False)
    assert person.roles == {Role.AGENT}


def test_starttls_is_as_good_as_ldaps(slapd: Slapd, opened: Opened):
    assert opened(slapd, servers=(slapd.plain_address,)).log_in("alix", PASSWORD).account == "alix"


@pytest.mark.parametrize("account", ["eloïse", "groß", "odd,name+x"])
def test_any_sign_may_stand_in_an_account(directory: MunicipalDirectory, account: str):
    assert directory.log_in(account, PASSWORD).account == account


@pytest.mark.parametrize(
    ("account", "role"),
    [("basile", Role.RECEPTION), ("camille", Role.SUPERVISOR), ("dominique", Role.ADMINISTRATOR)],
    ids=["groups that hold each other", "groupOfUniqueNames", "posixGroup"],
)
def test_a_role_comes_through_groups_of_every_kind(directory: MunicipalDirectory, account: str, role: Role):
    assert directory.log_in(account, PASSWORD).roles == {role}


def test_a_group_may_give_two_roles_and_two_groups_one(slapd: Slapd, opened: Opened):
    groups = RoleGroups(agent=(group("agents"), group("responsables")), supervisor=(group("responsables").upper(),))
    directory = opened(slapd, groups=groups)
    assert directory.log_in("alix", PASSWORD).roles == {Role.AGENT}
    assert directory.log_in("camille", PASSWORD).roles == {Role.AGENT, Role.SUPERVISOR}


def test_a_group_is_known_by_the_long_names_of_its_attributes_too(slapd: Slapd, opened: Opened):
    long = group("agents").replace("cn=", "commonName=").replace("ou=", "organizationalUnitName=")
    assert opened(slapd, groups=RoleGroups(agent=(long,))).log_in("alix", PASSWORD).roles == {Role.AGENT}


def test_who_has_no_role_is_told_so_only_with_the_right_password(directory: MunicipalDirectory):
    with refused(Reason.NO_ROLE):
        directory.log_in("nobody-special", PASSWORD)
    with refused(Reason.WRONG):
        directory.log_in("nobody-special", "guessed")


@pytest.mark.parametrize(
    ("account", "password", "why"),
    [
        ("expired", PASSWORD, "password expired"),
        ("reset", PASSWORD, "password must be changed"),
        ("locked", PASSWORD, "account locked"),
        ("besieged", PASSWORD, "wrong password, or account locked by wrong passwords"),
        ("shadow", PASSWORD, "account disabled, locked or expired"),
        # No reason after a wrong password: somebody who guesses learns nothing, and this case is common.
        ("expired", "guessed", None),
        ("reset", "guessed", None),
        ("alix", "guessed", None),
        ("unknown", "guessed", None),
    ],
)
def test_why_a_right_password_lets_nobody_in_is_logged_and_not_told(
    slapd: Slapd, opened: Opened, account: str, password: str, why: str | None
):
    with structlog.testing.capture_logs() as logs, refused(Reason.WRONG):
        opened(slapd).log_in(account, password)
    assert [each["why"] for each in logs if each["event"] == "ldap.refused"] == ([why] if why else [])
    assert account not in str([{**each, "why": None} for each in logs])


@pytest.mark.parametrize("account", ["alix", "unknown", "expired"])
def test_a_wrong_password_and_an_unknown_account_are_refused_alike(directory: MunicipalDirectory, account: str):
    with refused(Reason.WRONG):
        directory.log_in(account, "guessed")


def test_an_unknown_account_costs_the_same_questions_as_a_wrong_password(
    slapd: Slapd, opened: Opened, monkeypatch: pytest.MonkeyPatch
):
    directory = opened(slapd)
    # From here on the service account's connection is a kept one: each bind is that of a person.
    directory.log_in("alix", PASSWORD)
    asked: list[str] = []
    bind, search = Link.bind, Link.search
    monkeypatch.setattr(Link, "bind", lambda *given: asked.append("bind") or bind(*given))
    monkeypatch.setattr(Link, "search", lambda *given, **more: asked.append("search") or search(*given, **more))
    work: list[list[str]] = []
    for account in ("alix", "unknown", "twice"):
        asked.clear()
        with refused(Reason.WRONG):
            directory.log_in(account, "guessed")
        work.append(list(asked))
    assert work[0].count("bind") == 1
    assert work == [work[0]] * 3


@pytest.mark.parametrize("first", [LIMITED, BASE_UNREADABLE], ids=["limited", "base unreadable"])
def test_a_server_that_does_not_answer_all_questions_still_calls_a_wrong_password_wrong(
    tmp_path: Path, opened: Opened, first: str
):
    """Were it away for a wrong password, guesses would not be counted, and each server in turn would get it."""
    with start_slapd(tmp_path / "slapd", people(), first=first) as strict:
        directory = opened(strict)
        person = directory.log_in("alix", PASSWORD)
        with structlog.testing.capture_logs() as logs:
            for account in ("alix", "unknown"):
                with refused(Reason.WRONG):
                    directory.log_in(account, "guessed")
        assert logs == []
        assert directory.look_up("alix", person.roles) == person
        assert directory.look_up("unknown", person.roles) is None


def test_a_server_that_fails_after_it_refused_a_password_does_not_unsay_it(
    slapd: Slapd, opened: Opened, monkeypatch: pytest.MonkeyPatch
):
    directory = opened(slapd)
    bind = Link.bind

    def bind_and_stop(link: Link, name: str, password: str) -> Bound:
        bound = bind(link, name, password)
        if password == "guessed":
            monkeypatch.setattr(Link, "search", stopped)
        return bound

    def stopped(link: Link, *_asked: object, **_more: object) -> Found:
        raise ServerFault(FaultKind.LOST, str(link.address), "closed the connection")

    monkeypatch.setattr(Link, "bind", bind_and_stop)
    with refused(Reason.WRONG):
        directory.log_in("alix", "guessed")


def test_a_server_that_hides_its_people_and_limits_the_search_takes_nobodys_rights(tmp_path: Path, opened: Opened):
    hidden = f'{LIMITED}\naccess to dn.subtree="{PEOPLE}" by dn.exact="{SERVICE}" search by * auth'
    with start_slapd(tmp_path / "slapd", people(), first=hidden) as strict:
        directory = opened(strict)
        with pytest.raises(DirectoryAway, match="does not show the base"):
            directory.look_up("alix")
        with refused(Reason.AWAY):
            directory.log_in("alix", PASSWORD)


@pytest.mark.parametrize("account", ["expired", "locked"])
def test_an_account_that_is_over_does_not_come_in(directory: MunicipalDirectory, account: str):
    with refused(Reason.WRONG):
        directory.log_in(account, PASSWORD)


def test_shadow_expire_ends_an_account_although_slapd_does_not_look_at_it(directory: MunicipalDirectory):
    with refused(Reason.WRONG):
        directory.log_in("shadow", PASSWORD)


@pytest.mark.parametrize("password", ["", "\0", "correct\0horse", "x" * 257, "\ud800"])
def test_what_can_be_no_password_is_never_sent(directory: MunicipalDirectory, password: str):
    # This slapd would accept an empty password as an anonymous bind.
    for account in ("alix", "unknown"):
        with refused(Reason.WRONG):
            directory.log_in(account, password)


@pytest.mark.parametrize(
    "account",
    [
        "*",
        "a*",
        "alix)(uid=*",
        "*)(objectClass=*",
        "alix))(|(uid=*",
        "alix\\2a",
        "\\61lix",
        f"alix,{PEOPLE}",
        "alix,ou=x+uid=alix",
        "alix#",
        "",
        " ",
        "alix\0",
        "al\nix",
        "al\u00adix",
        "x" * 65,
    ],
)
def test_what_is_typed_as_an_account_never_becomes_part_of_a_filter_or_a_name(
    directory: MunicipalDirectory, account: str
):
    with refused(Reason.WRONG):
        directory.log_in(account, PASSWORD)


def test_two_entries_of_one_account_let_nobody_in(slapd: Slapd, opened: Opened):
    directory = opened(slapd)
    with refused(Reason.WRONG):
        directory.log_in("twice", PASSWORD)
    assert directory.look_up("twice") is None
    # The first of the two comes in as soon as the filter leaves out the second.
    assert opened(slapd, filter="(cn=Première Personne)").log_in("twice", PASSWORD).account == "twice"


def test_only_who_matches_the_filter_comes_in(slapd: Slapd, opened: Opened):
    directory = opened(slapd, filter="(|(cn=Alix Exemple)(cn=Basile *))")
    assert directory.log_in("alix", PASSWORD).account == "alix"
    assert directory.log_in("basile", PASSWORD).account == "basile"
    with refused(Reason.WRONG):
        directory.log_in("camille", PASSWORD)


def test_a_role_is_looked_up_without_a_password(slapd: Slapd, opened: Opened):
    directory = opened(slapd)
    assert directory.can_look_up
    assert directory.look_up("alix") == directory.log_in("alix", PASSWORD)
    for account in ("unknown", "nobody-special", "locked", "shadow", "*", ""):
        assert directory.look_up(account) is None
    assert not opened(slapd, **WAYS["direct"]).can_look_up


def test_whom_the_directory_let_in_it_is_asked_about_however_long_their_account(slapd: Slapd, opened: Opened):
    directory = opened(slapd)
    person = directory.log_in("martin", PASSWORD)
    assert person.account == LONG_ACCOUNT
    assert directory.look_up(person.account) == person


def test_wrong_passwords_of_others_end_nobodys_session(slapd: Slapd, opened: Opened):
    directory = opened(slapd)
    with refused(Reason.WRONG):
        directory.log_in("besieged", PASSWORD)
    assert directory.look_up("besieged") is not None


@pytest.mark.parametrize(
    ("account", "comes_in"),
    [("left", False), ("contract", False), ("stays", True)],
    ids=["disabled", "expired", "never"],
)
def test_accounts_are_over_as_active_directory_says_it(slapd: Slapd, opened: Opened, account: str, comes_in: bool):
    # slapd has no matching rule for nested groups, so nobody gets a role; the test checks who is found.
    directory = opened(slapd, kind="active_directory", name_attribute="cn", filter="(objectClass=user)")
    known = directory._servers.ask(lambda talk: directory._reader.look_up(talk, account))
    assert known is not None
    assert known.is_over is not comes_in


@contextmanager
def renamed(slapd: Slapd, was: str, becomes: str) -> Iterator[None]:
    with slapd.administrator() as administrator:
        administrator.modify_dn(group(was), f"cn={becomes}")
        yield
        administrator.modify_dn(group(becomes), f"cn={was}")


def test_a_renamed_group_takes_no_role_of_who_has_it_and_gives_none(own_slapd: Slapd, opened: Opened):
    directory = opened(own_slapd)
    person = directory.log_in("alix", PASSWORD)
    with own_slapd.administrator() as administrator:
        administrator.modify(group("accueil"), {"member": [(MODIFY_ADD, [person_dn("basile")])]})
    with renamed(own_slapd, "agents", "guichets"):
        assert directory.look_up("alix", person.roles) == person
        # The directory's other answers still count: on other roles, and on closed accounts.
        assert directory.look_up("alix", frozenset({Role.AGENT, Role.SUPERVISOR})) == person
        assert directory.look_up("alix", frozenset({Role.SUPERVISOR})) is None
        assert directory.look_up("locked", person.roles) is None
        assert directory.look_up("unknown", person.roles) is None
        # No answer does not mean 'you have no role', and somebody with a role from another group gets in.
        with refused(Reason.AWAY):
            directory.log_in("alix", PASSWORD)
        with refused(Reason.WRONG):
            directory.log_in("alix", "guessed")
        assert directory.log_in("basile", PASSWORD).roles == {Role.RECEPTION}
    with own_slapd.administrator() as administrator:
        administrator.modify(group("agents"), {"member": [(MODIFY_DELETE, [person_dn("alix")])]})
    assert directory.look_up("alix", person.roles) is None
    with refused(Reason.NO_ROLE):
        directory.log_in("alix", PASSWORD)


def test_a_group_that_the_service_account_may_no_longer_see_takes_no_role(slapd: Slapd, opened: Opened):
    hidden = f"cn=agents,{HIDDEN}"
    directory = opened(slapd, groups=RoleGroups(agent=(hidden,), supervisor=(group("responsables"),)))
    person = directory.look_up("alix", frozenset({Role.AGENT}))
    assert person is not None
    assert person.roles == {Role.AGENT}


def test_a_missing_group_is_told_once_until_it_is_back(own_slapd: Slapd, opened: Opened):
    directory = opened(own_slapd)
    held = frozenset({Role.AGENT})
    with structlog.testing.capture_logs() as logs:
        for _time in range(2):
            with renamed(own_slapd, "agents", "guichets"):
                directory.look_up("alix", held)
                directory.look_up("alix", held)
                with refused(Reason.AWAY):
                    directory.log_in("alix", PASSWORD)
            directory.look_up("alix", held)
    told = [(each["log_level"], each["event"], each["group"]) for each in logs]
    once = [("warning", "ldap.group_missing", group("agents")), ("info", "ldap.group_back", dn_key(group("agents")))]
    assert told == once * 2
    assert "alix" not in str(logs)


def test_where_people_look_as_themselves_a_group_that_they_do_not_see_is_none_of_theirs(
    own_slapd: Slapd, opened: Opened
):
    directory = opened(own_slapd, **WAYS["direct"])
    with renamed(own_slapd, "agents", "guichets"), refused(Reason.NO_ROLE):
        directory.log_in("alix", PASSWORD)


def test_a_change_of_groups_is_seen_at_the_next_look(own_slapd: Slapd, opened: Opened):
    directory = opened(own_slapd)
    with own_slapd.administrator() as administrator:
        administrator.modify(group("accueil"), {"member": [(MODIFY_ADD, [person_dn("alix")])]})
    person = directory.look_up("alix")
    assert person is not None
    assert person.roles == {Role.AGENT, Role.RECEPTION}


def test_who_left_is_seen_at_the_next_look(own_slapd: Slapd, opened: Opened):
    directory = opened(own_slapd)
    assert directory.look_up("alix") is not None
    with own_slapd.administrator() as administrator:
        administrator.delete(person_dn("alix"))
    assert directory.look_up("alix") is None


@pytest.mark.parametrize(
    "described", [{"base": f"ou=services,{BASE}"}, {"account_attribute": "employeeNumber"}], ids=["people", "accounts"]
)
def test_a_directory_that_hides_its_people_takes_nobodys_rights_and_calls_no_password_wrong(
    slapd: Slapd, opened: Opened, described: dict[str, str]
):
    directory = opened(slapd, **described)
    with pytest.raises(DirectoryAway, match="shows nobody with"):
        directory.look_up("alix")
    with refused(Reason.AWAY):
        directory.log_in("alix", PASSWORD)


@pytest.mark.parametrize("template", [TEMPLATE, "{account}@example"], ids=["by a DN", "by a login name"])
def test_where_people_look_as_themselves_a_right_password_is_not_wrong_because_no_account_is_shown(
    slapd: Slapd, opened: Opened, monkeypatch: pytest.MonkeyPatch, template: str
):
    # slapd takes DNs only; Active Directory also takes a login name.
    monkeypatch.setattr("hub.auth.ldap_directory.bind_name", lambda _template, account: person_dn(account))
    directory = opened(slapd, service_account=None, bind_as=template, account_attribute="employeeNumber")
    with refused(Reason.AWAY):
        directory.log_in("alix", PASSWORD)
    with refused(Reason.WRONG):
        directory.log_in("alix", "guessed")


def test_where_people_look_as_themselves_only_who_matches_the_filter_comes_in(slapd: Slapd, opened: Opened):
    directory = opened(slapd, **WAYS["direct"], filter="(cn=Alix Exemple)")
    assert directory.log_in("alix", PASSWORD).account == "alix"
    with refused(Reason.WRONG):
        directory.log_in("camille", PASSWORD)


@pytest.mark.parametrize("base", [f"ou=gone,{BASE}", HIDDEN], ids=["gone", "hidden"])
def test_a_base_that_can_not_be_seen_takes_nobodys_right(slapd: Slapd, opened: Opened, base: str):
    with pytest.raises(DirectoryAway, match=rf"noSuchObject|does not show the base {base}"):
        opened(slapd, base=base).look_up("alix")


def test_among_twenty_thousand_the_right_one_is_found(tmp_path: Path, opened: Opened):
    with start_slapd(tmp_path / "slapd", people(crowd=CROWD)) as crowded:
        directory = opened(crowded, groups=RoleGroups(agent=(group("crowd"),)))
        assert directory.log_in("crowd19999", PASSWORD).name == "Fictif 19999"
        with refused(Reason.WRONG):
            directory.log_in("crowd*", PASSWORD)


def test_no_referral_is_followed(tmp_path: Path, opened: Opened):
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        with start_slapd(tmp_path / "slapd", people(referred_port=trap.getsockname()[1])) as referring:
            directory = opened(referring)
            # Part of the base is on another server: people on this one are found, the rest is left out.
            assert directory.log_in("alix", PASSWORD).account == "alix"
            with refused(Reason.WRONG):
                directory.log_in("unknown", PASSWORD)
            # The whole base is on another server.
            elsewhere = opened(referring, base=f"cn=elsewhere,{PEOPLE}")
            with refused(Reason.AWAY):
                elsewhere.log_in("alix", PASSWORD)
            with pytest.raises(DirectoryAway, match="to another server: the hub follows none"):
                elsewhere.look_up("alix")
            # The person who would bind is on another server too; slapd only answers that the login is wrong.
            direct = opened(referring, service_account=None, bind_as=f"uid={{account}},cn=elsewhere,{PEOPLE}")
            with refused(Reason.WRONG):
                direct.log_in("alix", PASSWORD)
        with pytest.raises(BlockingIOError):
            trap.accept()


def test_a_template_that_is_no_name_lets_only_the_one_who_bound_in(
    slapd: Slapd, opened: Opened, monkeypatch: pytest.MonkeyPatch
):
    # slapd takes DNs only, and repeats them at 'Who am I?'; that is not the account that Active Directory would give.
    monkeypatch.setattr("hub.auth.ldap_directory.bind_name", lambda _template, account: person_dn(account))
    directory = opened(
        slapd, kind="active_directory", account_attribute="uid", service_account=None, bind_as="{account}@example"
    )
    with structlog.testing.capture_logs() as logs, refused(Reason.WRONG):
        directory.log_in("alix", PASSWORD)
    assert [each["event"] for each in logs] == ["ldap.another_bound"]


def test_nobodys_name_or_password_is_logged(slapd: Slapd, opened: Opened):
    with structlog.testing.capture_logs() as logs:
        for account in ("twice", "alix", "unknown", "locked"):
            for password in (PASSWORD, "guessed"):
                with pytest.raises(LoginRefused) if account != "alix" or password == "guessed" else _nothing():
                    opened(slapd).log_in(account, password)
        with pytest.raises(LoginRefused):
            opened(slapd, secrets=LdapSecrets("not this one", slapd.files.ca)).log_in("alix", PASSWORD)
    said = str(logs)
    assert "refuses the service account" in said
    for private in ("twice", "alix", "Alix", "guessed", PASSWORD, "not this one"):
        assert private not in said


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def test_a_service_account_without_a_password_is_told_at_the_start(slapd: Slapd):
    with pytest.raises(WrongSetting, match="SUIVANT_LDAP_PASSWORD_FILE"):
        open_directory(slapd.described(), LdapSecrets(ca_file=slapd.files.ca))


def test_a_ca_file_that_holds_none_is_told_at_the_start(slapd: Slapd, tmp_path: Path):
    for file in (tmp_path / "none.pem", slapd.files.key):
        with pytest.raises(WrongSetting, match="SUIVANT_LDAP_CA_FILE"):
            open_directory(slapd.described(), LdapSecrets("secret", file))


def test_passwords_stand_in_no_repr():
    assert "hidden" not in repr(LdapSecrets("hidden"))


def test_without_a_directory_nobody_is_known():
    nobody = NoDirectory()
    with refused(Reason.WRONG):
        nobody.log_in("alix", PASSWORD)
    assert nobody.look_up("alix") is None
    assert not nobody.can_look_up
    nobody.close()


def test_a_hub_without_a_directory_never_loads_ldap3():
    wanted = "import sys, hub.serve, hub.people_commands; print('ldap3' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", wanted], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "False\n"
