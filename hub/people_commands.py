"""`suivant admin`, `suivant session`, `suivant token`: each writes in one short transaction of its own."""

import argparse
import getpass
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine

from hub.auth.account_store import LocalAccount, create_account, end_account, read_accounts
from hub.auth.passwords import LEAST, PasswordTooShort, hash_password
from hub.auth.people import MAX_ACCOUNT, MAX_PASSWORD, MachineToken, one_spelling
from hub.auth.roles import Role
from hub.auth.session_store import end_sessions, open_sessions
from hub.auth.sessions import hash_token, new_token
from hub.auth.token_store import PREFIX, create_token, end_token, read_tokens
from hub.config import read_site
from hub.database.faults import faults_of
from hub.database.migration import check
from hub.queue.hours import local
from hub.settings import HubSettings
from hub.site import Site
from protocol.messages import Name

MAX_NAME = 100


class NotDone(Exception):
    """What was asked is not possible; nothing was changed. One sentence says why, and what to do."""


# The database, the site, the time, and what was typed; gives the lines to be said.
Command = Callable[[Engine, Site, int, argparse.Namespace], Iterable[str]]


def run(name: str, engine: Engine, settings: HubSettings, now_ms: int, options: argparse.Namespace) -> Iterable[str]:
    """Does the command of `COMMANDS`; gives what it says, line by line.

    Raises NotDone, WrongSiteFile or a DatabaseFault.
    """
    site = read_site(settings.site_file).site
    check(engine)
    return COMMANDS[name](engine, site, now_ms, options)


def create_admin(engine: Engine, site: Site, now_ms: int, options: argparse.Namespace) -> Iterator[str]:
    account, name = one_spelling(options.account), options.name.strip()
    if not 0 < len(account) <= MAX_ACCOUNT or not account.isprintable() or " " in account:
        raise NotDone(f"{options.account!r} is no account: at most {MAX_ACCOUNT} signs, and no space among them")
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise NotDone(f"the name is what colleagues read: at most {MAX_NAME} signs on one line")
    new = LocalAccount(
        account=account,
        name=name,
        password=_hashed(_password(options.password_file)),
        roles=frozenset(map(Role, options.role or [Role.ADMINISTRATOR])),
        created_ms=now_ms,
    )
    with _writing(engine) as connection:
        if not create_account(connection, site.name, new):
            raise NotDone(f"there is an account {account} already: end it first, or take another name")
    yield f"{name} may log in as {account}, with the roles {', '.join(sorted(new.roles))}."


def list_admins(engine: Engine, site: Site, _now_ms: int, _options: argparse.Namespace) -> Iterator[str]:
    with engine.connect() as connection:
        found = read_accounts(connection, site.name)
    yield from _table(
        ("account", "name", "roles", "since", "ended"),
        (
            (each.account, each.name, " ".join(sorted(each.roles)), *_times(each.created_ms, each.ended_ms, site))
            for each in found
        ),
    )


def end_admin(engine: Engine, site: Site, now_ms: int, options: argparse.Namespace) -> Iterator[str]:
    account = one_spelling(options.account)
    with _writing(engine) as connection:
        sessions = end_account(connection, site.name, account, now_ms)
    if sessions is None:
        raise NotDone(f"there is no account {account}: suivant admin list shows those that there are")
    yield f"nobody logs in as {account} any more; {sessions} open session{'' if sessions == 1 else 's'} ended with it."


def list_sessions(engine: Engine, site: Site, _now_ms: int, _options: argparse.Namespace) -> Iterator[str]:
    with engine.connect() as connection:
        found = open_sessions(connection, site.name)
    yield from _table(
        ("account", "name", "by", "since", "last seen"),
        (
            (
                each.person.account,
                each.person.name,
                "local account" if each.person.local else "directory",
                *_times(each.opened_ms, each.seen_ms, site),
            )
            for each in found
        ),
    )


def end_sessions_of(engine: Engine, site: Site, now_ms: int, options: argparse.Namespace) -> Iterator[str]:
    account = one_spelling(options.account)
    with _writing(engine) as connection:
        ended = end_sessions(connection, site.name, account, now_ms)
    if not ended:
        raise NotDone(f"{account} has no open session: suivant session list shows those that there are")
    yield f"{ended} open session{'' if ended == 1 else 's'} of {account} ended. Who still has a role may log in again."


def create_machine_token(engine: Engine, site: Site, now_ms: int, options: argparse.Namespace) -> Iterator[str]:
    """The token alone, so that it can go to a file unread."""
    new, token = MachineToken(name=_token_name(options.name), role=Role(options.role)), PREFIX + new_token()
    with _writing(engine) as connection:
        if not create_token(connection, site.name, new, hash_token(token), now_ms):
            raise NotDone(f"there is a token {new.name} already: end it first, or take another name")
    yield token


def list_tokens(engine: Engine, site: Site, _now_ms: int, _options: argparse.Namespace) -> Iterator[str]:
    with engine.connect() as connection:
        found = read_tokens(connection, site.name)
    yield from _table(
        ("token", "role", "since", "ended"),
        ((each.name, each.role, *_times(each.created_ms, each.ended_ms, site)) for each in found),
    )


def end_machine_token(engine: Engine, site: Site, now_ms: int, options: argparse.Namespace) -> Iterator[str]:
    name = _token_name(options.name)
    with _writing(engine) as connection:
        ended = end_token(connection, site.name, name, now_ms)
    if not ended:
        raise NotDone(f"there is no token {name}: suivant token list shows those that there are")
    yield f"the token {name} opens nothing any more."


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
def _writing(engine: Engine) -> Iterator[Connection]:
    with faults_of(engine), engine.execution_options(write=True).begin() as connection:
        yield connection


def _password(file: Path | None) -> str:
    if file is not None:
        return _first_line(file)
    if not sys.stdin.isatty():
        raise NotDone("there is no terminal to ask for the password: name a file that holds it by --password-file")
    first = getpass.getpass(f"Password, at least {LEAST} signs: ")
    if getpass.getpass("The same once more: ") != first:
        raise NotDone("the two passwords differ: nothing was changed")
    return first


def _first_line(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise NotDone(f"{file} holds no text in UTF-8") from None
    return lines[0] if lines else ""


def _hashed(password: str) -> str:
    if len(password) > MAX_PASSWORD:
        raise NotDone(f"the password has more than {MAX_PASSWORD} signs: nobody could log in with it")
    try:
        return hash_password(password)
    except PasswordTooShort as error:
        raise NotDone(str(error)) from error


def _token_name(text: str) -> str:
    try:
        return msgspec.convert(text, Name)
    except msgspec.ValidationError:
        raise NotDone(f"{text!r} is no token's name: small letters, digits and dashes, at most 32") from None


def _times(created_ms: int, ended_ms: int | None, site: Site) -> tuple[str, str]:
    since, ended = (f"{local(each, site.zone):%Y-%m-%d %H:%M}" if each else "" for each in (created_ms, ended_ms))
    return since, ended


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
