"""`suivant-node`: one role of a Raspberry Pi."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from nodes.settings import NotNow, described_settings
from protocol.environment import Described, WrongSetting, refuse_misspelt

WRONG_SETTING_STATUS = 2
FAILED_STATUS = 1
# sysexits.h: 'try again later'; systemd starts the program again.
LATER_STATUS = 75
WIDTH = 100


@dataclass(frozen=True, slots=True)
class RoleCommand:
    """A role as the command line shows it; the package's extra for it has the same name.

    `module` is imported only when needed. It has `run(environ, simulated) -> exit status`, and may have
    `described_settings()` for settings that only this role has.
    """

    name: str
    module: str
    summary: str


_ROLES = (
    RoleCommand("desk-button", "nodes.desk_button.app", "a desk's button, which calls the next visitor, and its lamp"),
    RoleCommand("display", "nodes.display.app", "a hall's screen, which shows which number goes to which desk"),
    RoleCommand("ticket-printer", "nodes.ticket_printer.app", "the dispenser at the door, which prints tickets"),
)
ROLES = {role.name: role for role in _ROLES}


class NotLoaded(OSError):
    """A role's module cannot be read from the disk now, or has no disk space for what its import writes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a role. Exit status: 0 after a signal, 1 for a missing package, 2 for a wrong setting, 75 to be restarted."""
    try:
        return _obey(_parser().parse_args(arguments))
    except NotLoaded as error:
        print(f"suivant-node {error}.", file=sys.stderr)
        return LATER_STATUS


def _obey(options: argparse.Namespace) -> int:
    role = ROLES[options.role]
    try:
        run = _run(role)
        refuse_misspelt(os.environ, _all_settings(role))
        return run(os.environ, options.simulated)
    except WrongSetting as error:
        print(f"suivant-node {options.role}: {error}.", file=sys.stderr)
        return WRONG_SETTING_STATUS
    except NotNow as error:
        print(f"suivant-node {options.role}: {error}.", file=sys.stderr)
        return LATER_STATUS
    except ModuleNotFoundError as error:
        name = role.name
        print(f"suivant-node {name}: {error.name} is not installed: install suivant[{name}].", file=sys.stderr)
        return FAILED_STATUS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="suivant-node",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs one Suivant node. It reads a few settings from the environment; the hub sends the rest.",
        epilog="suivant-node ROLE --help lists the settings of that role.",
    )
    parser.add_argument("--version", action="version", version=f"suivant {version('suivant')}")
    roles = parser.add_subparsers(dest="role", required=True, metavar="ROLE", title="roles")
    for name, role in ROLES.items():
        command = roles.add_parser(
            name,
            help=role.summary,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            description=f"Runs {role.summary}.",
        )
        # Only --help lists the settings, since reading them imports the role.
        command.format_help = _with_settings(command.format_help, role)  # type: ignore[method-assign]
        command.add_argument(
            "--simulated",
            type=Path,
            metavar="DIR",
            help="run without hardware: the pins are mocks; DIR/control.sock takes input and reports output",
        )
    return parser


def _with_settings(plain: Callable[[], str], role: RoleCommand) -> Callable[[], str]:
    def with_settings() -> str:
        settings = "".join(each.help_text for each in _all_settings(role))
        return f"{plain()}\nsettings, read from the environment:\n{settings}"

    return with_settings


def _all_settings(role: RoleCommand) -> Iterable[Described]:
    yield from described_settings()
    try:
        own = getattr(_load(role), "described_settings", None)
    except ModuleNotFoundError:
        return
    if own is not None:
        yield from own()


def _run(role: RoleCommand) -> Callable[[Mapping[str, str], Path | None], int]:
    run: Callable[[Mapping[str, str], Path | None], int] = _load(role).run
    return run


def _load(role: RoleCommand) -> ModuleType:
    try:
        return importlib.import_module(role.module)
    except OSError as error:
        raise NotLoaded(f"{role.name}: this role cannot be loaded now: {error.strerror or error}") from error


if __name__ == "__main__":
    sys.exit(main())
