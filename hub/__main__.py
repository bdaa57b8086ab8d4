"""`suivant`: the hub and its administration."""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hub.auth.roles import DUTIES, MACHINES, STAFF, Role

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from hub.findings import Finding

FAILED_STATUS = 1
WRONG_START_STATUS = 2

EXAMPLES = """\
examples:
  suivant config example > site.yaml         a commented site file to begin with
  suivant config check site.yaml             check it, and list what is wrong
  SUIVANT_SITE_FILE=site.yaml suivant hub    run the hub: pages on http://127.0.0.1:8080/
"""
HUB_TEXT = """\
Runs the hub of one site: the queues, the pages, the API, and, through the MQTT broker, the nodes.
It upgrades its database at its start. Stop it with SIGTERM or Ctrl-C.
It starts without the broker too, and tries to reach it until it succeeds. Meanwhile pages and API work, so agents can
call; displays, printers and desk buttons get no news, and /healthz answers 503.
"""
CHECK_TEXT = """\
Checks a site file. For each problem it prints the line, the key and what would be right.
Ends with status 1 if there is an error; warnings do not count.
"""
LDAP_TEXT = """\
Checks the directory that the site file names: whether it can be reached over TLS, whether its certificate is trusted,
whether it accepts the service account, and whether it has the base and the groups. With PERSON, the account as that
person types it to log in, it also checks whether they may log in, and with which roles. If people bind as themselves,
it asks for the person's password. It changes nothing.
Ends with status 1 if something is wrong.
"""
PUBLIK_TEXT = """\
Checks the Publik that the site file names: whether it can be reached, whether it accepts the hub's calls, whether the
clocks agree, and how many bookings the mapping finds in each form. It changes nothing and prints no names.
Ends with status 1 if something is wrong.
"""
ADMIN_TEXT = """\
Local accounts are for logging in where there is no directory, or while it is away. The journal records each login with
one.
"""
CREATE_TEXT = """\
Creates a local account. Its password, of at least 12 characters, is asked for twice on the terminal, or is the first
line of the file that --password-file names. The hub may be running.

A local account takes precedence over the directory: if somebody there has the same account name, they can no longer log
in, so choose another one. If the directory can be asked and knows the name, no account is created.
For the day when the directory is away, choose the role supervisor: an administrator without another role calls nobody.
"""
ROLES_TEXT = "\n".join(["roles:", *(f"  {role.value:<15}{duty}" for role, duty in DUTIES.items())])
SESSIONS_TEXT = """\
Lists who is logged in, through the directory or a local account, and since when. With --all, also the sessions that
ended in the last 8 days (at most the last 200), with when and why. The hub forgets older ones.
"""
RESTORED_TEXT = """\
Run this after restoring a backup of the database, with the hub stopped. Nodes then accept the older state, every open
session ends, and the command lists the local accounts and tokens that the backup has opened again.
"""
SITE_FILE_HELP = "the site file; default: the one that SUIVANT_SITE_FILE names"
PROGRAM_TEXT = """\
Creates a token for a program and prints it, only this once: the hub keeps only its SHA-256. The program sends it as
Authorization: Bearer TOKEN.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, 1 if something failed, 2 for wrong settings, site file or command line."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        status = command(options)
        print(end="", flush=True)
        return status
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in {"hub", "protocol"}:
            raise
        return _say(f"the Python package {error.name} is not installed: install suivant[hub]", FAILED_STATUS)
    except KeyboardInterrupt:
        return 128 + 2
    except BrokenPipeError:
        # The reader, `head` for example, has closed the pipe. The interpreter flushes again at exit, to nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        return _say(*told)


def _told(error: Exception) -> tuple[str, int] | None:
    """The sentence and the exit status for an error that a person can do something about; None for a bug."""
    from hub.config import SiteFileMissing, WrongSiteFile
    from hub.database.faults import DatabaseFault, FileMissing, WrongAddress
    from hub.people_commands import NotDone
    from hub.web.words import CatalogueMissing
    from protocol.environment import WrongSetting

    if isinstance(error, SiteFileMissing):
        return _no_site_file(error.path, os.environ), WRONG_START_STATUS
    if isinstance(error, WrongSetting | WrongAddress):
        return str(error), WRONG_START_STATUS
    if isinstance(error, WrongSiteFile):
        return f"the site file is wrong:\n{error}", WRONG_START_STATUS
    if isinstance(error, FileMissing):
        return f"{error}, or {_other_place(os.environ)}", FAILED_STATUS
    if isinstance(error, DatabaseFault | NotDone | OSError | CatalogueMissing):
        return str(error), FAILED_STATUS
    return None


def _no_site_file(path: Path, environ: Mapping[str, str]) -> str:
    """What is missing, and where the path comes from: the setting, its default, or the command line."""
    from hub.settings import HubSettings

    named = environ.get("SUIVANT_SITE_FILE")
    if not named and path == HubSettings().site_file:
        return f"there is no {path} in this folder: set SUIVANT_SITE_FILE to the path of the site file"
    if named and path == Path(named):
        return f"{path}, which SUIVANT_SITE_FILE names, does not exist"
    return f"{path} does not exist"


def _other_place(environ: Mapping[str, str]) -> str:
    """What to do if the database is in another place: often a shell lacks the variables that the hub's unit sets."""
    for variable in ("SUIVANT_DATABASE_URL", "SUIVANT_STATE_DIR"):
        if environ.get(variable):
            return f"correct {variable}"
    return "set SUIVANT_STATE_DIR, which is not set here, to the hub's state folder"


def _say(sentence: str, status: int) -> int:
    print(f"suivant: {sentence}", file=sys.stderr)
    return status


# --- commands -----------------------------------------------------------------------------------------------------


def run_hub(_options: argparse.Namespace) -> int:
    # Nothing is garbage while the program loads, and looking for it takes a fifth of the start. `keep_what_stands`
    # turns the collector on again.
    gc.disable()
    from hub.logs import configure
    from hub.serve import run
    from hub.settings import described_settings, read_settings
    from protocol.environment import refuse_misspelt

    refuse_misspelt(os.environ, described_settings())
    settings = read_settings(os.environ)
    configure(settings.hub.log, settings.hub.log_level)
    return run(settings) or 0


def check_config(options: argparse.Namespace) -> int:
    from hub.config import SiteFileMissing, WrongSiteFile, read_site
    from hub.settings import read_hub_settings

    path: Path = options.file or read_hub_settings(os.environ).site_file
    try:
        found = read_site(path)
    except SiteFileMissing as missing:
        return _say(_no_site_file(missing.path, os.environ), FAILED_STATUS)
    except WrongSiteFile as wrong:
        print(wrong)
        errors = sum(not each.warning for each in wrong.problems)
        return _say(f"{path} has {errors} error{'s' if errors > 1 else ''}", FAILED_STATUS)
    for line in found.warning_lines():
        print(line)
    site = found.site
    parts = (("hall", site.halls), ("service", site.services), ("desk", site.desks), ("node", site.nodes))
    counts = ", ".join(f"{len(each)} {name}{'' if len(each) == 1 else 's'}" for name, each in parts)
    print(f"{path} is valid: site {site.name} with {counts}.")
    return 0


def print_example(_options: argparse.Namespace) -> int:
    print(Path(__file__).with_name("example-site.yaml").read_text(encoding="utf-8"), end="")
    return 0


def upgrade_database(_options: argparse.Namespace) -> int:
    from hub.database.faults import place_of
    from hub.database.migration import upgrade

    with _database() as engine:
        revision = upgrade(engine)
        print(f"the database {place_of(engine.url)} is at revision {revision}, as this version needs it.")
    return 0


def check_database(_options: argparse.Namespace) -> int:
    from hub.database.faults import place_of
    from hub.database.migration import check

    with _database() as engine:
        print(f"the database {place_of(engine.url)} is at revision {check(engine)}, as this version needs it.")
    return 0


def copy_database(options: argparse.Namespace) -> int:
    from hub.database.backup import back_up

    copy: Path = options.file
    with _database() as engine:
        size = back_up(engine, copy)
    print(f"{copy} contains everything committed: {size / 1_000_000:.1f} MB, including names and password hashes.")
    return 0


def tell_of_restore(_options: argparse.Namespace) -> int:
    import time

    from hub.database.faults import place_of
    from hub.database.migration import check
    from hub.restored import note_restore, opened_again

    with _database() as engine:
        check(engine)
        restored = note_restore(engine, time.time_ns() // 1_000_000)
        place, sites = place_of(engine.url), restored.sites
    if not sites:
        found = f"no hub has ever run on the database {place}, so it is not a restored backup"
        return _say(f"{found}: {_other_place(os.environ)}", FAILED_STATUS)
    print(f"the database {place}: the hubs of {sites} site{'s' if sites != 1 else ''} will update every node.")
    for line in opened_again(restored):
        print(line)
    return 0


@contextmanager
def _database() -> "Iterator[Engine]":
    """The database that the settings name."""
    from hub.database.engine import open_engine
    from hub.settings import database_url, read_hub_settings

    engine = open_engine(database_url(read_hub_settings(os.environ)))
    try:
        yield engine
    finally:
        engine.dispose()


def people(name: str) -> Callable[[argparse.Namespace], int]:
    """The command of this name in `hub.people_commands`."""

    def run(options: argparse.Namespace) -> int:
        import time

        from hub import people_commands
        from hub.settings import read_hub_settings

        settings, now_ms = read_hub_settings(os.environ), time.time_ns() // 1_000_000
        with _database() as engine:
            for line in people_commands.run(name, engine, settings, now_ms, options):
                print(line, flush=True)
        return 0

    return run


def check_publik(options: argparse.Namespace) -> int:
    import time

    from hub.config import read_site
    from hub.publik.check import check
    from hub.settings import publik_secrets, read_hub_settings

    settings = read_hub_settings(os.environ)
    path: Path = options.file or settings.site_file
    site = read_site(path).site
    publik = site.appointments.publik
    if publik is None:
        return _say(
            f"{path} has no appointments.publik: appointments come from {site.appointments.file}", FAILED_STATUS
        )
    return _print(check(site, publik, publik_secrets(settings), lambda: time.time_ns() // 1_000_000), "docs/publik.md")


def check_ldap(options: argparse.Namespace) -> int:
    import time

    from hub.auth.ldap_check import check
    from hub.config import read_site
    from hub.people_commands import ask_password
    from hub.settings import ldap_secrets, read_hub_settings

    settings = read_hub_settings(os.environ)
    directory = read_site(settings.site_file).site.login.directory
    if directory is None:
        return _say(
            f"{settings.site_file} has no login.directory: staff log in with local accounts only", FAILED_STATUS
        )
    person: str | None = options.person
    asks = person is not None and directory.bind_as is not None
    password = ask_password("Password: ") if asks else None
    return _print(check(directory, ldap_secrets(settings), person, password, time.time), "docs/ldap.md")


def _print(findings: "Iterable[Finding]", more: str) -> int:
    from hub.findings import Level

    wrong = 0
    for finding in findings:
        print(finding, flush=True)
        wrong += finding.level is Level.WRONG
    if wrong:
        return _say(f"found {wrong} problem{'s' if wrong > 1 else ''}; {more} explains what to do", FAILED_STATUS)
    return 0


def print_openapi(_options: argparse.Namespace) -> int:
    from hub.openapi import openapi

    print(openapi())
    return 0


# --- the command line ---------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="suivant",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs the queues of a town hall: tickets, calls, screens.",
        epilog=f"{EXAMPLES}\nsuivant hub --help lists the settings.",
    )
    parser.add_argument("--version", action="version", version=f"suivant {version('suivant')}")
    commands = _add_commands(parser)

    hub = _add(commands, "hub", "run the hub of a site", run_hub, HUB_TEXT)
    # Read for --help only: the settings' module imports the hub's own dependencies.
    plain = hub.format_help
    hub.format_help = lambda: plain() + _settings_text()  # type: ignore[method-assign]

    config = _add_group(commands, "config", "check the site file, or print an example")
    check = _add(config, "check", "check a site file, and list what is wrong", check_config, CHECK_TEXT)
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help=SITE_FILE_HELP)
    _add(config, "example", "print a commented site file", print_example)

    database = _add_group(commands, "database", "upgrade, check or back up the database")
    _add(database, "upgrade", "create or upgrade the tables, as the hub does at its start", upgrade_database)
    _add(database, "check", "check that the tables are those of this version; changes nothing", check_database)
    copied = _add(database, "backup", "copy an SQLite database, even while the hub runs", copy_database)
    copied.add_argument(
        "file", type=Path, metavar="FILE", help="the copy to write; an existing file is not overwritten"
    )
    _add(
        database, "restored", "run this after restoring a backup, with the hub stopped", tell_of_restore, RESTORED_TEXT
    )

    publik = _add_group(commands, "publik", "check the connection to Publik, for appointments")
    tried = _add(publik, "check", "check that Publik can be reached and the mapping works", check_publik, PUBLIK_TEXT)
    tried.add_argument("file", nargs="?", type=Path, metavar="FILE", help=SITE_FILE_HELP)

    _add_people(commands)
    ldap = _add_group(commands, "ldap", "check the directory through which staff log in")
    looked = _add(ldap, "check", "check the directory, and what a person may do", check_ldap, LDAP_TEXT)
    looked.add_argument("person", nargs="?", metavar="PERSON", help="a person's account, as they type it to log in")

    _add(commands, "openapi", "print the API's OpenAPI document", print_openapi)
    return parser


def _add_people(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    admin = _add_group(commands, "admin", "create, list or end local accounts", ADMIN_TEXT)
    made = _add(admin, "create", "create a local account", people("admin create"), CREATE_TEXT)
    made.add_argument("account", metavar="ACCOUNT", help="the account name that the person types to log in")
    made.add_argument("--name", required=True, help="the person's name, as colleagues see it: Anna Martin")
    made.add_argument(
        "--role",
        action="append",
        required=True,
        choices=_words(STAFF),
        help="a role of the person, see below; may be given several times",
    )
    made.epilog = ROLES_TEXT
    plain = made.error

    def with_roles(message: str) -> NoReturn:
        plain(f"{message}\n{ROLES_TEXT}" if "--role" in message else message)

    made.error = with_roles  # type: ignore[method-assign]
    made.add_argument("--password-file", type=Path, metavar="FILE", help="a file whose first line is the password")
    _add(admin, "list", "list the local accounts, with their roles and dates", people("admin list"))
    ended = _add(admin, "end", "end a local account and its open sessions", people("admin end"))
    ended.add_argument("account", metavar="ACCOUNT", help="the account's name")

    session = _add_group(commands, "session", "list who is logged in, or end somebody's sessions")
    listed = _add(session, "list", "list who is logged in, and since when", people("session list"), SESSIONS_TEXT)
    listed.add_argument("--all", action="store_true", help="also list ended sessions, with when and why they ended")
    ended = _add(session, "end", "end all open sessions of an account", people("session end"))
    ended.add_argument("account", metavar="ACCOUNT", help="the account that the person logs in with")

    token = _add_group(commands, "token", "create, list or end tokens for programs")
    made = _add(token, "create", "create a token for a program", people("token create"), PROGRAM_TEXT)
    made.add_argument("name", metavar="NAME", help="a name for the token: lower-case letters, digits and hyphens")
    made.add_argument("--role", required=True, choices=_words(MACHINES), help="the program's role")
    _add(token, "list", "list the tokens, with their roles and dates", people("token list"))
    ended = _add(token, "end", "end a token: the hub no longer accepts it", people("token end"))
    ended.add_argument("name", metavar="NAME", help="the token's name")


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], int],
    description: str = "",
) -> argparse.ArgumentParser:
    text = description or f"{summary[0].upper()}{summary[1:]}."
    command = commands.add_parser(
        name, help=summary, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.set_defaults(run=run)
    return command


def _add_group(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, description: str = ""
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    group = commands.add_parser(name, help=summary, description=description or f"{summary[0].upper()}{summary[1:]}.")
    return _add_commands(group)


def _add_commands(parser: argparse.ArgumentParser) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """Adds subcommands; without one of them, the command prints its help."""

    def show_help(_options: argparse.Namespace) -> int:
        parser.print_help(sys.stderr)
        return WRONG_START_STATUS

    parser.set_defaults(run=show_help)
    return parser.add_subparsers(metavar="COMMAND", title="commands")


def _words(roles: frozenset[Role]) -> list[str]:
    return sorted(role.value for role in roles)


def _settings_text() -> str:
    from hub.settings import described_settings

    return "\nsettings, read from the environment:\n" + "".join(each.help_text for each in described_settings())


if __name__ == "__main__":
    sys.exit(main())
