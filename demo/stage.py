"""Which programs the demo runs, with which settings: the same commands as in a town hall."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.hall import Hall
from demo.processes import Program
from provisioning.broker import BrokerPlan, installed_version, write

SITE_FILE = Path(__file__).parent / "town-hall.yaml"
COMMANDS = Path(sys.executable).parent
LOOPBACK = "127.0.0.1"
# Debian keeps daemons off an ordinary user's path.
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
ROLES = {"desk_button": "desk-button", "display": "display", "ticket_printer": "ticket-printer"}

# The hub goes last but for the broker, so that it hears every node leave.
NODES_STAGE, HUB_STAGE, BROKER_STAGE = range(3)


@dataclass(frozen=True, slots=True)
class Stage:
    """Folders and ports of one demo; all on loopback."""

    folder: Path
    broker_port: int
    hub_port: int

    @property
    def hub_url(self) -> str:
        return f"http://{LOOPBACK}:{self.hub_port}"

    def node_folder(self, node: str) -> Path:
        return self.folder / "nodes" / node


def free_port(wanted: int = 0) -> int:
    """`wanted`, or any free one where that is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError:
            probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def programs(stage: Stage, hall: Hall, environ: Mapping[str, str]) -> list[Program]:
    """In the order to start them in. Raises FileNotFoundError without mosquitto."""
    logs = stage.folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)

    def program(name: str, arguments: list[str], settings: Mapping[str, str], order: int) -> Program:
        # From the demo's own folder: the paths of the nodes' sockets, which hold 107 bytes, stay short.
        return Program(name, arguments, settings, log=logs / f"{name}.log", folder=stage.folder, stage=order)

    search_path = f"{environ.get('PATH', '')}:{SBIN}"
    plain = {"PATH": search_path, "HOME": environ.get("HOME", "/"), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    broker = {"SUIVANT_BROKER_HOST": LOOPBACK, "SUIVANT_BROKER_PORT": str(stage.broker_port)}
    return [
        program("broker", _mosquitto(stage, hall, search_path), plain, BROKER_STAGE),
        program("hub", [str(COMMANDS / "suivant"), "hub"], plain | broker | _hub(stage), HUB_STAGE),
        *(
            program(
                node.name,
                [str(COMMANDS / "suivant-node"), ROLES[node.role], "--simulated", f"nodes/{node.name}"],
                plain | broker | _node(stage, hall, node.name),
                NODES_STAGE,
            )
            for node in hall.nodes
        ),
    ]


def _mosquitto(stage: Stage, hall: Hall, search_path: str) -> list[str]:
    os.environ["PATH"] = search_path
    # A broker that root starts would become another user, who may not read a checkout in root's home.
    user = "root" if os.geteuid() == 0 else None
    plan = BrokerPlan(
        site=hall.name,
        port=stage.broker_port,
        folder=stage.folder.resolve() / "broker",
        version=installed_version(),
        user=user,
    )
    return ["mosquitto", "-c", str(write(plan))]


def _hub(stage: Stage) -> dict[str, str]:
    state = stage.folder.resolve() / "hub"
    state.mkdir(parents=True, exist_ok=True)
    return {
        "SUIVANT_SITE_FILE": str(SITE_FILE),
        "SUIVANT_STATE_DIR": str(state),
        "SUIVANT_HTTP_HOST": LOOPBACK,
        "SUIVANT_HTTP_PORT": str(stage.hub_port),
        "SUIVANT_LOG": "json",
    }


def _node(stage: Stage, hall: Hall, node: str) -> dict[str, str]:
    state = stage.node_folder(node).resolve() / "state"
    state.mkdir(parents=True, exist_ok=True)
    return {
        "SUIVANT_NODE": node,
        "SUIVANT_SITE": hall.name,
        "SUIVANT_STATE_DIR": str(state),
        "SUIVANT_LOG": "json",
        "SDL_VIDEODRIVER": "dummy",
        "SDL_AUDIODRIVER": "dummy",
    }
