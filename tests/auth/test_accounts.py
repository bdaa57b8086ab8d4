"""`suivant admin` as an administrator uses it, and what the hub then knows of an account."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from hub.__main__ import main
from hub.auth.account_store import LocalAccount, read_account
from hub.auth.passwords import matches
from hub.auth.roles import STAFF, Role
from hub.auth.session_store import open_sessions
from hub.database.engine import open_driver_connection, open_engine
from hub.database.statements import Connection
from hub.queue.commands.dispatch import run
from hub.queue.people_requests import OpenSession
from hub.queue.requests import Origin, Source
from hub.queue.transaction import Work
from hub.site import Site
from hub.site_index import SiteIndex
from tests.auth.commands import SITE, everything_kept, said
from tests.auth.slapd import PEOPLE, SERVICE_PASSWORD, Slapd

PASSWORD = "un guichet par personne"


@pytest.fixture
def password(tmp_path: Path) -> str:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\nwhat stands below is none of it\n", encoding="utf-8")
    return str(file)


def create(password: str, account: str = "secours", *more: str) -> int:
    roles = [] if "--role" in more else ["--role", "supervisor"]
    about = ["--name", "Accès de secours", "--password-file", password]
    return main(["admin", "create", account, *about, *roles, *more])


def found(engine: Engine, account: str = "secours", site: str = SITE) -> LocalAccount | None:
    with engine.connect() as connection:
        return read_account(connection, site, account)


def log_in(engine: Engine, account: str, *, local: bool = True) -> int:
    """Open a session as the writer does; return its id."""
    connection = Connection(open_driver_connection(engine), engine.dialect)
    connection.begin()
    origin = Origin(Source.PAGE, account)
    site = Site(name=SITE, town="-", zone="Europe/Paris", halls=(), services=(), desks=())
    hashed = f"{account}-{local}"
    command = OpenSession(origin=origin, token_hash=hashed, account=account, name="-", roles=("agent",), local=local)
    answer = run(Work(connection, SiteIndex(site), 1, origin, lambda _: None), command)
    connection.commit()
    connection.close()
    return answer.session  # type: ignore[union-attr]


def test_an_account_is_made_and_its_password_kept_as_a_hash(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    assert create(password) == 0
    told = said(capsys).out
    assert told.startswith("Accès de secours can now log in as secours.\n  supervisor: does everything an agent may, ")
    account = found(hub_engine)
    assert account is not None
    assert (account.name, account.roles) == ("Accès de secours", {Role.SUPERVISOR})
    assert matches(account.password, PASSWORD)
    assert PASSWORD not in everything_kept(hub_engine)
    assert found(hub_engine, site="annexe") is None


def test_an_account_has_the_roles_that_were_named(hub_engine: Engine, password: str) -> None:
    assert create(password, "Agent.2", "--role", "agent", "--role", "reception") == 0
    account = found(hub_engine, "agent.2")
    assert account is not None
    assert account.roles == {Role.AGENT, Role.RECEPTION}


def test_without_a_role_no_account_is_made_and_each_is_told_with_what_it_is_for(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["admin", "create", "secours", "--name", "-", "--password-file", password])
    told = said(capsys).err
    assert "--role" in told
    assert re.search(r"administrator +sees everything.* cannot call visitors", told)
    assert all(re.search(rf"^  {role} +\w", told, re.MULTILINE) for role in STAFF)
    assert found(hub_engine) is None


@pytest.mark.parametrize("account", ["", " "])
def test_an_account_that_is_empty_is_said_to_be(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], password: str, account: str
) -> None:
    assert create(password, account) == 1
    assert said(capsys).err == "suivant: the account is empty: give the account name that the person types to log in\n"


@pytest.mark.parametrize("name", ["", " "])
def test_a_name_that_is_empty_is_said_to_be(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], password: str, name: str
) -> None:
    assert main(["admin", "create", "secours", "--name", name, "--role", "agent", "--password-file", password]) == 1
    assert (
        said(capsys).err
        == "suivant: the name is empty: give the person's name as colleagues see it, such as Anna Martin\n"
    )


@pytest.mark.parametrize("account", ["a b", "x" * 65, "a\tb", "a\u200bb"])
def test_an_account_that_nobody_could_type_is_refused(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], password: str, account: str
) -> None:
    assert create(password, account) == 1
    assert "cannot be an account name: it should have at most 64 printable characters" in said(capsys).err


@pytest.mark.parametrize("name", ["x" * 101, "two\nlines"])
def test_a_name_is_one_line_that_colleagues_can_read(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], password: str, name: str
) -> None:
    assert main(["admin", "create", "secours", "--name", name, "--role", "agent", "--password-file", password]) == 1
    assert "at most 100 printable characters, on one line" in said(capsys).err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "fewer than 12 characters"),
        (b"elevensigns\nand more below\n", "fewer than 12 characters"),
        (b"x" * 257, "more than 256 characters"),
        (b"\xff\xfe\xff", "this one is not UTF-8"),
        (b"twelve signs\0and a zero", "a character that no login accepts"),
    ],
)
def test_a_password_that_will_not_do_is_refused_and_not_shown(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], tmp_path: Path, text: bytes, why: str
) -> None:
    file = tmp_path / "password"
    file.write_bytes(text)
    assert create(str(file)) == 1
    told = said(capsys)
    assert why in told.err
    assert "elevensigns" not in told.out + told.err
    assert found(hub_engine) is None


def test_the_mark_that_some_editors_put_before_a_text_is_no_part_of_a_password(
    hub_engine: Engine, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_bytes(PASSWORD.encode("utf-8-sig"))
    assert create(str(file)) == 0
    made = found(hub_engine)
    assert made is not None
    assert matches(made.password, PASSWORD)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_password_ends_with_its_line_and_with_no_rarer_sign(hub_engine: Engine, tmp_path: Path, end: str) -> None:
    file, password = tmp_path / "password", "un guichet\x0cpar\x85personne\u2028ou deux"
    file.write_bytes(f"{password}{end}what stands below is none of it".encode())
    assert create(str(file)) == 0
    made = found(hub_engine)
    assert made is not None
    assert matches(made.password, password)


@pytest.mark.parametrize("command", [("admin", "end"), ("session", "end")])
def test_what_cannot_be_an_account_is_nobody_s(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], command: tuple[str, str]
) -> None:
    assert main([*command, "h\udce9l\udce8ne"]) == 1
    assert "cannot be an account" in said(capsys).err


@pytest.mark.parametrize(("file", "why"), [("/not/there", "there is no such file"), ("/", "this is a folder")])
def test_a_password_file_that_cannot_be_read_is_said(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], file: str, why: str
) -> None:
    assert create(file) == 1
    told = said(capsys).err
    assert (
        told == f"suivant: --password-file is '{file}': it should be a text file that this user can read, but {why}\n"
    )


def test_without_a_terminal_a_password_file_is_asked_for(hub_engine: Engine) -> None:
    command = [sys.executable, "-m", "hub", "admin", "create", "secours", "--name", "-", "--role", "agent"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "name a file that contains it with --password-file" in done.stderr


@pytest.mark.parametrize(("second", "status"), [(PASSWORD, 0), ("something else", 1)])
def test_on_a_terminal_the_password_is_asked_for_twice_and_never_shown(
    hub_engine: Engine, second: str, status: int
) -> None:
    terminal, child = on_a_terminal("admin", "create", "secours", "--name", "-", "--role", "agent")
    shown = _until(terminal, b"Password, at least 12 characters: ")
    os.write(terminal, f"{PASSWORD}\n".encode())
    shown += _until(terminal, b"Password again: ")
    os.write(terminal, f"{second}\n".encode())
    shown += _until(terminal, None)
    os.close(terminal)
    assert child.wait() == status
    assert PASSWORD.encode() not in shown
    assert (found(hub_engine) is not None) == (status == 0)
    assert (b"the two passwords differ" in shown) == (status == 1)


def on_a_terminal(*words: str) -> "tuple[int, subprocess.Popen[bytes]]":
    """Start the command on a terminal; return the terminal's other end and the process."""
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "hub", *words]
    child = subprocess.Popen(command, stdin=its_end, stdout=its_end, stderr=its_end, start_new_session=True)
    os.close(its_end)
    return terminal, child


@pytest.mark.parametrize("typed", [b"", PASSWORD.encode() + b"\n"], ids=["at once", "at the second question"])
def test_an_end_of_typing_at_a_password_is_a_sentence(hub_engine: Engine, typed: bytes) -> None:
    terminal, child = on_a_terminal("admin", "create", "secours", "--name", "-", "--role", "agent")
    shown = _until(terminal, b"characters: ")
    if typed:
        os.write(terminal, typed)
        shown += _until(terminal, b"Password again: ")
    os.write(terminal, b"\x04")
    shown += _until(terminal, None)
    os.close(terminal)
    assert child.wait() == 1
    assert shown.endswith(b"\r\nsuivant: no password was typed: nothing was changed\r\n")
    assert found(hub_engine) is None


def _until(terminal: int, prompt: bytes | None) -> bytes:
    """What the terminal shows up to the prompt, or until the program ends."""
    shown = b""
    while prompt is None or prompt not in shown:
        try:
            read = os.read(terminal, 1024)
        except OSError:  # on Linux: the other end has been closed
            read = b""
        if not read:
            assert prompt is None, shown.decode()
            return shown
        shown += read
    return shown


def test_an_account_that_is_there_is_not_made_again_until_it_is_ended(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    create(password)
    said(capsys)
    assert create(password, "SECOURS") == 1
    assert said(capsys).err == "suivant: the account secours exists already: end it first, or choose another name\n"
    assert main(["admin", "end", "secours"]) == 0
    assert found(hub_engine) is None
    assert create(password, "secours", "--role", "supervisor") == 0
    account = found(hub_engine)
    assert account is not None
    assert account.roles == {Role.SUPERVISOR}


def test_an_ended_account_takes_its_open_sessions_with_it_and_no_others(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    create(password)
    create(password, "autre")
    log_in(hub_engine, "secours")
    others = [log_in(hub_engine, "secours", local=False), log_in(hub_engine, "autre")]
    said(capsys)
    assert main(["admin", "end", "secours"]) == 0
    assert said(capsys).out == "the local account secours is ended, and with it 1 open session.\n"
    with hub_engine.connect() as connection:
        assert [each.id for each in open_sessions(connection, SITE)] == others


def test_an_account_that_was_ended_is_said_to_be_and_one_that_never_was_too(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    create(password)
    main(["admin", "end", "secours"])
    main(["admin", "list"])
    ended = said(capsys).out.splitlines()[-1][-len("2026-12-01 10:30") :]
    assert main(["admin", "end", "secours"]) == 1
    assert said(capsys).err == f"suivant: the local account secours was already ended, on {ended}\n"
    assert main(["admin", "end", "autre"]) == 1
    told = "suivant: there is no local account autre: suivant admin list shows them all\n"
    assert said(capsys).err == told


def test_accounts_are_listed_with_their_roles_and_times_and_no_hash(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    create(password)
    create(password, "agent.2", "--role", "agent")
    main(["admin", "end", "secours"])
    said(capsys)
    assert main(["admin", "list"]) == 0
    head, first, second = said(capsys).out.splitlines()
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    assert head.split() == ["account", "name", "roles", "since", "ended"]
    assert re.fullmatch(rf"agent\.2 +Accès de secours +agent +{moment}", first)
    assert re.fullmatch(rf"secours +Accès de secours +supervisor +{moment} +{moment}", second)


def test_a_database_of_another_version_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], hub_engine: Engine
) -> None:
    monkeypatch.setenv("SUIVANT_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    assert main(["admin", "list"]) == 1
    told = said(capsys).err
    assert "other.db does not exist" in told
    assert told.endswith("`suivant database upgrade`, or start the hub, or correct SUIVANT_DATABASE_URL\n")


def test_a_shell_without_the_hubs_settings_is_told_which_one_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], hub_engine: Engine
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "away").mkdir()
    monkeypatch.delenv("SUIVANT_DATABASE_URL")
    monkeypatch.setenv("SUIVANT_STATE_DIR", "away")
    assert main(["admin", "list"]) == 1
    assert said(capsys).err.endswith("or start the hub, or correct SUIVANT_STATE_DIR\n")
    monkeypatch.setenv("SUIVANT_STATE_DIR", "nowhere")
    assert main(["admin", "list"]) == 1
    assert said(capsys).err.endswith("create the folder, owned by the hub's user, or correct SUIVANT_STATE_DIR\n")
    monkeypatch.delenv("SUIVANT_STATE_DIR")
    monkeypatch.chdir("away")
    assert main(["admin", "list"]) == 1
    assert "set SUIVANT_STATE_DIR, which is not set here, to the hub's state folder" in said(capsys).err


def test_a_hub_at_work_does_not_stop_it_and_a_database_that_is_held_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], hub_engine: Engine
) -> None:
    """A writer's connection is open throughout; only a transaction that does not end locks the database."""
    writer = Connection(open_driver_connection(hub_engine), hub_engine.dialect)
    assert main(["token", "create", "one", "--role", "metrics"]) == 0
    said(capsys)
    monkeypatch.setattr("hub.database.engine.open_engine", partial(open_engine, busy_timeout_s=0.05))
    if writer.on_postgresql:
        writer.raw.execute("lock table machine_token")
        assert main(["token", "list"]) == 1
        assert "is locked by another program" in said(capsys).err
    else:
        writer.begin()
    assert main(["token", "create", "two", "--role", "metrics"]) == 1
    assert "is locked by another program" in said(capsys).err
    writer.rollback()
    assert main(["token", "create", "two", "--role", "metrics"]) == 0
    writer.close()


# --- a name that the directory has too ------------------------------------------------------------------------------


@pytest.fixture
def with_directory(
    slapd: Slapd, hub_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Gives the hub's site file a directory."""

    def describe(**changes: Any) -> None:
        told = {key: value for key, value in msgspec.to_builtins(slapd.described(**changes)).items() if value}
        file = tmp_path / "site.yaml"
        site = file.read_text(encoding="utf-8").partition("\nlogin:")[0]
        site += f"\nlogin: {msgspec.json.encode({'directory': told}).decode()}\n"
        file.write_text(site, encoding="utf-8")
        (tmp_path / "service").write_text(SERVICE_PASSWORD, encoding="utf-8")
        monkeypatch.setenv("SUIVANT_LDAP_PASSWORD_FILE", str(tmp_path / "service"))
        monkeypatch.setenv("SUIVANT_LDAP_CA_FILE", str(slapd.files.ca))

    return describe


def test_no_account_is_made_of_a_name_that_the_directory_has(
    with_directory: Callable[..., None], capsys: pytest.CaptureFixture[str], password: str
) -> None:
    with_directory()
    assert create(password, "Camille") == 1
    assert "the directory has an account camille too: that person could no longer log in" in said(capsys).err
    assert main(["admin", "list"]) == 0
    assert "camille" not in said(capsys).out
    assert create(password, "secours") == 0
    assert said(capsys).out.startswith("Accès de secours can now log in as secours.\n")


def test_where_the_directory_does_not_answer_the_rule_is_said_and_the_account_made(
    with_directory: Callable[..., None], capsys: pytest.CaptureFixture[str], password: str
) -> None:
    with_directory(servers=("ldaps://127.0.0.1:1",))
    assert create(password) == 0
    note, made, _ = said(capsys).out.splitlines()
    assert note.startswith(
        "note: if the directory has an account secours, that person cannot log in while this local account"
    )
    assert "the directory could not be asked, so check this yourself: " in note
    assert made == "Accès de secours can now log in as secours."


def test_where_nobody_may_ask_the_directory_the_rule_is_said(
    with_directory: Callable[..., None], capsys: pytest.CaptureFixture[str], password: str
) -> None:
    with_directory(service_account=None, bind_as=f"uid={{account}},{PEOPLE}")
    assert create(password) == 0
    assert "without a service account the hub cannot ask the directory" in said(capsys).out


def test_an_end_of_typing_ends_a_look_at_the_directory_with_a_sentence_too(with_directory: Callable[..., None]) -> None:
    with_directory(service_account=None, bind_as=f"uid={{account}},{PEOPLE}")
    terminal, child = on_a_terminal("ldap", "check", "camille")
    _until(terminal, b"Password: ")
    os.write(terminal, b"\x04")
    shown = _until(terminal, None)
    os.close(terminal)
    assert child.wait() == 1
    assert shown.endswith(b"suivant: no password was typed: nothing was changed\r\n")
    assert b"Traceback" not in shown
