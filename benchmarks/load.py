"""The clients of the benchmarks (hands that press, a display that listens), and the processes that are measured."""

import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks import floor_process
from benchmarks.hall import NAME, node_name
from protocol.ids import uuid7
from protocol.instants import Instant
from protocol.link import monotonic_ms
from protocol.messages import Announce, Beat, Parser, Press, encode
from protocol.topics import NodeTopic, Topics
from tests.broker import Broker, make_broker

HANDS = "hands"
SCREEN = "screen"
TOPICS = Topics(NAME)
ANSWER_S = 20.0

_beats: Parser[Beat] = Parser(Beat)
announces: Parser[Announce] = Parser(Announce)


@contextmanager
def bench_broker(folder: Path) -> Iterator[Broker]:
    """The project's own broker over TLS. One client may press for every desk, so that 200 clients are not needed."""
    broker = make_broker(folder, tls=True, nodes=(HANDS, SCREEN, floor_process.NAME), site=NAME)
    more = (
        f"\nuser {HANDS}\ntopic readwrite {TOPICS.root}/#\ntopic readwrite bench/#\n"
        f"\nuser {SCREEN}\ntopic read {TOPICS.root}/#\ntopic read bench/#\n"
        f"\nuser {floor_process.NAME}\ntopic readwrite bench/#\n"
    )
    with (broker.config.parent / "acl").open("a", encoding="utf-8") as acl:
        acl.write(more)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def program(
    module: str, environ: dict[str, str], log: Path, arguments: Sequence[str] = ()
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a Python program within the context; its output goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], env=os.environ | environ, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Heard:
    topic: str
    payload: bytes
    at_s: float


class Hands:
    """Two clients: one presses, one is the display. Times are taken when a message is handed to or comes from paho."""

    def __init__(self, broker: Broker) -> None:
        self.heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self.replies: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._beat: tuple[int, int] | None = None
        self._beat_came = threading.Event()
        self._presser = self._connect(
            broker, HANDS, self._hear_hub, [TOPICS.hub_beat, TOPICS.every_node(NodeTopic.REPLY)]
        )
        said = [f"{TOPICS.root}/hall/+/announce", f"{TOPICS.root}/hall/+/state", floor_process.SAID]
        self._screen = self._connect(broker, SCREEN, self._hear, said)

    def close(self) -> None:
        for client in (self._presser, self._screen):
            client.disconnect()
            client.loop_stop()

    def wait_for_beat(self) -> None:
        assert self._beat_came.wait(2 * ANSWER_S), "no beat came from the hub"

    def wait_for_floor(self) -> None:
        """Wait until the floor answers."""
        until = time.monotonic() + ANSWER_S
        while True:
            self.send(floor_process.ASKED, b"there?")
            try:
                self.heard.get(timeout=0.2)
                return
            except queue.Empty:
                assert time.monotonic() < until, "the floor process does not answer"

    def press_message(self, desk: int) -> tuple[str, bytes]:
        """The topic and payload of a press at this desk now."""
        assert self._beat is not None
        beat_ms, arrived_ms = self._beat
        now_ms = time.time_ns() // 1_000_000
        press = Press(
            id=uuid7(now_ms, os.urandom(10)), beat=Instant(beat_ms), since_ms=max(monotonic_ms() - arrived_ms, 0)
        )
        return TOPICS.node(node_name(desk), NodeTopic.REQUEST), encode(press)

    def send(self, topic: str, payload: bytes) -> float:
        """Publish; returns when the message was handed over, in s."""
        at_s = time.perf_counter()
        self._presser.publish(topic, payload, 1)
        return at_s

    def wait_for_said(self, payload: bytes) -> float:
        """When the floor's answer came, in s."""
        return self._wait(lambda heard: heard.topic == floor_process.SAID and heard.payload == payload)

    def wait_for_announce(self, desk: int) -> float:
        """When the announcement of a call to this desk came, in s."""
        wanted = str(desk + 1)
        return self._wait(
            lambda heard: heard.topic.endswith("/announce") and announces.parse(heard.payload).desk == wanted
        )

    def _wait(self, wanted: Any) -> float:
        until = time.monotonic() + ANSWER_S
        while True:
            heard = self.heard.get(timeout=max(until - time.monotonic(), 0.001))
            if wanted(heard):
                return heard.at_s

    def _hear(self, _client: Client, _data: Any, message: Any) -> None:
        at_s = time.perf_counter()
        if message.topic.endswith("/state"):
            return
        self.heard.put(Heard(message.topic, message.payload, at_s))

    def _hear_hub(self, _client: Client, _data: Any, message: Any) -> None:
        if message.topic == TOPICS.hub_beat:
            self._beat = (_beats.parse(message.payload).at, monotonic_ms())
            self._beat_came.set()
            return
        self.replies.put(Heard(message.topic, message.payload, time.perf_counter()))

    def _connect(self, broker: Broker, name: str, hear: Any, filters: list[str]) -> Client:
        ready = threading.Event()
        files = broker.certificates[name]
        client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
        client.tls_set(str(files.ca), str(files.cert), str(files.key))
        client.max_inflight_messages_set(1_000)
        client.on_socket_open = lambda _c, _d, opened: opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.on_connect = lambda client, *_: client.subscribe([(each, 1) for each in filters])
        client.on_subscribe = lambda *_: ready.set()
        client.on_message = hear
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        assert ready.wait(ANSWER_S), f"{name} did not connect"
        return client
