"""A small hub on the real broker that does what a test tells it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from protocol.instants import Instant, from_wire
from protocol.messages import (
    Abandon,
    Arrival,
    Beat,
    CheckIn,
    CheckInReply,
    Done,
    HubStatus,
    IssueTicket,
    NodeRequest,
    Parser,
    Printed,
    Refused,
    ServiceButton,
    Telemetry,
    TicketPrinterConfig,
    TicketReply,
    encode,
)
from protocol.topics import NodeTopic, Topics
from tests.broker import SITE, Broker, Peer

NODE = "borne-1"
BUTTONS = (
    ServiceButton(service="etat-civil", letter="A", name="État civil", pin=5),
    ServiceButton(service="identite", letter="C", name="Identité", pin=6),
)
CONFIG = TicketPrinterConfig(
    revision=(1, 1),
    town="Ville de Trois-Tilleuls",
    zone="Europe/Paris",
    buttons=BUTTONS,
    follow_url="https://trois-tilleuls.example/t/",
)
ISSUED_AT = from_wire("2026-11-24T09:22:00.000Z")
TOPICS = Topics(SITE)

_REQUEST: Parser[NodeRequest] = Parser(NodeRequest)
_TELEMETRY: Parser[Telemetry] = Parser(Telemetry)


def ticket_reply(request_id: str, number: str = "A012", **changes: Any) -> TicketReply:
    fields: dict[str, Any] = {
        "id": request_id,
        "number": number,
        "service_name": "État civil",
        "people_ahead": 3,
        "issued_at": ISSUED_AT,
        "code": "k7m2q9xw",
        "wait_min": (10, 20),
    }
    return TicketReply(**(fields | changes))


def check_in_reply(request_id: str, arrival: Arrival = Arrival.ON_TIME, **changes: Any) -> CheckInReply:
    """An answer that lets the visitor wait; for other answers, pass `number=None` and the like."""
    fields: dict[str, Any] = {
        "id": request_id,
        "arrival": arrival,
        "appointment_at": from_wire("2026-11-24T09:35:00.000Z"),
        "service_name": "État civil",
        "number": "A012",
        "people_ahead": 3,
        "issued_at": ISSUED_AT,
        "code": "k7m2q9xw",
    }
    return CheckInReply(**(fields | changes))


@dataclass(slots=True)
class Ledger:
    """What the hub knows: each request's number, whether it was printed, and the abandoned requests."""

    numbers: dict[str, str] = field(default_factory=dict)
    printed: dict[str, bool] = field(default_factory=dict)
    abandoned: set[str] = field(default_factory=set)


class ScriptedHub:
    """Beats, configures, and answers; `silent`: the kinds of requests that it drops.

    `arrivals`: the answers to codes; other codes are unknown. `warnings`: all warnings that telemetry ever had.
    """

    def __init__(self, broker: Broker) -> None:
        self.ledger = Ledger()
        self.requests: list[NodeRequest] = []
        self.silent: set[type] = set()
        self.refuse_tickets = False
        self.arrivals: dict[str, CheckInReply] = {}
        self.warnings: set[str] = set()
        self._numbers = count(1)
        self._changed = threading.Condition()
        self._peer = Peer(broker, "hub")
        self._peer.client.on_message = lambda _c, _d, message: self._heard(message.topic, bytes(message.payload))
        assert self._peer.connect() == "connected: Success"
        self._peer.subscribe(TOPICS.every_node(NodeTopic.REQUEST), TOPICS.every_node(NodeTopic.TELEMETRY))
        self._beating = threading.Event()
        self._closing = threading.Event()
        self._beating.set()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self.publish(TOPICS.hub_status, HubStatus(online=True, version="1", boot="b"), retain=True)
        self.configure(CONFIG)
        self._thread.start()

    def publish(self, topic: str, message: Struct, *, retain: bool = False) -> None:
        self._peer.client.publish(topic, encode(message), 1, retain)

    def publish_raw(self, topic: str, payload: bytes) -> None:
        self._peer.client.publish(topic, payload, 1)

    def configure(self, config: TicketPrinterConfig) -> None:
        self.publish(TOPICS.node(NODE, NodeTopic.CONFIG), config, retain=True)

    def reply(self, message: Struct) -> None:
        self.publish(TOPICS.node(NODE, NodeTopic.REPLY), message)

    def asked(self, kind: type, more_than: int = 0) -> list[Any]:
        """Wait for more than `more_than` requests of this kind; returns them, each id once."""
        self.wait(lambda: len(self._of(kind)) > more_than, f"more than {more_than} {kind.__name__}")
        return self._of(kind)

    def wait(self, found: Callable[[], object], what: str, timeout_s: float = 20) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: bool(found()), timeout_s), f"waited for {what}; {self.requests}"

    def wait_warning(self, warning: str) -> None:
        """Wait until the node's telemetry has this warning."""
        self.wait(lambda: warning in self.warnings, f"the warning {warning}")

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._peer.close()

    def _of(self, kind: type) -> list[Any]:
        return list({each.id: each for each in self.requests if isinstance(each, kind)}.values())

    def _beat(self) -> None:
        while not self._closing.wait(0.3):
            if self._beating.is_set():
                self.publish(TOPICS.hub_beat, Beat(at=Instant(time.time_ns() // 1_000_000)))

    def stop_beating(self) -> None:
        self._beating.clear()

    def _heard(self, topic: str, payload: bytes) -> None:
        if topic != TOPICS.node(NODE, NodeTopic.TELEMETRY):
            self._take(payload)
            return
        with self._changed:
            self.warnings |= set(_TELEMETRY.parse(payload).warnings)
            self._changed.notify_all()

    def _take(self, payload: bytes) -> None:
        request = _REQUEST.parse(payload)
        with self._changed:
            self.requests.append(request)
            if type(request) not in self.silent:
                self._answer(request)
            self._changed.notify_all()

    def _answer(self, request: NodeRequest) -> None:
        match request:
            case IssueTicket(id=request_id) if self.refuse_tickets:
                self.reply(Refused(id=request_id, code="service_closed", detail="closed"))
            case IssueTicket(id=request_id):
                # Like the real hub: after an abandon it issues nothing, and it answers a repeat with the first number.
                if request_id in self.ledger.abandoned:
                    return
                number = self.ledger.numbers.setdefault(request_id, "")
                if not number:
                    number = self.ledger.numbers[request_id] = f"A{next(self._numbers):03d}"
                self.reply(ticket_reply(request_id, number))
            case CheckIn(id=request_id, code=code):
                reply = self.arrivals.get(code, CheckInReply(id=request_id, arrival=Arrival.UNKNOWN))
                self.reply(replace(reply, id=request_id))
            case Printed(id=request_id, of=of, sure=sure):
                self.ledger.printed[of] = sure
                self.reply(Done(id=request_id))
            case Abandon(id=request_id, of=of):
                self.ledger.abandoned.add(of)
                self.reply(Done(id=request_id))
