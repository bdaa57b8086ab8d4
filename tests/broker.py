"""Starts the real mosquitto with the configuration the project ships, on a free port, for tests and benchmarks.

with start_broker(tmp_path, tls=True, nodes=("desk-1",)) as broker:
    environ = broker.environ("desk-1")
"""

import os
import queue
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from protocol.link import BROKER_PREFIX, BrokerSettings, read_broker_settings
from provisioning.broker import BrokerPlan, TlsFiles, installed_version, write
from provisioning.certificates import BROKER, LOCAL_NAMES, PemFiles, write_site
from tests.listening import search_path, until_it_listens

SITE = "mairie"
OBSERVER = "observer"
START_TIMEOUT_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Broker:
    """A running mosquitto. `certificates`: by name; empty without TLS."""

    port: int
    config: Path
    certificates: dict[str, PemFiles] = field(default_factory=dict)
    site: str = SITE
    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def environ(self, name: str, *, port: int | None = None) -> dict[str, str]:
        """The variables with which a program called `name` reaches the broker; `port`: a proxy's in between."""
        environ = {f"{BROKER_PREFIX}HOST": "127.0.0.1", f"{BROKER_PREFIX}PORT": str(port or self.port)}
        if not self.certificates:
            return environ
        files = self.certificates[name]
        return environ | {
            f"{BROKER_PREFIX}CA_FILE": str(files.ca),
            f"{BROKER_PREFIX}CERT_FILE": str(files.cert),
            f"{BROKER_PREFIX}KEY_FILE": str(files.key),
        }

    def settings(self, name: str, *, port: int | None = None) -> BrokerSettings:
        return read_broker_settings(self.environ(name, port=port))

    def start(self) -> None:
        with (self.config.parent / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["mosquitto", "-c", str(self.config)], stdout=log, stderr=log, env=search_path()
            )
        self._wait()

    def stop(self) -> None:
        """Kill the broker, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log(self) -> str:
        return (self.config.parent / "broker.log").read_text(encoding="utf-8", errors="replace")

    def _wait(self) -> None:
        until_it_listens(self._process, self.port, "mosquitto", self.log, START_TIMEOUT_S)


def make_broker(
    folder: Path,
    *,
    tls: bool = False,
    nodes: Iterable[str] = (),
    site: str = SITE,
    reached_as: Iterable[str] = LOCAL_NAMES,
) -> Broker:
    """Write the files of a broker that is not started yet.

    The certificates are for the hub, the observer, `nodes` and the broker itself, which is called `reached_as`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, PemFiles] = {}
    if tls:
        named = [OBSERVER, *nodes]
        files = write_site(folder / "certificates", named, now=datetime.now(UTC), reached_as=reached_as)
    plan = BrokerPlan(
        site=site,
        port=free_port(),
        folder=folder,
        tls=TlsFiles(ca=files[BROKER].ca, cert=files[BROKER].cert, key=files[BROKER].key) if tls else None,
        version=installed_version(),
        # Tests run as root in a container; the broker's usual user cannot read their folders.
        user="root" if os.geteuid() == 0 else None,
        observers=(OBSERVER,),
    )
    return Broker(plan.port, write(plan), files, site)


@contextmanager
def start_broker(folder: Path, *, tls: bool = False, nodes: Iterable[str] = (), site: str = SITE) -> Iterator[Broker]:
    broker = make_broker(folder, tls=tls, nodes=nodes, site=site)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker without TLS, on this machine alone."""
    with start_broker(tmp_path / "broker") as started:
        yield started


@dataclass(frozen=True, slots=True)
class Seen:
    topic: str
    payload: bytes
    retained: bool


class Peer:
    """A bare client, so that a test sees the wire, not our link. `name` is its user and, by default, its client id."""

    def __init__(self, broker: Broker, name: str = OBSERVER, *, client_id: str | None = None) -> None:
        self.seen: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self.codes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._changes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=name if client_id is None else client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self.client.on_connect = lambda _c, _d, _f, code, _p: self._changes.put(f"connected: {code}")
        self.client.on_disconnect = lambda _c, _d, _f, code, _p: self._changes.put(f"disconnected: {code}")
        self.client.on_subscribe = lambda _c, _d, _m, _codes, _p: self._changes.put("subscribed")
        self.client.on_publish = lambda _c, _d, _m, code, _p: self.codes.put(str(code))
        self.client.on_message = lambda _c, _d, message: self.seen.put(
            Seen(message.topic, bytes(message.payload), message.retain)
        )
        self.client.on_socket_open = lambda _c, _d, opened: opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if broker.certificates:
            files = broker.certificates[name]
            self.client.tls_set(str(files.ca), str(files.cert), str(files.key))
        else:
            self.client.username_pw_set(name)
        self._port = broker.port

    def connect(self, timeout_s: float = 30.0) -> str:
        """Connect; returns the broker's answer, such as `connected: Success`."""
        self.client.connect("127.0.0.1", self._port, keepalive=60)
        self.client.loop_start()
        return self.change(timeout_s)

    def change(self, timeout_s: float = 30.0) -> str:
        return self._changes.get(timeout=timeout_s)

    def subscribe(self, *filters: str) -> None:
        self.client.subscribe([(each, 1) for each in filters])
        assert self.change() == "subscribed"

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> str:
        """Publish with QoS 1; returns the answer: `Success`, `No matching subscribers` or `Not authorized`."""
        self.client.publish(topic, payload, 1, retain)
        return self.codes.get(timeout=10)

    def wait_for(self, topic: str, timeout_s: float = 30.0) -> Seen:
        """The next message on this topic; skips messages on others."""
        until = time.monotonic() + timeout_s
        while True:
            seen = self.seen.get(timeout=max(until - time.monotonic(), 0.001))
            if seen.topic == topic:
                return seen

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def peer(broker: Broker, name: str = OBSERVER, *, client_id: str | None = None) -> Iterator[Peer]:
    """A connected Peer."""
    made = Peer(broker, name, client_id=client_id)
    try:
        assert made.connect() == "connected: Success"
        yield made
    finally:
        made.close()
