"""What an administrator reads from `suivant ldap check`."""

import getpass
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

import hub
from hub.__main__ import main
from hub.auth.ldap_check import check, warn_once
from hub.auth.ldap_secrets import LdapSecrets
from hub.findings import Finding, Level
from hub.site import LdapDirectory, RoleGroups
from provisioning.certificates import CERTIFICATE_LIFE, LOCAL_NAMES, Authority, write_pair
from tests.auth.slapd import (
    BASE,
    GROUPS,
    HIDDEN,
    LIMITED,
    OTHER_LOOPBACK,
    PASSWORD,
    PEOPLE,
    SERVICE_PASSWORD,
    Slapd,
    group,
    make_slapd,
    start_slapd,
)
from tests.auth.town_directory import people

NOW_S = 1_790_000_000.0
NO_AGE = (
    "the password of 'Basile' has an age that the directory does not show: if it is expired or locked, they cannot "
    "log in, and the hub logs ldap.refused"
)
DIRECT = {"service_account": None, "bind_as": f"uid={{account}},{PEOPLE}"}


def findings(
    slapd: Slapd,
    person: str | None = None,
    *,
    password: str | None = None,
    secrets: LdapSecrets | None = None,
    **changes,
) -> list[Finding]:
    return list(check(slapd.described(**changes), secrets or slapd.secrets, person, password, lambda: NOW_S))


def wrong(found: list[Finding]) -> list[str]:
    return [each.words for each in found if each.level is Level.WRONG]


def test_all_is_well(slapd: Slapd):
    found = findings(slapd, "Basile", name_attribute="cn")
    by = f"{group('services-population')} in {group('accueil')}"
    assert [each.level for each in found] == [*[Level.OK] * (len(found) - 1), Level.NOTE]
    assert [each.words for each in found] == [
        f"{slapd.address} can be reached over TLS, and its certificate is trusted",
        "the service account can log in",
        f"base {PEOPLE} exists",
        f"group_base {GROUPS} exists",
        "people are found by uid, and cn is shown as their name",
        *(
            f"group {group(each)} exists, and has members"
            for each in ("agents", "accueil", "responsables", "informatique")
        ),
        f"'Basile' can log in with the right password, as reception (by {by})",
        NO_AGE,
    ]


def test_each_server_is_looked_at(slapd: Slapd):
    found = findings(slapd, servers=("ldaps://127.0.0.1:1", slapd.address, slapd.plain_address))
    (told,) = wrong(found)
    assert told.startswith(
        "ldaps://127.0.0.1:1 cannot be reached: Connection refused: check the address, and that no fi"
    )
    assert [each.words for each in found if "can be reached" in each.words] == [
        f"{address} can be reached over TLS, and its certificate is trusted"
        for address in (slapd.address, slapd.plain_address)
    ]


def test_a_certificate_that_is_not_trusted_is_told_with_what_to_do(slapd: Slapd):
    (told,) = wrong(findings(slapd, secrets=LdapSecrets(SERVICE_PASSWORD)))
    assert "presents a certificate that is not trusted: " in told
    assert "name the authority that signed it in SUIVANT_LDAP_CA_FILE" in told
    (told,) = wrong(findings(slapd, servers=(slapd.address.replace("127.0.0.1", OTHER_LOOPBACK),)))
    assert "IP address mismatch" in told


def test_the_port_of_the_other_kind_is_told(slapd: Slapd):
    at_plain, at_tls = f"ldaps://127.0.0.1:{slapd.port}", f"ldap://127.0.0.1:{slapd.tls_port}"
    at_once, later = wrong(findings(slapd, servers=(at_plain, at_tls)))
    assert at_once.startswith(f"{at_plain} does not offer TLS: ")
    assert at_once.endswith(
        ": port 636 is usually for ldaps://, 389 for ldap:// (StartTLS): check which of the two port "
        f"{slapd.port} is for"
    )
    assert later == (
        f"{at_tls} does not offer TLS: it closed the connection in answer to StartTLS: "
        f"port 389 is usually for ldap:// (StartTLS), 636 for ldaps://: check which of the two port "
        f"{slapd.tls_port} is for, and that the server has a certificate"
    )


def test_a_certificate_that_has_expired_is_told_with_what_to_do(tmp_path: Path):
    slapd = make_slapd(tmp_path / "slapd", "")
    authority = Authority("Test directory", datetime.now(UTC) - 2 * CERTIFICATE_LIFE)
    write_pair(slapd.folder, "slapd", authority, authority.server("slapd", LOCAL_NAMES))
    slapd.start()
    try:
        (told,) = wrong(findings(slapd))
    finally:
        slapd.stop()
    assert told == (
        f"{slapd.address} presents a certificate that is not trusted: certificate has expired: renew the server's "
        "certificate, or correct this machine's clock"
    )


def test_another_program_at_the_port_is_told_without_jargon(slapd: Slapd):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(slapd.files.cert, slapd.files.key)

    def answer(listener: socket.socket) -> None:
        # The first connection only checks for TLS; the second sends a request.
        with (
            context.wrap_socket(listener.accept()[0], server_side=True),
            context.wrap_socket(listener.accept()[0], server_side=True) as client,
        ):
            client.recv(4096)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        address = f"ldaps://127.0.0.1:{listener.getsockname()[1]}"
        (told,) = wrong(findings(slapd, servers=(address,)))
        thread.join()
    assert told == f"{address} closed the connection: check that it is an LDAP server, and that it keeps running"


def test_a_wrong_password_of_the_service_account_is_told_after_what_was_right(slapd: Slapd):
    reached, told = findings(slapd, secrets=LdapSecrets("not this one", slapd.files.ca))
    assert reached.level is Level.OK
    assert told.words == (
        f"{slapd.address} refuses the service account or its password: check service_account, the complete name, "
        "and the password in SUIVANT_LDAP_PASSWORD_FILE"
    )


def test_more_people_than_the_account_may_look_through_are_no_fault(tmp_path: Path):
    with start_slapd(tmp_path / "slapd", people(), first=LIMITED) as limited:
        found = findings(limited, "Basile")
    assert wrong(found) == []
    words = (
        "there are more people under the base than the account may look through, so uid is not checked: name a person "
        "to check it"
    )
    assert Finding(Level.NOTE, words) in found
    assert any(each.words.startswith("'Basile' can log in with the right password") for each in found)


def test_a_base_that_is_not_there_is_told(slapd: Slapd):
    found = wrong(findings(slapd, base=f"ou=gone,{BASE}"))
    assert found == [
        f"base ou=gone,{BASE} is not found: check its name, and that the account may read it",
        "nobody is found, because the base is not found",
    ]


def test_what_may_not_be_read_is_told(slapd: Slapd):
    found = wrong(findings(slapd, base=HIDDEN, group_base=GROUPS))
    assert found[0] == f"base {HIDDEN} is not found: check its name, and that the account may read it"
    assert found[1].startswith("nobody ")


def test_an_attribute_or_a_filter_that_nobody_matches_is_told(slapd: Slapd):
    (told,) = wrong(findings(slapd, account_attribute="employeeNumber", filter="(objectClass=person)"))
    assert told.startswith("nobody under the base has employeeNumber and matches (objectClass=person): check a")
    assert "check account_attribute and filter, and that the account may read it" in told
    found = findings(slapd, "alix", filter="(uid=basile)")
    by_filter = (
        f"nobody matches (&(uid=basile)(uid=alix)) under {PEOPLE}; somebody matches without the filter: check filter"
    )
    assert wrong(found) == [f"'alix': {by_filter}"]
    found = findings(slapd, "unknown", filter="(uid=basile)")
    assert wrong(found) == [f"'unknown': nobody matches (&(uid=basile)(uid=unknown)) under {PEOPLE}"]


def test_who_has_no_name_to_be_shown_by_may_come_in_all_the_same(slapd: Slapd):
    found = findings(slapd, "alix", name_attribute="displayNam")
    assert wrong(found) == []
    assert (
        Finding(
            Level.NOTE,
            "people are found by uid, but have no displayNam, so uid is shown instead: check name_attribute, and "
            "that the account may read it",
        )
        in found
    )


def test_a_group_base_that_is_not_there_is_told_by_its_key(slapd: Slapd):
    *_, told = wrong(findings(slapd, "alix", group_base=f"ou=gone,{BASE}"))
    assert told == (
        f"{slapd.address} does not show the group_base ou=gone,{BASE}: check its name, and that the account may read it"
    )


@pytest.mark.parametrize(
    ("person", "words"),
    [
        (
            "changed",
            "the password of 'changed' was last changed at 20260901000000Z: if it is expired or locked, they",
        ),
        ("reset", "the password of 'reset' was reset: they may have to change it elsewhere before they can log in"),
        ("besieged", "wrong passwords locked 'besieged' at 20260101000000Z: they cannot log in until the directory"),
    ],
)
def test_what_the_entry_shows_of_a_password_is_noted(slapd: Slapd, person: str, words: str):
    found = findings(slapd, person)
    assert wrong(found) == []
    assert found[-1].level is Level.NOTE
    assert found[-1].words.startswith(words)


def test_a_filter_that_is_none_is_told(slapd: Slapd):
    (told,) = wrong(findings(slapd, filter="(objectClass)"))
    assert told == f"{slapd.address} is not asked: the filter in the site file is not valid"


def test_a_renamed_group_is_told(own_slapd: Slapd):
    with own_slapd.administrator() as administrator:
        administrator.modify_dn(group("agents"), "cn=guichets")
    found = wrong(findings(own_slapd, "alix"))
    assert found == [
        (
            f"group {group('agents')} is not found, so it gives nobody a role: check whether it was renamed, "
            "and that the account may read it"
        ),
        f"'alix' has no role, so cannot log in: none of their groups gives one: {group('guichets')}",
    ]


def test_a_group_that_is_never_looked_at_is_told(slapd: Slapd):
    groups = RoleGroups(agent=(f"ou=services,{BASE}", f"2.5.4.3=agents,{GROUPS}"))
    outside, spelt = wrong(findings(slapd, groups=groups))
    assert (
        outside
        == f"group ou=services,{BASE} is outside {GROUPS}, where the hub searches for groups: set another group_base"
    )
    assert spelt == f"group 2.5.4.3=agents,{GROUPS}: write it as the directory does, {group('agents')}"


@pytest.mark.parametrize(
    ("person", "words"),
    [
        ("unknown", f"'unknown': nobody matches (uid=unknown) under {PEOPLE}"),
        ("twice", f"'twice': more than one entry matches, so none of them may log in: (uid=twice) under {PEOPLE}"),
        ("*", rf"'*': nobody matches (uid=\2a) under {PEOPLE}"),
        ("", "'' cannot be an account: it is empty, too long, or has characters that are not allowed"),
        ("locked", "'locked' is found, but the account is disabled, locked or expired, so they cannot log in"),
        ("shadow", "'shadow' is found, but the account is disabled, locked or expired, so they cannot log in"),
        ("nobody-special", "'nobody-special' has no role, so cannot log in: they are in no group that gives one"),
        ("renaud", f"'renaud' has no role, so cannot log in: none of their groups gives one: {group('partants')}"),
    ],
)
def test_what_a_person_may_not_do_is_told_with_the_reason(slapd: Slapd, person: str, words: str):
    assert wrong(findings(slapd, person)) == [words]


def test_no_name_and_no_password_is_told(slapd: Slapd):
    text = "\n".join(str(each) for each in findings(slapd, "alix"))
    for private in ("Alix", "Exemple", SERVICE_PASSWORD, PASSWORD):
        assert private not in text


def test_where_people_bind_as_themselves_their_password_shows_the_rest(slapd: Slapd):
    words = [each.words for each in findings(slapd, "alix", password=PASSWORD, **DIRECT)]
    assert "'alix' can log in" in words
    assert f"base {PEOPLE} exists" in words
    assert words[-2] == f"'alix' can log in with the right password, as agent (by {group('agents')})"
    assert wrong(findings(slapd, "alix", password="guessed", **DIRECT)) == [
        "'alix' cannot log in: the password or bind_as is wrong, or the account is closed"
    ]
    assert wrong(findings(slapd, **DIRECT)) == []


def test_a_hanging_server_is_told_in_its_time(own_slapd: Slapd):
    own_slapd.hang()
    (told,) = check(own_slapd.described(), own_slapd.secrets, None, None, lambda: NOW_S, whole_s=0.3)
    assert told.words == (
        f"{own_slapd.address} does not answer in time: check that the server is running, and that no firewall "
        "blocks the hub"
    )


def test_a_hub_that_starts_logs_what_is_wrong_with_its_directory(slapd: Slapd):
    groups = RoleGroups(agent=(group("agents"),), supervisor=(group("gone"),))
    with capture_logs() as logs:
        warn_once(slapd.described(groups=groups), slapd.secrets, lambda: NOW_S).join()
        warn_once(slapd.described(), LdapSecrets("not this one", slapd.files.ca), lambda: NOW_S).join()
    gone, account = logs
    level = {"event": "ldap.wrong", "log_level": "warning"}
    assert gone == level | {
        "found": f"group {group('gone')} is not found, so it gives nobody a role: check whether it was renamed, "
        "and that the account may read it"
    }
    assert account["found"].startswith(
        f"{slapd.address} refuses the service account or its password: check service_acc"
    )
    assert "not this one" not in str(logs)


def test_a_hanging_directory_holds_up_no_start(own_slapd: Slapd):
    own_slapd.hang()
    with capture_logs() as logs:
        thread = warn_once(own_slapd.described(), own_slapd.secrets, lambda: NOW_S)
        assert thread.is_alive()
        own_slapd.go_on()
        thread.join()
    assert logs == []


# --- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def command(slapd: Slapd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs `suivant ldap check` with a site file that has the directory `described`."""

    def run(*arguments: str, described: LdapDirectory | None = None) -> int:
        example = Path(hub.__file__).with_name("example-site.yaml").read_text(encoding="utf-8")
        site = example.partition("\nlogin:")[0]
        if described is not None:
            told = {key: value for key, value in msgspec.to_builtins(described).items() if value is not None}
            site += f"\nlogin: {msgspec.json.encode({'directory': told}).decode()}\n"
        file = tmp_path / "site.yaml"
        file.write_text(site, encoding="utf-8")
        password = tmp_path / "password"
        password.write_text(f"{SERVICE_PASSWORD}\n", encoding="utf-8")
        monkeypatch.setenv("SUIVANT_SITE_FILE", str(file))
        monkeypatch.setenv("SUIVANT_LDAP_PASSWORD_FILE", str(password))
        monkeypatch.setenv("SUIVANT_LDAP_CA_FILE", str(slapd.files.ca))
        return main(["ldap", "check", *arguments])

    return run


def test_the_command_says_what_a_person_may_do(slapd: Slapd, command, capsys: pytest.CaptureFixture[str]):
    assert command("camille", described=slapd.described()) == 0
    assert "ok     'camille' can log in with the right password, as supervisor" in capsys.readouterr().out


def test_the_command_ends_with_status_1_where_something_is_wrong(slapd: Slapd, command, capsys):
    assert command("unknown", described=slapd.described(base=f"ou=gone,{BASE}", group_base=GROUPS)) == 1
    assert "problems; docs/ldap.md explains what to do" in capsys.readouterr().err


def test_the_command_asks_for_the_password_of_who_binds_as_themselves(slapd: Slapd, command, capsys, monkeypatch):
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: PASSWORD)
    assert command("alix", described=slapd.described(**DIRECT)) == 0
    assert "'alix' can log in" in capsys.readouterr().out


def test_the_command_says_that_there_is_no_directory(command, capsys):
    assert command() == 1
    assert "has no login.directory: staff log in with local accounts only" in capsys.readouterr().err
