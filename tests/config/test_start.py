"""A hub that cannot start reports one sentence on standard error and an exit status. Every fault is real."""

import json
import os
import re
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

import hub
from hub.database.engine import open_driver_connection, open_engine
from hub.database.lock import hold_site
from hub.database.migration import migrate
from hub.listening import PortNotFree, listen
from tests.forked import run

EXAMPLE = Path(hub.__file__).with_name("example-site.yaml")

Fault = Callable[[Path], AbstractContextManager[dict[str, str]]]


@contextmanager
def a_wrong_setting(_folder: Path) -> Iterator[dict[str, str]]:
    yield {"SUIVANT_HTTP_PORT": "many"}


@contextmanager
def an_address_for_all(_folder: Path) -> Iterator[dict[str, str]]:
    yield {"SUIVANT_HTTP_HOST": "0.0.0.0"}


@contextmanager
def a_host_that_nobody_knows(_folder: Path) -> Iterator[dict[str, str]]:
    behind_a_proxy = {"SUIVANT_PUBLIC_URL": "https://ville.example", "SUIVANT_TRUSTED_PROXIES": "127.0.0.1"}
    yield {"SUIVANT_HTTP_HOST": "no such host"} | behind_a_proxy


@contextmanager
def a_site_file_that_is_not_there(_folder: Path) -> Iterator[dict[str, str]]:
    yield {"SUIVANT_SITE_FILE": "nowhere.yaml"}


@contextmanager
def a_wrong_site_file(folder: Path) -> Iterator[dict[str, str]]:
    (folder / "wrong.yaml").write_text("name: X\n", encoding="utf-8")
    yield {"SUIVANT_SITE_FILE": "wrong.yaml"}


@contextmanager
def a_port_that_is_taken(_folder: Path) -> Iterator[dict[str, str]]:
    with listen("127.0.0.1", 0) as other:
        yield {"SUIVANT_HTTP_PORT": str(other.getsockname()[1])}


@contextmanager
def a_folder_that_is_not_there(folder: Path) -> Iterator[dict[str, str]]:
    yield {"SUIVANT_DATABASE_URL": f"sqlite:///{folder}/nowhere/suivant.db"}


@contextmanager
def a_server_that_is_not_there(folder: Path) -> Iterator[dict[str, str]]:
    yield {"SUIVANT_DATABASE_URL": f"postgresql://suivant:se-cret@/suivant?host={folder}"}


@contextmanager
def a_database_of_another_kind(_folder: Path) -> Iterator[dict[str, str]]:
    yield {"SUIVANT_DATABASE_URL": "mysql://suivant:se-cret@localhost/suivant"}


@contextmanager
def a_password_in_the_query(_folder: Path) -> Iterator[dict[str, str]]:
    yield {"SUIVANT_DATABASE_URL": "postgresql:///suivant?host=localhost&password=se-cret"}


@contextmanager
def a_port_of_the_database_that_is_no_number(_folder: Path) -> Iterator[dict[str, str]]:
    yield {"SUIVANT_DATABASE_URL": "postgresql://suivant@localhost:se-cret/suivant"}


@contextmanager
def a_newer_database(folder: Path) -> Iterator[dict[str, str]]:
    engine = open_engine(f"sqlite:///{folder}/suivant.db")
    migrate(engine)
    with engine.execution_options(write=True).begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    engine.dispose()
    yield {}


@contextmanager
def a_locked_database(folder: Path) -> Iterator[dict[str, str]]:
    other = sqlite3.connect(folder / "suivant.db", isolation_level=None)
    other.execute("begin exclusive")
    yield {}
    other.close()


@contextmanager
def another_hub(folder: Path) -> Iterator[dict[str, str]]:
    engine = open_engine(f"sqlite:///{folder}/suivant.db")
    lock = hold_site(engine, "town-hall")
    yield {}
    lock.release()
    engine.dispose()


@contextmanager
def a_full_disk(folder: Path) -> Iterator[dict[str, str]]:
    small = folder / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "suivant-test", str(small)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield {"SUIVANT_STATE_DIR": str(small)}
    subprocess.run(["umount", str(small)], check=True)


def start(folder: Path, environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a hub that fails to start; return the finished process."""
    settings = {"SUIVANT_SITE_FILE": str(EXAMPLE), "SUIVANT_HTTP_PORT": "0", "SUIVANT_BROKER_PORT": "1"} | environ
    return run("hub", "hub", environ={"PATH": os.environ["PATH"]} | settings, folder=folder)


@pytest.mark.parametrize(
    ("fault", "status", "told"),
    [
        (a_wrong_setting, 2, "SUIVANT_HTTP_PORT is 'many': it should be a whole number"),
        (an_address_for_all, 2, "SUIVANT_HTTP_HOST is '0.0.0.0': it should be 127.0.0.1: passwords are sent there"),
        (a_host_that_nobody_knows, 2, "SUIVANT_HTTP_HOST is 'no such host': it should be an address of this machine"),
        (a_site_file_that_is_not_there, 2, "suivant: nowhere.yaml, which SUIVANT_SITE_FILE names, does not exist"),
        (a_wrong_site_file, 2, "wrong.yaml:1: name: 'X' should be at most 32 lower-case letters"),
        (
            a_port_that_is_taken,
            1,
            "another program uses it: stop that program, or choose another port in SUIVANT_HTTP_PORT",
        ),
        (a_folder_that_is_not_there, 1, "nowhere/suivant.db"),
        (a_server_that_is_not_there, 1, "does not answer"),
        (
            a_database_of_another_kind,
            2,
            "SUIVANT_DATABASE_URL is not a valid database address ('mysql' is neither sqlite nor",
        ),
        (
            a_port_of_the_database_that_is_no_number,
            2,
            "SUIVANT_DATABASE_URL is not a valid database address (it cannot be read",
        ),
        (a_password_in_the_query, 2, "belongs in the file that SUIVANT_DATABASE_PASSWORD_FILE names"),
        (a_newer_database, 1, "belongs to a later version of Suivant"),
        (a_locked_database, 1, "suivant.db is locked by another program"),
        (another_hub, 1, "another hub already serves site town-hall"),
        (a_full_disk, 1, "small/suivant.db is full"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_hub_that_cannot_start_says_why_in_a_sentence(fault: Fault, status: int, told: str, tmp_path: Path) -> None:
    with fault(tmp_path) as environ:
        ended = start(tmp_path, environ)
    assert told in ended.stderr
    assert ended.returncode == status
    assert "Traceback" not in ended.stderr
    assert "se-cret" not in ended.stderr


@pytest.mark.parametrize("table", ["desk_service", "login_session", "ticket"])
def test_a_hub_that_starts_while_another_program_holds_a_table_says_so(
    table: str, postgresql_url: str, tmp_path: Path
) -> None:
    engine = open_engine(postgresql_url)
    other = open_driver_connection(engine)
    other.execute(f"lock table {table}".encode())
    ended = start(tmp_path, {"SUIVANT_DATABASE_URL": postgresql_url})
    other.close()
    engine.dispose()
    assert "is locked by another program (canceling statement due to lock timeout)" in ended.stderr
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def test_each_file_that_others_may_read_is_warned_of_with_what_mends_it(tmp_path: Path) -> None:
    modes = {"suivant.db": 0o644, "suivant.db-wal": 0o600, "ldap password": 0o604, "key.pem": 0o640}
    for name, mode in modes.items():
        (tmp_path / name).write_text("a secret", encoding="utf-8")
        (tmp_path / name).chmod(mode)
    named = {"SUIVANT_LDAP_PASSWORD_FILE": "ldap password", "SUIVANT_PUBLIK_KEY_FILE": "key.pem"}
    with a_port_that_is_taken(tmp_path) as port:
        ended = start(tmp_path, named | port)
    warnings = [json.loads(line) for line in ended.stderr.splitlines() if "others_may_read_it" in line]
    mends = [f"chmod o= {tmp_path}/suivant.db", f"chmod o= '{tmp_path}/ldap password'"]
    assert [each["mend"] for each in warnings] == mends


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortNotFree, match=re.escape(f"127.0.0.1, port {port}: another program uses it")):
            listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_named_with_what_to_do() -> None:
    with pytest.raises(PortNotFree, match="no such address: correct SUIVANT_HTTP_HOST"):
        listen("192.0.2.1", 0)


def test_ipv6_loopback_will_do() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        listen("::1", 0).close()
    except PortNotFree as error:
        pytest.skip(str(error))
