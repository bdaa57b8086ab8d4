"""The whole hub except its pages, in this process and on a real broker, with bare MQTT clients as nodes."""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from hub.app import Hub
from hub.clock import Clock
from hub.database.engine import open_engine
from hub.queue.answers import Answer, DoneAnswer
from hub.queue.requests import BookingChange, Command, Origin, SetMode, Source
from hub.site import Node, Site
from hub.tasks import Task
from protocol.ids import uuid7
from protocol.instants import Instant
from protocol.messages import Beat, DeskMode, IssueTicket, Parser, Press, Reply, Role, encode
from protocol.topics import NodeTopic, Topics
from tests.broker import Broker, Peer, Seen, peer, start_broker
from tests.queue.harness import round_the_clock, slice_of, town

LIMIT_S = 30
NODES = (
    Node(name="button-1", role=Role.DESK_BUTTON, desk="desk-1"),
    Node(name="button-2", role=Role.DESK_BUTTON, desk="desk-2"),
    Node(name="screen-1", role=Role.DISPLAY, hall="hall"),
    Node(name="printer-1", role=Role.TICKET_PRINTER, pins={"civil": 5, "papers": 6}),
)
_replies: Parser[Reply] = Parser(Reply)
_beats: Parser[Beat] = Parser(Beat)
M = TypeVar("M")


def a_town() -> Site:
    """A site open day and night, with two buttons, a screen and a dispenser."""
    return replace(round_the_clock(town()), nodes=NODES)


def new_id() -> str:
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


class Standing:
    """A running hub. `given_up` holds the reasons for which it asked to be restarted."""

    def __init__(self, url: str, site: Site, broker: Broker, clock: Clock | None = None) -> None:
        self.url, self.site, self.broker = url, site, broker
        self.clock = clock
        self.topics = Topics(site.name)
        self.given_up: list[str] = []
        self.hub = self._new()

    def _new(self) -> Hub:
        return Hub(
            engine=open_engine(self.url),
            site=self.site,
            broker=self.broker.settings("hub"),
            give_up=self.given_up.append,
            clock=self.clock,
        )

    def start(self) -> "Standing":
        self.hub.start()
        # From here on it receives the nodes' messages.
        eventually(lambda: self.metric("suivant_broker_connected") == 1)
        return self

    def restart(self) -> None:
        self.hub.stop()
        self.hub = self._new()
        self.hub.start()

    def do(self, command: Command) -> Answer:
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.hub.writer.put(Task(command, answered=answers.put, failed=answers.put))
        answer = answers.get(timeout=LIMIT_S)
        assert not isinstance(answer, Exception), answer
        return answer  # type: ignore[no-any-return]

    def take(self, *changes: BookingChange) -> None:
        """Take the source's changes to its bookings in one slice; check that none is refused."""
        answer = self.do(slice_of(*changes))
        assert isinstance(answer, DoneAnswer), answer
        assert not answer.refused, answer

    def open(self, *desks: str) -> None:
        for desk in desks:
            origin = Origin(Source.PAGE, "agent-1", new_id())
            self.do(SetMode(origin=origin, desk=desk, shown=None, mode=DeskMode.OPEN))

    def metric(self, name: str) -> float:
        """The value of a line of /metrics, such as `suivant_bad_messages_total{reason="malformed"}`; 0 if missing."""
        for line in self.hub.metrics.text().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0


class NodePeer:
    """A node's connection: it sends requests under the node's own topics and reads the replies."""

    def __init__(self, made: Peer, topics: Topics, name: str) -> None:
        self.peer, self.topics, self.name = made, topics, name

    def request(self, message: Any) -> None:
        payload = message if isinstance(message, bytes) else encode(message)
        self.peer.publish(self.topics.node(self.name, NodeTopic.REQUEST), payload)

    def reply(self) -> Reply:
        return _replies.parse(self.peer.wait_for(self.topics.node(self.name, NodeTopic.REPLY)).payload)

    def ask(self, message: Any) -> Reply:
        self.request(message)
        return self.reply()

    def press(self, **facts: Any) -> Press:
        return Press(**{"id": new_id(), "beat": Instant(time.time_ns() // 1_000_000), "since_ms": 0} | facts)

    def ticket(self, service: str = "civil") -> Reply:
        return self.ask(IssueTicket(id=new_id(), service=service))


@contextmanager
def standing(url: str, folder: Path, site: Site | None = None, clock: Clock | None = None) -> Iterator[Standing]:
    """A started hub with its own broker."""
    site = site or a_town()
    with start_broker(folder / "broker", site=site.name) as broker:
        made = Standing(url, site, broker, clock)
        made.start()
        try:
            yield made
        finally:
            made.hub.stop()
            broker.stop()


@contextmanager
def node(hub: Standing, name: str) -> Iterator[NodePeer]:
    with peer(hub.broker, name) as made:
        made.subscribe(hub.topics.node(name, NodeTopic.REPLY), hub.topics.node(name, NodeTopic.CONFIG))
        yield NodePeer(made, hub.topics, name)


@contextmanager
def observer(hub: Standing, *filters: str) -> Iterator[Peer]:
    """A client subscribed to `filters`, by default to all topics of the site."""
    with peer(hub.broker) as made:
        made.subscribe(*(filters or (f"{hub.topics.root}/#",)))
        yield made


def until(seen: Peer, wanted: Callable[[Seen], M | None]) -> M:
    """Wait for the first message for which `wanted` returns a value, and return that value; skip the others."""
    end = time.monotonic() + LIMIT_S
    while True:
        found = wanted(seen.seen.get(timeout=max(end - time.monotonic(), 0.001)))
        if found is not None:
            return found


def beat_of(seen: Peer, topics: Topics) -> Instant:
    return _beats.parse(seen.wait_for(topics.hub_beat).payload).at


def eventually(holds: Callable[[], bool]) -> None:
    """Poll until `holds` is true, for at most `LIMIT_S`."""
    end = time.monotonic() + LIMIT_S
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < end
        pause.wait(0.01)
