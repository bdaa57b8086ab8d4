"""How long a login takes and what it reports when servers are away, slow, hanging or not trusted."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.auth.directory import DirectoryAway
from hub.auth.ldap_bounds import Attempt, Bounds, TimeUp
from hub.auth.ldap_secrets import LdapSecrets
from hub.auth.people import LoginRefused, Reason
from provisioning.certificates import Authority
from tests.auth.conftest import Opened
from tests.auth.dripping import drip
from tests.auth.slapd import OTHER_LOOPBACK, PASSWORD, Slapd

# PATIENCE_S is far more than a login takes on the slowest machine; SHORT_S is a login's time limit in some tests.
PATIENCE_S = 20.0
SHORT_S = 0.5
NOBODY_THERE = "ldaps://127.0.0.1:1"


@contextmanager
def away() -> Iterator[None]:
    with pytest.raises(LoginRefused) as told:
        yield
    assert told.value.reason is Reason.AWAY


@contextmanager
def soon() -> Iterator[None]:
    began_s = time.monotonic()
    yield
    assert time.monotonic() - began_s < PATIENCE_S


def ldap_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "ldap"]


def test_a_server_that_is_not_there_is_told_by_address(slapd: Slapd, opened: Opened):
    directory = opened(slapd, servers=(NOBODY_THERE, "ldap://127.0.0.1:2"))
    with away():
        directory.log_in("alix", PASSWORD)
    with pytest.raises(
        DirectoryAway,
        match=r"ldaps://127.0.0.1:1 cannot be reached: Connection refused; ldap://127.0.0.1:2 cannot be reached: Conn",
    ):
        directory.look_up("alix")


def test_a_name_that_nobody_knows_is_told(slapd: Slapd, opened: Opened):
    with pytest.raises(DirectoryAway, match="cannot be reached: no address is known for its name"):
        opened(slapd, servers=("ldaps://directory.invalid",)).look_up("alix")


def test_the_next_server_lets_in_where_the_first_is_away(slapd: Slapd, opened: Opened):
    directory = opened(slapd, servers=(NOBODY_THERE, slapd.address))
    assert directory.log_in("alix", PASSWORD).account == "alix"


def test_a_server_that_failed_is_tried_last_for_a_while(own_slapd: Slapd, slapd: Slapd, opened: Opened):
    directory = opened(slapd, servers=(own_slapd.address, slapd.address), whole_s=PATIENCE_S)
    first, second = directory._servers._servers
    # Both serve the same town, each with its own authority; the first one's is not trusted.
    assert directory.log_in("alix", PASSWORD).account == "alix"
    assert directory._servers._order() == [second, first]
    first.failed_s = time.monotonic() - 3600
    assert directory._servers._order() == [first, second]


@pytest.mark.parametrize("plain", [False, True], ids=["ldaps", "starttls"])
def test_a_certificate_of_another_authority_is_refused(slapd: Slapd, opened: Opened, tmp_path: Path, plain: bool):
    other = tmp_path / "other.pem"
    other.write_bytes(Authority("Another", datetime.now(UTC)).certificate)
    server = slapd.plain_address if plain else slapd.address
    # With None, the system's authorities are used; they did not sign it either.
    for ca_file in (other, None):
        directory = opened(slapd, servers=(server,), secrets=LdapSecrets("never sent", ca_file))
        with pytest.raises(DirectoryAway, match="presents a certificate that is not trusted: "):
            directory.look_up("alix")


def test_a_certificate_for_another_name_is_refused(slapd: Slapd, opened: Opened):
    directory = opened(slapd, servers=(slapd.address.replace("127.0.0.1", OTHER_LOOPBACK),))
    with pytest.raises(DirectoryAway, match=r"not trusted: .*IP address mismatch"):
        directory.look_up("alix")


def test_nothing_is_sent_to_a_server_that_refuses_tls(slapd: Slapd, opened: Opened):
    received = b""

    def answer(listener: socket.socket) -> None:
        nonlocal received
        with listener.accept()[0] as client:
            while data := client.recv(4096):
                received += data
                # An extended response to that message, with the result protocolError.
                number = data[2 : 4 + data[3]]
                refusal = number + bytes.fromhex("78070a010204000400")
                client.sendall(bytes([0x30, len(refusal)]) + refusal)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        directory = opened(slapd, servers=(f"ldap://127.0.0.1:{listener.getsockname()[1]}",))
        with pytest.raises(DirectoryAway, match="does not offer TLS"):
            directory.look_up("alix")
        thread.join(PATIENCE_S)
    assert b"1.3.6.1.4.1.1466.20037" in received
    assert b"suivant" not in received


def test_a_server_that_speaks_no_tls_at_all_is_told(slapd: Slapd, opened: Opened):
    directory = opened(slapd, servers=(slapd.plain_address.replace("ldap:", "ldaps:"),))
    with pytest.raises(DirectoryAway, match=r"does not offer TLS|cannot be reached"):
        directory.look_up("alix")


def test_a_hanging_server_costs_the_whole_time_and_no_more(own_slapd: Slapd, opened: Opened):
    directory = opened(own_slapd, whole_s=SHORT_S)
    own_slapd.hang()
    with soon(), away():
        directory.log_in("alix", PASSWORD)


def test_a_server_that_hangs_between_two_logins_is_cut(own_slapd: Slapd, opened: Opened):
    directory = opened(own_slapd, whole_s=SHORT_S)
    patient = opened(own_slapd, whole_s=PATIENCE_S)
    assert patient.log_in("alix", PASSWORD).account == "alix"
    own_slapd.hang()
    patient._servers._whole_s = SHORT_S
    for each in (directory, patient):
        with soon(), away():
            each.log_in("alix", PASSWORD)
    own_slapd.go_on()
    patient._servers._whole_s = PATIENCE_S
    assert patient.log_in("alix", PASSWORD).account == "alix"


def test_of_a_hanging_and_a_good_server_the_good_one_lets_in(slapd: Slapd, opened: Opened):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = f"ldaps://127.0.0.1:{silent.getsockname()[1]}"
        directory = opened(slapd, servers=(hanging, slapd.address), whole_s=5.0)
        assert directory.log_in("alix", PASSWORD).account == "alix"


@pytest.mark.parametrize("from_the_start", [True, False], ids=["handshake", "answer"])
@pytest.mark.parametrize("plain", [False, True], ids=["ldaps", "starttls"])
def test_a_server_that_drips_is_cut_although_no_read_is_slow(
    slapd: Slapd, opened: Opened, from_the_start: bool, plain: bool
):
    with drip(slapd.port if plain else slapd.tls_port) as slow:
        server = f"{'ldap' if plain else 'ldaps'}://127.0.0.1:{slow.port}"
        directory = opened(slapd, servers=(server,), whole_s=PATIENCE_S)
        if not from_the_start:
            assert directory.log_in("alix", PASSWORD).account == "alix"
        slow.dripping.set()
        directory._servers._whole_s = SHORT_S
        with soon(), away():
            directory.log_in("alix", PASSWORD)
        for thread in ldap_threads():
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def test_a_connection_that_the_server_dropped_is_made_anew(own_slapd: Slapd, opened: Opened):
    directory = opened(own_slapd, whole_s=PATIENCE_S)
    assert directory.look_up("alix") is not None
    own_slapd.stop()
    own_slapd.start()
    assert directory.look_up("alix") is not None
    assert directory.log_in("alix", PASSWORD).account == "alix"


def test_the_service_accounts_connection_is_kept(slapd: Slapd, opened: Opened):
    directory = opened(slapd, whole_s=PATIENCE_S)
    (server,) = directory._servers._servers
    directory.look_up("alix")
    ((kept, _since_s),) = server._kept
    directory.log_in("alix", PASSWORD)
    directory.look_up("alix")
    assert [link for link, _since_s in server._kept] == [kept]


def test_a_kept_connection_that_was_silent_for_long_is_not_trusted(slapd: Slapd, opened: Opened):
    directory = opened(slapd, whole_s=PATIENCE_S)
    (server,) = directory._servers._servers
    directory.look_up("alix")
    ((kept, since_s),) = server._kept
    server._kept[:] = [(kept, since_s - 3600)]
    directory.look_up("alix")
    assert [link for link, _since_s in server._kept] != [kept]


def test_a_server_that_failed_keeps_no_connection(own_slapd: Slapd, opened: Opened):
    """Otherwise each later login would try the next kept connection, and wait for it in vain."""
    directory = opened(own_slapd, whole_s=PATIENCE_S)
    (server,) = directory._servers._servers
    directory.look_up("alix")
    ((kept, since_s),) = server._kept
    server._kept.append((kept, since_s))
    own_slapd.stop()
    with pytest.raises(DirectoryAway):
        directory.look_up("alix")
    assert server._kept == []


def test_a_wrong_service_account_takes_nobodys_right(slapd: Slapd, opened: Opened):
    directory = opened(slapd, secrets=LdapSecrets("not this one", slapd.files.ca))
    with pytest.raises(DirectoryAway, match="refuses the service account or its password"):
        directory.look_up("alix")


def test_a_server_that_talks_nonsense_is_away(slapd: Slapd, opened: Opened):
    def babble(listener: socket.socket) -> None:
        with listener.accept()[0] as client:
            client.recv(4096)
            client.sendall(b"\x30\x03\xff\xff\xff" * 100)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=babble, args=(listener,))
        thread.start()
        directory = opened(slapd, servers=(f"ldap://127.0.0.1:{listener.getsockname()[1]}",), whole_s=PATIENCE_S)
        with soon(), away():
            directory.log_in("alix", PASSWORD)
        thread.join(PATIENCE_S)


def test_many_log_in_at_once(slapd: Slapd, opened: Opened):
    directory = opened(slapd, whole_s=PATIENCE_S)
    accounts = ["alix", "basile", "camille", "dominique"] * 10
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda account=each: found.append(directory.log_in(account, PASSWORD).account))
        for each in accounts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(found) == sorted(accounts)


def test_attempts_that_hang_leave_no_more_threads_than_their_bound():
    bounds = Bounds(most=2)
    let_go = threading.Event()

    def hang(_attempt: Attempt) -> None:
        let_go.wait(PATIENCE_S)

    for _ in range(5):
        with pytest.raises(TimeUp):
            bounds.run(0.01, hang)
    assert len(ldap_threads()) <= 2
    let_go.set()
    for thread in ldap_threads():
        thread.join(PATIENCE_S)
    assert bounds.run(PATIENCE_S, lambda _attempt: "again") == "again"


def test_what_an_attempt_raises_is_raised_where_it_was_asked_for():
    def fail(_attempt: Attempt) -> None:
        raise LookupError("this")

    with pytest.raises(LookupError, match="this"):
        Bounds().run(PATIENCE_S, fail)
