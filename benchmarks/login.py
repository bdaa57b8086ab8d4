"""A whole login with the directory against ldap3's bare bind and search, and a login with servers that hang."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ldap3 import NONE, SUBTREE, Connection, Server, Tls

from benchmarks.figures import Row, Run, percentile, ratio_row
from hub.auth.ldap_directory import MunicipalDirectory, open_directory
from hub.auth.login import Login
from hub.auth.people import LoginRefused, Reason
from hub.metrics import Metrics
from hub.site import RoleGroups
from tests.auth.slapd import PASSWORD, PEOPLE, Slapd, group, make_slapd, start_slapd
from tests.auth.town_directory import CROWD, people

LOGINS = 200
HANGING = 2
WARM_UP = 5
DESK_PC = "192.0.2.10"
SEED_STEP = 7919  # a prime, so that the accounts are spread over the whole directory


class _PromptTls(Tls):  # type: ignore[misc]
    """TLS with TCP_NODELAY: without it bare ldap3 waits 40 ms for a delayed ACK, and any ratio to it looks good."""

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().wrap_socket(connection, do_handshake)


def measure(folder: Path, runs: int) -> Iterator[list[Row]]:
    with start_slapd(folder / "town", people(crowd=CROWD)) as slapd:
        yield [ratio_row(f"login among {CROWD} entries", _logins(slapd, runs), 95, 1.3)]
    yield [_hanging(folder)]


def _logins(slapd: Slapd, runs: int) -> list[Run]:
    directory = open_directory(slapd.described(groups=RoleGroups(agent=(group("crowd"),))), slapd.secrets)
    assert isinstance(directory, MunicipalDirectory)
    login = Login(
        directory=directory,
        local=lambda _account: None,
        now_ms=lambda: time.monotonic_ns() // 1_000_000,
        metrics=Metrics("benchmark"),
    )
    accounts = (f"crowd{number * SEED_STEP % CROWD:05}" for number in range((WARM_UP + LOGINS) * runs))
    measured = []
    for _run in range(runs):
        floor, whole = [], []
        for number in range(WARM_UP + LOGINS):
            account = next(accounts)
            bare_ms, login_ms = (
                _timed(lambda a=account: _bare(slapd, a)),
                _timed(lambda a=account: login.log_in(a, PASSWORD, DESK_PC)),
            )
            if number >= WARM_UP:
                floor.append(bare_ms)
                whole.append(login_ms)
        measured.append(Run(tuple(floor), tuple(whole)))
    directory.close()
    return measured


def _bare(slapd: Slapd, account: str) -> None:
    """Connect, verify the server, bind as the account, and search its own entry."""
    tls = _PromptTls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(slapd.files.ca))
    server = Server("127.0.0.1", slapd.tls_port, use_ssl=True, tls=tls, get_info=NONE)
    connection = Connection(server, f"uid={account},ou=crowd,{PEOPLE}", PASSWORD, check_names=False)
    assert connection.bind()
    connection.search(PEOPLE, f"(uid={account})", SUBTREE, attributes=["uid", "cn"])
    assert sum(each["type"] == "searchResEntry" for each in connection.response) == 1
    connection.unbind()


def _hanging(folder: Path) -> Row:
    """The worst login time with servers that accept connections but never answer."""
    with ExitStack() as stack:
        slapds = [make_slapd(folder / f"hanging-{number}", people()) for number in range(HANGING)]
        for each in slapds:
            each.start()
            stack.callback(each.stop)
            each.hang()
        described = slapds[0].described(servers=tuple(each.address for each in slapds))
        directory = open_directory(described, slapds[0].secrets)
        times_ms = [_timed(lambda: _away(directory)) for _ in range(5)]
    worst_ms = percentile(times_ms, 100)
    return Row(
        f"login while {HANGING} servers hang, the worst of five", f"{worst_ms / 1000:.2f} s", "≤ 5 s", worst_ms <= 5000
    )


def _away(directory: Any) -> None:
    with pytest.raises(LoginRefused) as refused:
        directory.log_in("alix", PASSWORD)
    assert refused.value.reason is Reason.AWAY


def _timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000
