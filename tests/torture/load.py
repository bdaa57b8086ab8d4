"""Buttons, dispensers and a display as bare MQTT clients, which resend until they are answered, as real ones do."""

import os
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hub.site import Site
from protocol.heartbeat import HubTime
from protocol.ids import uuid7
from protocol.instants import Instant
from protocol.link import monotonic_ms
from protocol.messages import (
    PRESS_LIFE_MS,
    Announce,
    Beat,
    DeskReply,
    HallState,
    HubStatus,
    IssueTicket,
    Open,
    Parser,
    Press,
    Reply,
    Role,
    encode,
)
from protocol.topics import NodeTopic, Topics
from tests.broker import Broker, Peer, Seen, make_broker

HANDS, SCREEN = "hands", "screen"
AGAIN_S = 0.7
# Just longer than the bounce time.
BETWEEN_PRESSES_S = 3.1
TICKETS_AT_ONCE = 8
TICKET_EVERY_S = 0.02
# The share of all messages that is sent twice, as QoS 1 allows.
TWICE = 0.2

_replies: Parser[Reply] = Parser(Reply)
_beats: Parser[Beat] = Parser(Beat)
_statuses: Parser[HubStatus] = Parser(HubStatus)
_halls: Parser[HallState] = Parser(HallState)
_announces: Parser[Announce] = Parser(Announce)


@dataclass(slots=True)
class Asked:
    node: str
    request: str
    payload: bytes
    made_s: float
    sent_s: float


@dataclass
class Screens:
    """What displays that follow every hall would show: the picture with the greatest revision of each hall."""

    halls: dict[str, HallState] = field(default_factory=dict)
    announced: dict[str, Announce] = field(default_factory=dict)

    def see(self, topics: Topics, seen: Seen) -> None:
        hall = seen.topic.split("/")[-2]
        if seen.topic == topics.hall_announce(hall):
            message = _announces.parse(seen.payload)
            first = self.announced.setdefault(message.id, message)
            assert (first.number, first.desk, first.call) == (message.number, message.desk, message.call)
            return
        picture = _halls.parse(seen.payload)
        shown = self.halls.get(hall)
        if shown is None or picture.revision > shown.revision:
            self.halls[hall] = picture


@contextmanager
def open_broker(folder: Path, site: Site, names: Iterable[str] = (HANDS, SCREEN)) -> Iterator[Broker]:
    """A broker without TLS, on which these clients may speak for every node."""
    broker = make_broker(folder / "broker", site=site.name)
    with (broker.config.parent / "acl").open("a", encoding="utf-8") as acl:
        for name in names:
            acl.write(f"\nuser {name}\ntopic readwrite {Topics(site.name).root}/#\n")
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


class Load:
    """All nodes in one thread. `answers`: every answer to each request. `boots`: each run of the hub it heard of."""

    def __init__(self, broker: Broker, site: Site, dice: random.Random) -> None:
        self._dice = dice
        self.site = site
        self.topics = Topics(site.name)
        self.answers: dict[str, list[Reply]] = defaultdict(list)
        self.dropped: set[str] = set()
        self.screens = Screens()
        self.boots: list[str] = []
        self.faults: list[str] = []
        self.changed = threading.Condition()
        self._open: dict[str, Asked] = {}
        self._hub_time = HubTime()
        self._rests_until_s = {node.name: 0.0 for node in site.nodes if node.desk}
        self._opened: set[str] = set()
        self._dispensers = [node.name for node in site.nodes if node.role is Role.TICKET_PRINTER]
        self._next_ticket_s = 0.0
        self._services = [service.name for service in site.services]
        self._tickets = 0
        self._asks = threading.Event()
        self._over = threading.Event()
        self._hands, self._screen = Peer(broker, HANDS), Peer(broker, SCREEN)
        for each in (self._hands, self._screen):
            assert each.connect() == "connected: Success"
        replies = self.topics.every_node(NodeTopic.REPLY)
        self._hands.subscribe(replies, self.topics.hub_beat, self.topics.hub_status)
        self._screen.subscribe(f"{self.topics.root}/hall/+/state", f"{self.topics.root}/hall/+/announce")
        self._thread = threading.Thread(target=self._serve, name="load", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._hands.close()
        self._screen.close()

    def go(self) -> None:
        """Make new gestures from now on."""
        self._asks.set()

    def rest(self) -> None:
        """Make no new gestures; open requests are still resent."""
        self._asks.clear()

    @property
    def unanswered(self) -> int:
        return len(self._open)

    @property
    def answered(self) -> int:
        return sum(map(len, list(self.answers.values())))

    def _serve(self) -> None:
        try:
            while not self._over.is_set():
                self._hear()
                now_s = time.monotonic()
                if self._asks.is_set():
                    self._press(now_s)
                    self._take_tickets(now_s)
                self._ask_again(now_s)
                self._over.wait(0.005)
        except Exception as error:  # noqa: BLE001 - reported by the test, which waits on another thread
            self.faults.append(repr(error))

    def _hear(self) -> None:
        with self.changed:
            while not self._hands.seen.empty():
                self._hear_hub(self._hands.seen.get())
            while not self._screen.seen.empty():
                self.screens.see(self.topics, self._screen.seen.get())
            self.changed.notify_all()

    def _hear_hub(self, seen: Seen) -> None:
        if seen.topic == self.topics.hub_beat:
            self._hub_time.beat(_beats.parse(seen.payload).at, monotonic_ms())
            return
        if seen.topic == self.topics.hub_status:
            status = _statuses.parse(seen.payload)
            if status.online and status.boot not in self.boots:
                self.boots.append(status.boot)
            return
        reply = _replies.parse(seen.payload)
        self.answers[reply.id].append(reply)
        asked = self._open.pop(reply.id, None)
        if asked is None:
            return
        self._rests_until_s[asked.node] = time.monotonic() + BETWEEN_PRESSES_S
        if isinstance(reply, DeskReply):
            # Only the answer shows it: a press that came too late opened nothing.
            self._opened.add(asked.node)

    def _press(self, now_s: float) -> None:
        busy = {asked.node for asked in self._open.values()}
        for node, until_s in self._rests_until_s.items():
            stamp = self._hub_time.stamp(monotonic_ms())
            if node.startswith("button") and until_s <= now_s and node not in busy and stamp is not None:
                beat_ms, since_ms = stamp
                kind = Press if node in self._opened else Open
                gesture = kind(id=self._new_id(), beat=Instant(beat_ms), since_ms=since_ms)
                self._ask(node, gesture.id, encode(gesture), now_s)

    def _take_tickets(self, now_s: float) -> None:
        under_way = sum(asked.node in self._dispensers for asked in self._open.values())
        if now_s < self._next_ticket_s or under_way >= TICKETS_AT_ONCE:
            return
        self._next_ticket_s = now_s + TICKET_EVERY_S
        self._tickets += 1
        ticket = IssueTicket(id=self._new_id(), service=self._services[self._tickets % len(self._services)])
        self._ask(self._dispensers[self._tickets % len(self._dispensers)], ticket.id, encode(ticket), now_s)

    def _ask(self, node: str, request: str, payload: bytes, now_s: float) -> None:
        self._open[request] = Asked(node, request, payload, now_s, now_s)
        self._send(node, payload)

    def _ask_again(self, now_s: float) -> None:
        for asked in list(self._open.values()):
            if asked.node.startswith("button") and now_s - asked.made_s > PRESS_LIFE_MS / 1000:
                # Drop it, as a real button does: nobody wants a call made minutes later.
                self.dropped.add(asked.request)
                del self._open[asked.request]
            elif now_s - asked.sent_s > AGAIN_S:
                asked.sent_s = now_s
                self._send(asked.node, asked.payload)

    def _send(self, node: str, payload: bytes) -> None:
        for _ in range(2 if self._dice.random() < TWICE else 1):
            self._hands.client.publish(self.topics.node(node, NodeTopic.REQUEST), payload, 1)

    def _new_id(self) -> str:
        return uuid7(time.time_ns() // 1_000_000, os.urandom(10))
