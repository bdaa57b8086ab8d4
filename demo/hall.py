"""The demo's desks, services and button pins, read from the site file that the hub reads too."""

from pathlib import Path

import msgspec
import yaml
from msgspec import Struct


class Service(Struct, frozen=True, kw_only=True):
    name: str
    letter: str
    title: str


class Desk(Struct, frozen=True, kw_only=True):
    name: str
    number: str
    serves: tuple[str, ...]
    confirms_arrivals: bool = False


class Node(Struct, frozen=True, kw_only=True):
    """One node. `pins`: a dispenser's pin for each service."""

    name: str
    role: str
    desk: str = ""
    button_pin: int = 17
    pins: dict[str, int] = {}


class Hall(Struct, frozen=True, kw_only=True):
    """The part of the site file that the demo uses."""

    name: str
    town: str
    zone: str
    services: tuple[Service, ...]
    desks: tuple[Desk, ...]
    nodes: tuple[Node, ...]

    def of_role(self, role: str) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.role == role)

    @property
    def buttons(self) -> dict[str, Node]:
        """The button of each desk that has one."""
        return {node.desk: node for node in self.of_role("desk_button")}

    @property
    def display(self) -> Node:
        return self.of_role("display")[0]

    @property
    def dispenser(self) -> Node:
        return self.of_role("ticket_printer")[0]


def read_hall(path: Path) -> Hall:
    return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Hall)


def read_forms(path: Path) -> dict[str, str]:
    """The Publik forms with which citizens book, each with the name of its service."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))["appointments"]["publik"]["forms"]
    return {form["form"]: form["service"] for form in found}
