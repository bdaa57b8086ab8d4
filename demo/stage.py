"""The programs that the demo runs, and their settings: the same commands as in a town hall."""

import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.hall import Hall, read_forms
from demo.processes import Program
from provisioning.broker import BrokerPlan, installed_version, write

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
SITE_FILE = HERE / "town-hall.yaml"
# Added to the demo's site file: where its bookings come from.
APPOINTMENTS_FILE = HERE / "appointments.yaml"
ADDRESS_THERE = "http://127.0.0.1:8480"
COMMANDS = Path(sys.executable).parent
LOOPBACK = "127.0.0.1"
PUSH_PATH = "/api/v1/publik/push"
# Debian keeps daemons off an ordinary user's path.
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
ROLES = {"desk_button": "desk-button", "display": "display", "ticket_printer": "ticket-printer"}

# The order of stopping: the hub after the nodes, so that it hears each of them leave; broker and Publik after the hub.
NODES_STAGE, HUB_STAGE, AROUND_STAGE = range(3)


@dataclass(frozen=True, slots=True)
class Stage:
    """The folders and ports of one demo; all ports are on loopback."""

    folder: Path
    broker_port: int
    hub_port: int
    publik_port: int

    @property
    def hub_url(self) -> str:
        return f"http://{LOOPBACK}:{self.hub_port}"

    @property
    def publik_url(self) -> str:
        return f"http://{LOOPBACK}:{self.publik_port}"

    @property
    def key_file(self) -> Path:
        """The key that this demo's hub and Publik share."""
        return self.folder.resolve() / "publik" / "key"

    def node_folder(self, node: str) -> Path:
        return self.folder / "nodes" / node


def free_port(wanted: int = 0) -> int:
    """`wanted`, or any free port if that is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError:
            probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def programs(stage: Stage, hall: Hall, environ: Mapping[str, str]) -> list[Program]:
    """The programs in the order of their start. Raises FileNotFoundError without mosquitto."""
    logs = stage.folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)

    def program(name: str, arguments: list[str], settings: Mapping[str, str], order: int) -> Program:
        # Run in the demo's own folder, so that the paths of the nodes' sockets, limited to 107 bytes, stay short.
        return Program(name, arguments, settings, log=logs / f"{name}.log", folder=stage.folder, stage=order)

    search_path = f"{environ.get('PATH', '')}:{SBIN}"
    plain = {"PATH": search_path, "HOME": environ.get("HOME", "/"), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    broker = {"SUIVANT_BROKER_HOST": LOOPBACK, "SUIVANT_BROKER_PORT": str(stage.broker_port)}
    return [
        program("broker", _mosquitto(stage, hall, search_path), plain, AROUND_STAGE),
        program("publik", _publik(stage, hall), plain | {"PYTHONPATH": str(REPOSITORY)}, AROUND_STAGE),
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
    # Started by root, mosquitto would switch to another user, who may not read a checkout in root's home.
    user = "root" if os.geteuid() == 0 else None
    plan = BrokerPlan(
        site=hall.name,
        port=stage.broker_port,
        folder=stage.folder.resolve() / "broker",
        version=installed_version(),
        user=user,
    )
    return ["mosquitto", "-c", str(write(plan))]


def _publik(stage: Stage, hall: Hall) -> list[str]:
    stage.key_file.parent.mkdir(parents=True, exist_ok=True)
    stage.key_file.touch(mode=0o600)
    stage.key_file.write_text(secrets.token_urlsafe(32), encoding="utf-8")
    port, push_to = str(stage.publik_port), f"{stage.hub_url}{PUSH_PATH}"
    options = ["--port", port, "--key-file", str(stage.key_file), "--zone", hall.zone, "--push-to", push_to]
    options += ["--keep", str(stage.key_file.with_name("town.json"))]
    forms = [word for form in read_forms(APPOINTMENTS_FILE) for word in ("--form", form)]
    return [sys.executable, "-m", "tests.publik.server", *options, *forms]


def _site_file(stage: Stage, folder: Path) -> Path:
    """Write this demo's site file, with the address of its Publik, which is known only now."""
    file = folder / "site.yaml"
    appointments = APPOINTMENTS_FILE.read_text(encoding="utf-8").replace(ADDRESS_THERE, stage.publik_url)
    file.write_text(f"{SITE_FILE.read_text(encoding='utf-8')}\n{appointments}", encoding="utf-8")
    return file


def _hub(stage: Stage) -> dict[str, str]:
    state = stage.folder.resolve() / "hub"
    state.mkdir(parents=True, exist_ok=True)
    return {
        "SUIVANT_SITE_FILE": str(_site_file(stage, state)),
        "SUIVANT_STATE_DIR": str(state),
        "SUIVANT_HTTP_HOST": LOOPBACK,
        "SUIVANT_HTTP_PORT": str(stage.hub_port),
        "SUIVANT_PUBLIK_KEY_FILE": str(stage.key_file),
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
