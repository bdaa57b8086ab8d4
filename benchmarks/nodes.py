"""What the three node programs use when nothing happens: resident memory, and CPU over MEASURED_S."""

import os
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.figures import Row
from benchmarks.load import program
from protocol.messages import NodeStatus, Parser
from protocol.topics import NodeTopic, Topics
from tests.broker import OBSERVER, Peer, free_port, start_broker

SITE_FILE = Path(__file__).parents[1] / "demo" / "town-hall.yaml"
SITE = "town-hall"
# Role on the command line, node in the site file, MiB at most.
NODES = (("desk-button", "button-1", 60), ("display", "screen-1", 120), ("ticket-printer", "dispenser-1", 80))
CPU_MOST = 2.0
SETTLES_S = 8.0
MEASURED_S = 30.0
START_S = 60.0

_statuses: Parser[NodeStatus] = Parser(NodeStatus)


def measure(folder: Path, database: str) -> list[Row]:
    """Measure with a real broker and a hub with nine desks, while nobody presses anything."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        broker = stack.enter_context(start_broker(folder / "broker", site=SITE))
        observer = Peer(broker, OBSERVER)
        observer.connect()
        stack.callback(observer.close)
        observer.subscribe(Topics(SITE).every_node(NodeTopic.STATUS))
        hub = {
            "SUIVANT_SITE_FILE": str(SITE_FILE),
            "SUIVANT_DATABASE_URL": database,
            "SUIVANT_HTTP_PORT": str(free_port()),
        }
        stack.enter_context(program("hub", hub | broker.environ("hub"), folder / "hub.log", ["hub"]))
        pids = {}
        for role, node, _ in NODES:
            state = folder / node
            state.mkdir()
            environ = {"SUIVANT_NODE": node, "SUIVANT_SITE": SITE, "SUIVANT_STATE_DIR": str(state)}
            arguments = [role, "--simulated", os.path.relpath(state)]
            quiet = {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", "PYGAME_HIDE_SUPPORT_PROMPT": "1"}
            log = folder / f"{node}.log"
            process = program("nodes", environ | quiet | broker.environ(node), log, arguments)
            pids[node] = stack.enter_context(process).pid
        _wait_for_nodes(observer)
        time.sleep(SETTLES_S)
        before = {node: _cpu_s(pid) for node, pid in pids.items()}
        time.sleep(MEASURED_S)
        rows = []
        for role, node, most_mib in NODES:
            percent = (_cpu_s(pids[node]) - before[node]) / MEASURED_S * 100
            mib = _resident_mib(pids[node])
            rows.append(Row(f"{role} at rest, resident memory", f"{mib:.0f} MiB", f"< {most_mib} MiB", mib < most_mib))
            rows.append(
                Row(f"{role} at rest, CPU over {MEASURED_S:.0f} s", f"{percent:.1f} %", "< 2 %", percent < CPU_MOST)
            )
        return rows


def _wait_for_nodes(observer: Peer) -> None:
    missing = {Topics(SITE).node(node, NodeTopic.STATUS) for _, node, _ in NODES}
    while missing:
        seen = observer.seen.get(timeout=START_S)
        if _statuses.parse(seen.payload).online:
            missing.discard(seen.topic)


def _cpu_s(pid: int) -> float:
    """The user and system CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} is not there")
