"""`suivant admin`, `suivant session`, `suivant token`: each writes in one short transaction of its own."""

import argparse
import getpass
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import Connection, Engine

from hub.auth.account_store import LocalAccount, create_account, end_account, read_accounts
from hub.auth.directory import DirectoryAway
from hub.auth.passwords import LEAST, PasswordTooShort, hash_password
from hub.auth.people import (
    MAX_ACCOUNT,
    MAX_PASSWORD,
    MachineToken,
    may_be_account,
    may_be_password,
    one_spelling,
)
from hub.auth.roles import DUTIES, Role
from hub.auth.session_store import EndedSession, end_sessions, last_ended_sessions, open_sessions
from hub.auth.sessions import Session, hash_token, new_token
from hub.auth.token_store import PREFIX, create_token, end_token, read_tokens
from hub.config import read_site
from hub.database.faults import faults_of
from hub.database.migration import check
from hub.queue.hours import local
from hub.queue.people_requests import EndReason
from hub.settings import HubSettings, first_line, ldap_secrets
from hub.site import LdapDirectory, Site
from protocol.environment import WrongSetting, unread
from protocol.messages import Name

MAX_NAME = 100
# The hub forgets them after 8 days anyway; with many agents they would fill a terminal long before.
ENDED_SHOWN_MOST = 200
WHY_ENDED = {
    EndReason.LOGOUT: "logged out",
    EndReason.IDLE: "not used for too long",
    EndReason.ABSOLUTE: "reached its longest duration",
    EndReason.RIGHT_TAKEN: "the person lost every role",
    EndReason.ENDED: "ended by suivant session or admin, or replaced by a newer one",
}


class NotDone(Exception):
    """The command is not possible and changed nothing. Its sentence says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command works on. `options`: the parsed command line."""

    engine: Engine
    site: Site
    settings: HubSettings
    now_ms: int
    options: argparse.Namespace


# Returns the lines to print.
Command = Callable[[Asked], Iterable[str]]


def run(name: str, engine: Engine, settings: HubSettings, now_ms: int, options: argparse.Namespace) -> Iterable[str]:
    """Runs the command `name` of `COMMANDS`; returns the lines to print.

    Raises NotDone, WrongSiteFile or a DatabaseFault.
    """
    site = read_site(settings.site_file).site
    check(engine)
    return COMMANDS[name](Asked(engine, site, settings, now_ms, options))


def create_admin(asked: Asked) -> Iterator[str]:
    account, name = one_spelling(asked.options.account), asked.options.name.strip()
    if not account:
        raise NotDone("the account is empty: give the account name that the person types to log in")
    if not name:
        raise NotDone("the name is empty: give the person's name as colleagues see it, such as Anna Martin")
    if not may_be_account(account) or " " in account:
        what = f"at most {MAX_ACCOUNT} printable characters, without spaces"
        raise NotDone(f"{asked.options.account!r} cannot be an account name: it should have {what}")
    if len(name) > MAX_NAME or not name.isprintable():
        raise NotDone(f"colleagues see the name: it should have at most {MAX_NAME} printable characters, on one line")
    yield from _of_that_name(asked, account)
    new = LocalAccount(
        account=account,
        name=name,
        password=_hashed(_password(asked.options.password_file)),
        roles=frozenset(map(Role, asked.options.role)),
        created_ms=asked.now_ms,
    )
    with _writing(asked.engine) as connection:
        if not create_account(connection, asked.site.name, new):
            raise NotDone(f"the account {account} exists already: end it first, or choose another name")
    yield f"{name} can now log in as {account}."
    for role in sorted(new.roles):
        yield f"  {role}: {DUTIES[role]}"


def _of_that_name(asked: Asked, account: str) -> Iterator[str]:
    """Warns of, or refuses, an account name that the directory knows: the local account would lock that person out."""
    described = asked.site.login.directory
    if described is None:
        return
    rule = f"if the directory has an account {account}, that person cannot log in while this local account exists"
    if described.service_account is None:
        yield f"note: {rule}; without a service account the hub cannot ask the directory, so check this yourself."
        return
    try:
        known = _is_known(described, asked, account)
    except (DirectoryAway, WrongSetting) as error:
        yield f"note: {rule}; the directory could not be asked, so check this yourself: {error}"
        return
    if known:
        raise NotDone(
            f"the directory has an account {account} too: that person could no longer log in with their own password, "
            "and the journal could not tell the two apart. Choose another name"
        )


def _is_known(described: LdapDirectory, asked: Asked, account: str) -> bool:
    from hub.auth.ldap_directory import open_directory

    directory = open_directory(described, ldap_secrets(asked.settings))
    try:
        with _without_log():
            return directory.look_up(account) is not None
    finally:
        directory.close()


@contextmanager
def _without_log() -> Iterator[None]:
    """Silences the log, because the command reports what happens in its own words."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def list_admins(asked: Asked) -> Iterator[str]:
    with _reading(asked.engine) as connection:
        found = read_accounts(connection, asked.site.name)
    yield from _table(
        ("account", "name", "roles", "since", "ended"),
        (
            (each.account, each.name, " ".join(sorted(each.roles)), *_times(each.created_ms, each.ended_ms, asked.site))
            for each in found
        ),
    )


def end_admin(asked: Asked) -> Iterator[str]:
    account = _account(asked)
    with _writing(asked.engine) as connection:
        sessions = end_account(connection, asked.site.name, account, asked.now_ms)
    if sessions is None:
        raise NotDone(_why_nothing_ended(asked, account))
    yield f"the local account {account} is ended, and with it {sessions} open session{'' if sessions == 1 else 's'}."


def _why_nothing_ended(asked: Asked, account: str) -> str:
    with _reading(asked.engine) as connection:
        found = read_accounts(connection, asked.site.name)
    ended_ms = next((each.ended_ms for each in found if each.account == account), None)
    if ended_ms is None:
        return f"there is no local account {account}: suivant admin list shows them all"
    when, _ = _times(ended_ms, None, asked.site)
    return f"the local account {account} was already ended, on {when}"


def list_sessions(asked: Asked) -> Iterator[str]:
    with _reading(asked.engine) as connection:
        found = open_sessions(connection, asked.site.name)
        ended = last_ended_sessions(connection, asked.site.name, ENDED_SHOWN_MOST) if asked.options.all else []
    head = ("account", "name", "by", "since", "last seen")
    if not asked.options.all:
        yield from _table(head, (_session_cells(each, asked.site) for each in found))
        return
    rows = [(each, ("", "")) for each in found] + [(each.session, _end_cells(each, asked.site)) for each in ended]
    rows.sort(key=lambda row: row[0].id)
    cells = ((*_session_cells(session, asked.site), *end) for session, end in rows)
    yield from _table((*head, "ended", "why"), cells)
    if len(ended) == ENDED_SHOWN_MOST:
        yield f"Only the last {ENDED_SHOWN_MOST} ended sessions are shown."


def _session_cells(session: Session, site: Site) -> tuple[str, ...]:
    person, times = session.person, _times(session.opened_ms, session.seen_ms, site)
    return (person.account, person.name, "local account" if person.local else "directory", *times)


def _end_cells(ended: EndedSession, site: Site) -> tuple[str, str]:
    when, _ = _times(ended.ended_ms, None, site)
    return when, WHY_ENDED[ended.reason]


def end_sessions_of(asked: Asked) -> Iterator[str]:
    account = _account(asked)
    with _writing(asked.engine) as connection:
        ended = end_sessions(connection, asked.site.name, account, asked.now_ms)
    if ended.open:
        sessions = f"{ended.open} open session{'' if ended.open == 1 else 's'}"
        yield f"ended {sessions} of {account}, who can log in again as long as they have a role."
    elif ended.idle:
        yield f"{account} had no open session, only one that had ended for being idle; they are signed off their desk."
    else:
        raise NotDone(f"{account} has no open session: suivant session list shows them all")


def create_machine_token(asked: Asked) -> Iterator[str]:
    """Returns nothing but the token, so that it can be redirected into a file."""
    new, token = MachineToken(name=_token_name(asked.options.name), role=Role(asked.options.role)), PREFIX + new_token()
    with _writing(asked.engine) as connection:
        if not create_token(connection, asked.site.name, new, hash_token(token), asked.now_ms):
            raise NotDone(f"the token {new.name} exists already: end it first, or choose another name")
    yield token


def list_tokens(asked: Asked) -> Iterator[str]:
    with _reading(asked.engine) as connection:
        found = read_tokens(connection, asked.site.name)
    yield from _table(
        ("token", "role", "since", "ended"),
        ((each.name, each.role, *_times(each.created_ms, each.ended_ms, asked.site)) for each in found),
    )


def end_machine_token(asked: Asked) -> Iterator[str]:
    name = _token_name(asked.options.name)
    with _writing(asked.engine) as connection:
        ended = end_token(connection, asked.site.name, name, asked.now_ms)
    if not ended:
        raise NotDone(f"there is no token {name}: suivant token list shows them all")
    yield f"the token {name} is ended: the hub no longer accepts it."


COMMANDS: dict[str, Command] = {
    "admin create": create_admin,
    "admin list": list_admins,
    "admin end": end_admin,
    "session list": list_sessions,
    "session end": end_sessions_of,
    "token create": create_machine_token,
    "token list": list_tokens,
    "token end": end_machine_token,
}


@contextmanager
def _reading(engine: Engine) -> Iterator[Connection]:
    with faults_of(engine), engine.connect() as connection:
        yield connection


@contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    with faults_of(engine), engine.execution_options(write=True).begin() as connection:
        yield connection


def _password(file: Path | None) -> str:
    if file is not None:
        return _password_in(file)
    if not sys.stdin.isatty():
        raise NotDone("there is no terminal to ask for the password: name a file that contains it with --password-file")
    first = ask_password(f"Password, at least {LEAST} characters: ")
    if ask_password("Password again: ") != first:
        raise NotDone("the two passwords differ: nothing was changed")
    return first


def ask_password(prompt: str) -> str:
    """Reads a password from the terminal without showing it. Raises NotDone at the end of input (Ctrl-D)."""
    try:
        return getpass.getpass(prompt)
    except EOFError:
        sys.stderr.write("\n")  # ends the prompt's line
        raise NotDone("no password was typed: nothing was changed") from None


def _password_in(file: Path) -> str:
    try:
        return first_line(file)
    except (OSError, UnicodeDecodeError) as error:
        wanted = f"a text file that this user can read, but {unread(error)}"
        raise NotDone(f"--password-file is {str(file)!r}: it should be {wanted}") from None


def _hashed(password: str) -> str:
    if len(password) > MAX_PASSWORD:
        raise NotDone(f"the password has more than {MAX_PASSWORD} characters: nobody could log in with it")
    # An empty password is refused below, as too short.
    if password and not may_be_password(password):
        raise NotDone("the password contains a character that no login accepts: a null, or half of a surrogate pair")
    try:
        return hash_password(password)
    except PasswordTooShort as error:
        raise NotDone(str(error)) from error


def _account(asked: Asked) -> str:
    account = one_spelling(asked.options.account)
    if not may_be_account(account):
        raise NotDone(
            f"{asked.options.account!a} cannot be an account: it is empty or too long, or has characters that are not "
            "allowed"
        )
    return account


def _token_name(text: str) -> str:
    try:
        return msgspec.convert(text, Name)
    except msgspec.ValidationError:
        wanted = "at most 32 lower-case letters, digits and hyphens"
        raise NotDone(f"{text!r} cannot be a token's name: it should have {wanted}") from None


def _times(created_ms: int, ended_ms: int | None, site: Site) -> tuple[str, str]:
    since, ended = (f"{local(each, site.zone):%Y-%m-%d %H:%M}" if each else "" for each in (created_ms, ended_ms))
    return since, ended


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
