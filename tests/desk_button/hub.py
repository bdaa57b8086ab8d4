"""A stand-in for a desk button's hub: a bare client under the hub's name."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from protocol.instants import Instant
from protocol.messages import (
    Beat,
    DeskButtonConfig,
    DeskMode,
    DeskOutcome,
    DeskReply,
    DeskRequest,
    DeskState,
    HubStatus,
    Parser,
    encode,
)
from protocol.topics import NodeTopic, Topics
from tests.broker import Broker, Peer

DESK = "guichet-1"
REQUEST: Parser[DeskRequest] = Parser(DeskRequest)


class StandInHub:
    """Sends status, beat, configuration and desk state; the test decides the answers."""

    def __init__(self, broker: Broker, *, node: str = "desk-1", beat_s: float = 0.5) -> None:
        self.topics = Topics(broker.site)
        self.peer = Peer(broker, "hub")
        self.node = node
        self._beat_s = beat_s
        self._revision = 0
        self._silent = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def start(self, *, mode: DeskMode = DeskMode.OPEN, callable_: bool = True) -> None:
        assert self.peer.connect() == "connected: Success"
        self.peer.subscribe(self.topics.every_node(NodeTopic.REQUEST), self.topics.every_node(NodeTopic.STATUS))
        self.retain(self.topics.hub_status, HubStatus(online=True, version="test", boot="1"))
        self.retain(self.node_topic(NodeTopic.CONFIG), DeskButtonConfig(revision=(1, 1), desk=DESK))
        self.desk(mode=mode, callable_=callable_)
        self._thread.start()

    def node_topic(self, topic: NodeTopic) -> str:
        return self.topics.node(self.node, topic)

    def desk(self, *, mode: DeskMode = DeskMode.OPEN, callable_: bool = True, pausing: bool = False) -> None:
        self._revision += 1
        state = DeskState(revision=(1, self._revision), desk=DESK, mode=mode, callable=callable_, pausing=pausing)
        self.retain(self.topics.desk_state(DESK), state)

    def retain(self, topic: str, message: Struct) -> None:
        self.peer.publish(topic, encode(message), retain=True)

    def say(self, topic: NodeTopic, message: Struct) -> None:
        self.peer.publish(self.node_topic(topic), encode(message))

    def request(self, timeout_s: float = 30.0) -> DeskRequest:
        """The next request that arrives from the button."""
        return REQUEST.parse(self.peer.wait_for(self.node_topic(NodeTopic.REQUEST), timeout_s).payload)

    def answer(self, request: DeskRequest, outcome: DeskOutcome = DeskOutcome.CALLED) -> None:
        self.say(NodeTopic.REPLY, DeskReply(id=request.id, outcome=outcome, number="A001"))

    def fall_silent(self) -> None:
        self._silent.set()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def close(self) -> None:
        self._ended.set()
        self.peer.close()

    def _beat(self) -> None:
        while not self._ended.is_set():
            if not self._silent.is_set():
                self.peer.client.publish(self.topics.hub_beat, encode(Beat(at=Instant(self.now_ms()))), 0)
            self._ended.wait(self._beat_s)


@contextmanager
def stand_in_hub(broker: Broker, *, node: str = "desk-1") -> Iterator[StandInHub]:
    hub = StandInHub(broker, node=node)
    hub.start()
    try:
        yield hub
    finally:
        hub.close()
