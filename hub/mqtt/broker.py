"""The hub's side of the broker: its link, status and beat, the nodes' configurations, and which nodes are online."""

import os
import queue
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial

import structlog

from hub.metrics import BadReason, Metrics
from hub.mqtt.leftovers import Leftovers
from hub.mqtt.node_config import node_config
from hub.mqtt.node_requests import NodeRequests
from hub.mqtt.senders import Senders
from hub.rate import Rate
from hub.site import Node
from hub.site_index import SiteIndex
from hub.tasks import Busy, Entry
from protocol import messages as wire
from protocol.heartbeat import GiveUp, Heartbeat, Reconnect, SendEcho
from protocol.instants import Instant
from protocol.link import (
    BrokerSettings,
    Incoming,
    Link,
    LinkDown,
    LinkEvent,
    LinkUp,
    Publication,
    PublishRefused,
    monotonic_ms,
)
from protocol.messages import BEAT_LOST_MS, BEAT_PERIOD_MS, BadMessage, Parser, Role, encode
from protocol.outages import Outages
from protocol.topics import NodeTopic, Topics

log = structlog.get_logger(__name__)

TICK_S = 1.0
# Nobody waits for a reply for longer than this.
REPLY_EXPIRY_S = 30
INBOX_MOST = 5_000
# A node sends telemetry each minute and at each change. If a topic floods the hub, only its own messages are dropped.
SAID_MOST, SAID_WITHIN_MS = 20, 10_000
# A dispenser tells the up to 200 entries of its queue at each connection, and again each 5 s until it is answered.
REQUESTS_MOST = 800
# The certificates of broker, hub and nodes are made in one run, so all of them end with the broker's.
CERTIFICATE_NOTICE_DAYS, CERTIFICATE_LOOK_MS = 30, 24 * 3_600_000
# What the hub subscribes to for every node of its own site.
HEARD = (NodeTopic.REQUEST, NodeTopic.STATUS, NodeTopic.TELEMETRY)


# The label of a warning that this version does not know: a node of another version may send one.
_OTHER_WARNING = "other"
_STUCK = "stuck"
_WARNING_LABELS = frozenset({*wire.NodeWarning, _STUCK, _OTHER_WARNING})


_statuses: Parser[wire.NodeStatus] = Parser(wire.NodeStatus)
_telemetry: Parser[wire.Telemetry] = Parser(wire.Telemetry)
_echoes: Parser[wire.Echo] = Parser(wire.Echo)


class Broker:
    """The hub's link and all messages except pictures. One thread handles everything but the nodes' requests."""

    def __init__(
        self,
        *,
        settings: BrokerSettings,
        index: SiteIndex,
        version: str,
        boot: str,
        now_ms: Callable[[], int],
        new_code: Callable[[], str],
        put: Callable[[Entry], None],
        connected: Callable[[], None],
        give_up: Callable[[str], None],
        metrics: Metrics,
    ) -> None:
        self._index = index
        self._topics = Topics(index.site.name)
        self._senders = Senders(index.site, self._topics, metrics)
        self._leftovers = Leftovers(index.site, self._topics)
        self._requests = NodeRequests(index, self._senders, new_code, self._reply)
        self._version = version
        self._boot = boot
        self._now_ms = now_ms
        self._put = put
        self._connected = connected
        self._give_up = give_up
        self._metrics = metrics
        self._generation = 0
        self._online: dict[str, Role] = {}
        self._warnings: dict[str, frozenset[str]] = {}
        # The rate of each node's topics; all topics of unknown nodes share one.
        most = {NodeTopic.STATUS: SAID_MOST, NodeTopic.TELEMETRY: SAID_MOST, NodeTopic.REQUEST: REQUESTS_MOST}
        self._rates = {
            self._topics.node(node.name, topic): Rate(most[topic], SAID_WITHIN_MS)
            for node in index.site.nodes
            for topic in HEARD
        }
        self._rate_of_strangers = Rate(SAID_MOST, SAID_WITHIN_MS)
        self._inbox: queue.SimpleQueue[LinkEvent | None] = queue.SimpleQueue()
        self._heartbeat = Heartbeat(monotonic_ms())
        # What to do if the broker refuses a message: with the right certificate, the hub may write all of its site.
        self._remedy = (
            f"see that the broker was set up for the site {index.site.name}, and the certificate here is the hub's "
            "(docs/installing.md, 4)"
        )
        # Whether this run's `hub/status` was published once.
        self._is_known = False
        self._arrived_ms: int | None = None
        self._is_stopping = False
        self._outages = Outages()
        self._certificate_ends_s: int | None = None
        self._certificate_look_ms = 0
        self._beat_at_ms = 0
        self._beaten_ms = monotonic_ms()
        self._request_suffix = f"/{NodeTopic.REQUEST}"
        will = Publication(self._topics.hub_status, encode(self._status(online=False)))
        self.link = Link(settings, "hub", self._deliver, will=will)
        self._thread = threading.Thread(target=self._serve, name="broker", daemon=True)

    def start(self, generation: int) -> None:
        self._generation = generation
        self.link.subscribe([self._topics.every_node(topic) for topic in HEARD])
        self.link.subscribe([self._topics.hub_echo], qos=0)
        self._thread.start()
        self.link.start()

    @property
    def fault(self) -> str | None:
        """Why nodes do not hear the hub, in one sentence; None if the broker accepts what it publishes."""
        if not self.link.connected:
            return "the broker is not reached"
        if self._heartbeat.is_refused:
            return f"the broker refuses what the hub says: {self._remedy}"
        return None

    @property
    def silence(self) -> str | None:
        """What is wrong with the beat, in one sentence; None if it is being sent."""
        silent_ms = monotonic_ms() - self._beaten_ms
        if silent_ms < BEAT_LOST_MS:
            return None
        return f"no beat was sent for {silent_ms // 1000} s, so nodes take the hub for away: start it anew"

    def stop(self) -> None:
        self._is_stopping = True
        self.link.close(Publication(self._topics.hub_status, encode(self._status(online=False))))
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _deliver(self, event: LinkEvent) -> None:
        """Runs on paho's thread: only puts the event into a queue."""
        if not isinstance(event, Incoming):
            # A change of the link is queued however many messages are waiting.
            self._inbox.put(event)
            return
        self._arrived_ms = event.arrived_ms
        if self._leftovers.retains(event.topic):
            # Anything else is the hub's own message coming back, or was cleared already.
            if self._leftovers.is_left(event) and self._inbox.qsize() < INBOX_MOST:
                self._inbox.put(event)
        elif event.topic == self._topics.hub_echo:
            self._inbox.put(event)
        elif not (rate := self._rates.get(event.topic, self._rate_of_strangers)).allows(monotonic_ms()):
            self._senders.refuse(BadReason.TOO_MANY, event.topic, f"more messages than {rate}")
        elif event.topic.endswith(self._request_suffix):
            self._deliver_request(event)
        elif self._inbox.qsize() < INBOX_MOST:
            self._inbox.put(event)
        else:
            self._senders.refuse(BadReason.TOO_MANY, event.topic, f"{INBOX_MOST} messages are waiting")

    def _deliver_request(self, event: Incoming) -> None:
        try:
            self._put(partial(self._requests.task, event))
        except Busy:
            self._metrics.bad_message(BadReason.TOO_MANY)

    def _reply(self, node: str, reply: wire.Reply) -> None:
        self.link.publish(self._topics.node(node, NodeTopic.REPLY), encode(reply), expiry_s=REPLY_EXPIRY_S)

    # --- on the broker's own thread -------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            event: LinkEvent | None = None
            try:
                event = self._inbox.get(timeout=TICK_S)
                if event is None:
                    return
                self._handle(event)
            except queue.Empty:
                pass
            except Exception:
                log.exception("broker.event_failed", event_kind=type(event).__name__)
            try:
                self._tick()
            except Exception:
                # The thread must survive: without it, nodes would get no more beats.
                log.exception("broker.tick_failed")

    def _handle(self, event: LinkEvent) -> None:
        match event:
            case LinkUp(certificate_ends_s):
                # Checked only when it changed, so that a link that keeps breaking does not repeat the warning.
                if certificate_ends_s != self._certificate_ends_s:
                    self._certificate_ends_s, self._certificate_look_ms = certificate_ends_s, 0
                self._heartbeat.connected(monotonic_ms())
                if self._outages.ends():
                    log.info("broker.connected")
                self._greet()
            case LinkDown(reason):
                self._heartbeat.disconnected(monotonic_ms())
                # Subscribed again by `_greet` on the next connection.
                self.link.unsubscribe(self._leftovers.filters)
                # The hub can't see who leaves meanwhile; on the next connection the broker tells it who is online.
                self._online.clear()
                self._count_nodes()
                if not self._is_stopping and self._outages.begins(event):
                    log.warning("broker.lost", reason=reason)
            case PublishRefused(reason):
                # Logged once: every message of a greeting is refused, at each connection again.
                if not self._heartbeat.is_refused:
                    log.error("broker.refused_publication", reason=reason, do=self._remedy)
                self._heartbeat.refused()
            case Incoming():
                self._hear(event)

    def _hear(self, event: Incoming) -> None:
        try:
            if event.topic == self._topics.hub_echo:
                takes_again = self._heartbeat.echoed(_echoes.parse(event.payload).count)
                # This echo was sent after the greeting, so all retained messages have arrived before it.
                self.link.unsubscribe(self._leftovers.filters)
                if takes_again:
                    self._greet()
                return
            if self._leftovers.retains(event.topic):
                self._take_back(event.topic)
                return
            node = self._senders.sender_of(event)
            if node is None:
                return
            if event.topic.endswith(f"/{NodeTopic.STATUS}"):
                self._hear_status(node, _statuses.parse(event.payload))
                return
            self._hear_telemetry(node, _telemetry.parse(event.payload))
        except BadMessage as error:
            self._senders.refuse_unread(event, error)

    def _hear_status(self, node: Node, status: wire.NodeStatus) -> None:
        known = node.name in self._online
        if status.online:
            self._online[node.name] = node.role
        else:
            self._online.pop(node.name, None)
            self._warnings.pop(node.name, None)
        if known is not status.online:
            log.info("node.online" if status.online else "node.offline", node=node.name, role=node.role)
        self._count_nodes()

    def _hear_telemetry(self, node: Node, telemetry: wire.Telemetry) -> None:
        if telemetry.stuck or telemetry.warnings:
            log.warning("node.warns", node=node.name, stuck=telemetry.stuck, warnings=telemetry.warnings)
        labels = {_label(each) for each in telemetry.warnings}
        self._warnings[node.name] = frozenset(labels | {_STUCK} if telemetry.stuck else labels)
        self._count_nodes()

    def _count_nodes(self) -> None:
        counts: dict[str, int] = dict.fromkeys(Role, 0)
        for role in self._online.values():
            counts[role] += 1
        self._metrics.nodes_online(counts)
        warned = Counter(label for node in self._online for label in self._warnings.get(node, ()))
        self._metrics.node_warnings({label: warned[label] for label in _WARNING_LABELS})

    def _tick(self) -> None:
        now_ms = monotonic_ms()
        self._metrics.broker_connected(self.fault is None)
        if self._arrived_ms is not None:
            self._heartbeat.arrived(self._arrived_ms)
        for action in self._heartbeat.tick(now_ms):
            match action:
                case SendEcho(count):
                    self.link.publish(self._topics.hub_echo, encode(wire.Echo(count=count)), qos=0)
                case Reconnect(reason):
                    log.warning("broker.reconnect", reason=reason)
                    self.link.reconnect(reason)
                case GiveUp(reason):
                    self._give_up(reason)
        if now_ms >= self._beat_at_ms:
            self._beat_at_ms = now_ms + BEAT_PERIOD_MS
            self._beat()
        if now_ms >= self._certificate_look_ms:
            self._certificate_look_ms = now_ms + CERTIFICATE_LOOK_MS
            self._look_at_certificate()

    def _look_at_certificate(self) -> None:
        """Warns before the broker's certificate ends; the link itself would only fail when it is too late."""
        if self._certificate_ends_s is None:
            return
        self._metrics.certificate_ends(self._certificate_ends_s)
        days_left = (self._certificate_ends_s - self._now_ms() // 1000) // (24 * 3600)
        if days_left < CERTIFICATE_NOTICE_DAYS:
            log.warning("broker.certificate_ends", days_left=days_left, do="make new ones for broker, hub and nodes")

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> bool:
        """Publishes; returns whether the message is on its way.

        Nothing is sent before the nodes know of this run: when they learn of it, they forget what an earlier one said.
        """
        return self._is_known and self.link.publish(topic, payload, retain=retain, expiry_s=expiry_s)

    def _beat(self) -> None:
        beat = wire.Beat(at=Instant(self._now_ms()))
        self.link.publish(self._topics.hub_beat, encode(beat), qos=0)
        self._beaten_ms = monotonic_ms()

    def _greet(self) -> None:
        """Publishes all retained messages (status, configurations, pictures), then subscribes to find leftovers."""
        said = self.link.publish(self._topics.hub_status, encode(self._status(online=True)), retain=True)
        self._is_known = self._is_known or said
        self._beat()
        for node in self._index.site.nodes:
            config = node_config(self._index, node, (self._generation, self._now_ms()))
            self.link.publish(self._topics.node(node.name, NodeTopic.CONFIG), encode(config), retain=True)
        self._connected()
        self.link.subscribe(self._leftovers.filters, qos=0)

    def _take_back(self, topic: str) -> None:
        """Clears a leftover topic: a node that connects would take its message for one of this run."""
        log.info("broker.took_back", topic=topic[:200])
        self.link.publish(topic, b"", retain=True)

    def _status(self, *, online: bool) -> wire.HubStatus:
        return wire.HubStatus(online=online, version=self._version, boot=self._boot)


def _label(warning: str) -> str:
    word = warning.partition(":")[0]
    return word if word in _WARNING_LABELS else _OTHER_WARNING


def new_boot() -> str:
    """A random id for one run of the program."""
    return os.urandom(6).hex()
