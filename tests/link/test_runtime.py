"""The runtime of every node, with a real broker and a core that notes what happens; the test turns the clock."""

import errno
import os
import queue
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import pytest
import structlog
from msgspec import Struct
from msgspec.structs import replace

from nodes.events import (
    Commanded,
    Condition,
    Configured,
    Connected,
    Disconnected,
    Follow,
    HubAnew,
    Identify,
    Message,
    Publish,
    Tick,
)
from nodes.runtime import INBOX_MOST, RESTART_STATUS, STEP_MOST, Inbox, Runtime
from nodes.settings import NodeSettings, Settings
from protocol.environment import WrongSetting
from protocol.heartbeat import ECHO_LOST_MS, HubTime
from protocol.instants import Instant
from protocol.link import Incoming
from protocol.messages import (
    ECHO_PERIOD_MS,
    BadMessage,
    Beat,
    CommandKind,
    DeskButtonConfig,
    DisplayConfig,
    HubStatus,
    NodeCommand,
    NodeStatus,
    Parser,
    Role,
    Telemetry,
    encode,
)
from protocol.topics import NodeTopic, Topics
from tests.broker import Broker, Peer, peer, start_broker
from tests.proxy import Way, proxy_to

TOPICS = Topics("mairie")
ID = "01a21031-8a10-7e8e-a616-72430b72a20"
CONFIG = DeskButtonConfig(revision=(1, 1), desk="guichet-1")
STATUS: Parser[NodeStatus] = Parser(NodeStatus)
TELEMETRY: Parser[Telemetry] = Parser(Telemetry)
WAIT_S = 15.0
# Counted from the last echo that came back: the time until the next one is due, until it counts as lost, and 2 s more.
SILENT_MS = ECHO_PERIOD_MS + ECHO_LOST_MS + 2_000


class NotingCore:
    """Notes what happens, and asks for what the test chose for that type of event."""

    def __init__(self) -> None:
        self.happened: list[object] = []
        self.asks: dict[type, list[object]] = {}

    def handle(self, event: object, _now_ms: int) -> list[object]:
        if isinstance(event, Message) and event.payload == b"bad":
            raise BadMessage("the test says so")
        if isinstance(event, Message) and event.payload == b"a fault":
            raise ZeroDivisionError
        self.happened.append(event)
        return self.asks.get(type(event), [])

    def due_ms(self) -> int | None:
        return None

    def condition(self) -> Condition:
        return Condition(stuck=(17,), warnings=("paper_low",))


class Node:
    """A runtime that the test drives, as a screen's frame loop drives one."""

    def __init__(self, broker: Broker, folder: Path, *, port: int | None = None) -> None:
        self.now_ms = 1_000_000
        self.core = NotingCore()
        self.performed: list[object] = []
        self.hub_time = HubTime()
        self.inbox = Inbox()
        node = NodeSettings(node="desk-1", site="mairie", state_dir=folder)
        self.runtime = Runtime(
            Settings(node=node, broker=broker.settings("desk-1", port=port)),
            Role.DESK_BUTTON,
            self.core,
            self.performed.append,
            inbox=self.inbox,
            hub_time=self.hub_time,
            environ={},
            clock_ms=lambda: self.now_ms,
        )

    def until(self, holds: Callable[[], bool]) -> int | None:
        """Step until `holds` is true, or until the program would end; returns its exit status then."""
        until = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < until, self.core.happened
            status = self.runtime.step(0.02)
            if status is not None:
                return status
        return None

    def happened(self, kind: type) -> bool:
        return any(isinstance(event, kind) for event in self.core.happened)

    def until_happened(self, kind: type) -> None:
        self.until(lambda: self.happened(kind))

    def forget(self) -> None:
        self.core.happened.clear()

    def turn(self, by_ms: int) -> int | None:
        """Turn the clock in steps of a second; each step takes a short look at what came in."""
        for _ in range(by_ms // 1_000):
            self.now_ms += 1_000
            status = self.runtime.step(0.01)
            if status is not None:
                return status
        return None


@contextmanager
def running(broker: Broker, folder: Path, *, port: int | None = None) -> Iterator[Node]:
    node = Node(broker, folder, port=port)
    node.runtime.start()
    try:
        yield node
    finally:
        node.runtime.close()


@pytest.fixture
def node(broker: Broker, tmp_path: Path) -> Iterator[Node]:
    with running(broker, tmp_path / "state") as started:
        started.until_happened(Connected)
        yield started


@pytest.fixture
def hub(broker: Broker) -> Iterator[Peer]:
    with peer(broker, "hub") as connected:
        yield connected


def kept_at(folder: Path, *, site: str = "mairie", node: str = "desk-1") -> Path:
    """The file in which a node keeps its configuration; creates its folder."""
    kept = folder / site / node
    kept.mkdir(parents=True, exist_ok=True)
    return kept / "config.json"


def own(topic: NodeTopic) -> str:
    return TOPICS.node("desk-1", topic)


def say(hub: Peer, topic: NodeTopic, message: Struct, *, retain: bool = False) -> None:
    hub.publish(own(topic), encode(message), retain=retain)


def test_it_says_that_it_is_there_and_what_it_is(node: Node, hub: Peer):
    hub.subscribe(own(NodeTopic.STATUS))
    status = STATUS.parse(hub.wait_for(own(NodeTopic.STATUS)).payload)
    assert (status.online, status.role, status.version) == (True, Role.DESK_BUTTON, version("suivant"))


def test_it_says_that_it_leaves(broker: Broker, tmp_path: Path, hub: Peer):
    with running(broker, tmp_path) as node:
        node.until_happened(Connected)
        hub.subscribe(own(NodeTopic.STATUS))
        assert STATUS.parse(hub.wait_for(own(NodeTopic.STATUS)).payload).online
    assert not STATUS.parse(hub.wait_for(own(NodeTopic.STATUS)).payload).online


def test_it_tells_how_it_is_at_once_and_each_minute(node: Node, hub: Peer):
    hub.subscribe(own(NodeTopic.TELEMETRY))
    node.turn(61_000)
    telemetry = first = TELEMETRY.parse(hub.wait_for(own(NodeTopic.TELEMETRY)).payload)
    # The report sent at the start may arrive after the subscription.
    if first.uptime_s < 60:
        telemetry = TELEMETRY.parse(hub.wait_for(own(NodeTopic.TELEMETRY)).payload)
    assert telemetry.stuck == (17,)
    assert telemetry.warnings == ("paper_low",)
    assert telemetry.memory_mib > 1
    assert telemetry.uptime_s >= 60


def test_it_tells_how_it_is_at_once_on_a_new_connection(node: Node, hub: Peer):
    hub.subscribe(own(NodeTopic.TELEMETRY))
    node.turn(5_000)
    node.forget()
    node.runtime._link.reconnect("the test says so")
    node.until_happened(Connected)
    # The report sent at the start may arrive after the subscription.
    while told(hub).uptime_s < 5:
        pass


def test_the_hub_says_what_it_is_for_and_it_knows_that_without_the_hub(node: Node, hub: Peer, tmp_path: Path, broker):
    say(hub, NodeTopic.CONFIG, CONFIG, retain=True)
    node.until_happened(Configured)
    assert node.core.happened[-1] == Configured(CONFIG)
    node.runtime.close()
    broker.stop()
    with running(broker, tmp_path / "state") as again:
        assert again.core.happened[0] == Configured(CONFIG)


def test_a_configuration_that_is_not_newer_is_ignored(node: Node, hub: Peer):
    newer = DeskButtonConfig(revision=(1, 2), desk="guichet-2")
    as_new = DeskButtonConfig(revision=(1, 2), desk="guichet-3")
    for config in (CONFIG, newer, CONFIG, as_new):
        say(hub, NodeTopic.CONFIG, config)
    say(hub, NodeTopic.REPLY, CONFIG)
    node.until_happened(Message)
    assert [event for event in node.core.happened if isinstance(event, Configured)] == [
        Configured(CONFIG),
        Configured(newer),
    ]


def test_what_the_hub_says_first_goes_before_what_was_kept_however_new_that_is(
    broker: Broker, tmp_path: Path, hub: Peer
):
    """The kept one may be from the hub where this node was tried out, whose database was made later."""
    kept = DeskButtonConfig(revision=(9, 900), desk="guichet-9")
    kept_at(tmp_path).write_bytes(encode(kept))
    say(hub, NodeTopic.CONFIG, CONFIG, retain=True)
    with running(broker, tmp_path) as node:
        node.until(lambda: len([each for each in node.core.happened if isinstance(each, Configured)]) == 2)
        configured = [each for each in node.core.happened if isinstance(each, Configured)]
        assert configured == [Configured(kept), Configured(CONFIG)]
    assert kept_at(tmp_path).read_bytes() == encode(CONFIG)


def test_what_another_node_or_site_kept_here_is_ignored(broker: Broker, tmp_path: Path):
    for name in ({"node": "desk-3"}, {"site": "labo"}):
        kept_at(tmp_path, **name).write_bytes(encode(CONFIG))
    with running(broker, tmp_path) as node:
        node.until_happened(Connected)
        assert not node.happened(Configured)


def test_a_restored_hub_has_a_later_generation_and_is_heard(node: Node, hub: Peer):
    say(hub, NodeTopic.CONFIG, DeskButtonConfig(revision=(1, 900), desk="guichet-1"))
    say(hub, NodeTopic.CONFIG, DeskButtonConfig(revision=(2, 1), desk="guichet-2"))
    node.until(lambda: Configured(DeskButtonConfig(revision=(2, 1), desk="guichet-2")) in node.core.happened)


def test_another_run_of_the_hub_is_believed_whatever_its_database_counts(node: Node, hub: Peer):
    hub.publish(TOPICS.hub_status, encode(HubStatus(online=True, version="1", boot="a")))
    say(hub, NodeTopic.CONFIG, DeskButtonConfig(revision=(9, 900), desk="guichet-1"))
    hub.publish(TOPICS.hub_status, encode(HubStatus(online=True, version="1", boot="b")))
    say(hub, NodeTopic.CONFIG, DeskButtonConfig(revision=(2, 1), desk="guichet-2"))
    node.until(lambda: Configured(DeskButtonConfig(revision=(2, 1), desk="guichet-2")) in node.core.happened)
    assert HubAnew() in node.core.happened


def test_a_node_that_was_away_meanwhile_believes_another_run_of_the_hub_too(broker: Broker, tmp_path: Path, hub: Peer):
    hub.publish(TOPICS.hub_status, encode(HubStatus(online=True, version="1", boot="a")), retain=True)
    say(hub, NodeTopic.CONFIG, DeskButtonConfig(revision=(9, 900), desk="guichet-1"), retain=True)
    with proxy_to(broker.port) as proxy, running(broker, tmp_path, port=proxy.port) as node:
        node.until(lambda: node.happened(Configured) and node.runtime._hub_boot == "a")
        proxy.be(Way.STALLED)
        proxy.cut()
        node.until_happened(Disconnected)
        hub.publish(TOPICS.hub_status, encode(HubStatus(online=True, version="1", boot="b")), retain=True)
        say(hub, NodeTopic.CONFIG, DeskButtonConfig(revision=(2, 1), desk="guichet-2"), retain=True)
        proxy.be(Way.OPEN)
        node.until_happened(HubAnew)
        node.until(lambda: Configured(DeskButtonConfig(revision=(2, 1), desk="guichet-2")) in node.core.happened)


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"\xff",
        encode(DisplayConfig(revision=(1, 1), hall="rez", town="Exempleville")),
        b'{"v":2,"role":"desk_button","revision":[1,1],"desk":"guichet-1"}',
        b"x" * 17_000,
    ],
)
def test_a_configuration_that_is_none_is_counted_and_ignored(node: Node, hub: Peer, payload):
    hub.subscribe(own(NodeTopic.TELEMETRY))
    hub.publish(own(NodeTopic.CONFIG), payload)
    say(hub, NodeTopic.CONFIG, CONFIG)
    node.until_happened(Configured)
    node.turn(61_000)
    warnings = [*TELEMETRY.parse(hub.wait_for(own(NodeTopic.TELEMETRY)).payload).warnings]
    with suppress(queue.Empty):
        while True:
            warnings += TELEMETRY.parse(hub.seen.get(timeout=0.2).payload).warnings
    assert "messages_refused: 1" in warnings


def test_a_configuration_that_the_hub_takes_back_leaves_the_node_as_it_was(node: Node, hub: Peer, tmp_path: Path):
    say(hub, NodeTopic.CONFIG, CONFIG)
    hub.publish(own(NodeTopic.CONFIG), b"", retain=True)
    hub.publish(own(NodeTopic.REPLY), b"good")
    node.until_happened(Message)
    assert [event for event in node.core.happened if isinstance(event, Configured)] == [Configured(CONFIG)]
    assert kept_at(tmp_path / "state").read_bytes() == encode(CONFIG)
    hub.subscribe(own(NodeTopic.TELEMETRY))
    node.turn(61_000)
    assert TELEMETRY.parse(hub.wait_for(own(NodeTopic.TELEMETRY)).payload).warnings == ("paper_low",)


def test_a_kept_configuration_that_is_broken_stops_nothing(broker: Broker, tmp_path: Path):
    kept_at(tmp_path).write_bytes(b'{"v":1,"ro')
    with running(broker, tmp_path) as node:
        node.until_happened(Connected)
        assert not node.happened(Configured)


@pytest.mark.parametrize("payload", [b"bad", b"a fault"])
def test_a_message_that_a_role_cannot_take_stops_nothing(node: Node, hub: Peer, payload):
    hub.publish(own(NodeTopic.REPLY), payload)
    hub.publish(own(NodeTopic.REPLY), b"good")
    node.until_happened(Message)
    assert node.core.happened[-1].payload == b"good"


def test_what_a_role_follows_is_what_it_hears(node: Node, hub: Peer):
    node.core.asks[Configured] = [Follow(("suivant/1/mairie/desk/guichet-1/state",))]
    say(hub, NodeTopic.CONFIG, CONFIG)
    node.until_happened(Configured)
    node.core.asks[Configured] = [Follow(("suivant/1/mairie/desk/guichet-2/state",))]
    say(hub, NodeTopic.CONFIG, DeskButtonConfig(revision=(1, 2), desk="guichet-2"))
    node.until(lambda: len([each for each in node.core.happened if isinstance(each, Configured)]) == 2)
    hub.publish("suivant/1/mairie/desk/guichet-1/state", b"old")
    hub.publish("suivant/1/mairie/desk/guichet-2/state", b"new")
    node.until_happened(Message)
    assert [event.payload for event in node.core.happened if isinstance(event, Message)] == [b"new"]


def test_what_a_role_publishes_arrives_and_what_is_its_own_is_performed(node: Node, hub: Peer):
    hub.subscribe(own(NodeTopic.REQUEST))
    node.core.asks[Tick] = [Publish(own(NodeTopic.REQUEST), b"ask", expiry_s=5), "draw"]
    node.turn(1_000)
    assert hub.wait_for(own(NodeTopic.REQUEST)).payload == b"ask"
    assert node.performed == ["draw"]


def test_the_hubs_beat_is_known(node: Node, hub: Peer):
    hub.publish(TOPICS.hub_beat, encode(Beat(at=Instant(5_000))))
    node.until(lambda: not node.hub_time.away(node.now_ms))
    assert node.hub_time.stamp(node.now_ms + 200) == (5_000, 200)


def test_a_beat_that_the_broker_kept_is_an_old_one(node: Node):
    node.inbox.put(Incoming(TOPICS.hub_beat, encode(Beat(at=Instant(5_000))), True, node.now_ms))
    node.runtime.step()
    assert node.hub_time.away(node.now_ms)


def test_the_beat_of_a_hub_that_ran_before_is_forgotten(node: Node, hub: Peer):
    hub.publish(TOPICS.hub_status, encode(HubStatus(online=True, version="1", boot="a")))
    hub.publish(TOPICS.hub_beat, encode(Beat(at=Instant(5_000))))
    node.until(lambda: node.hub_time.hub_now_ms(node.now_ms) == 5_000)
    hub.publish(TOPICS.hub_status, encode(HubStatus(online=True, version="1", boot="b")))
    node.until(lambda: node.hub_time.hub_now_ms(node.now_ms) is None)


def test_a_hub_that_is_away_ends_no_node(node: Node):
    assert node.turn(200_000) is None
    assert not node.happened(Disconnected)


def test_a_broker_that_greets_and_then_is_silent_ends_the_node(broker: Broker, tmp_path: Path):
    with proxy_to(broker.port) as proxy, running(broker, tmp_path, port=proxy.port) as node:
        node.until_happened(Connected)
        node.forget()
        proxy.be(Way.GREETING_ALONE)
        assert node.turn(SILENT_MS) is None
        node.until_happened(Connected)
        assert node.turn(ECHO_LOST_MS + 2_000) == RESTART_STATUS


def test_a_network_thread_that_dies_costs_one_connection(broker: Broker, tmp_path: Path):
    """The link still says it is connected; only the echo shows the fault. A new connection has a new thread."""
    with proxy_to(broker.port) as proxy, running(broker, tmp_path, port=proxy.port) as node:
        node.until_happened(Connected)
        node.forget()
        proxy.be(Way.MUTE)
        assert node.turn(SILENT_MS) is None
        proxy.be(Way.OPEN)
        node.until_happened(Connected)
        assert node.turn(ECHO_LOST_MS + 20_000) is None


def test_a_line_that_breaks_again_and_again_is_a_line_a_reason_and_not_a_time(
    broker: Broker, tmp_path: Path, monkeypatch
):
    for name in ("RECONNECT_LEAST_S", "RECONNECT_MOST_S"):
        monkeypatch.setattr(f"protocol.link.{name}", 0.01)
    with (
        structlog.testing.capture_logs() as lines,
        proxy_to(broker.port) as proxy,
        running(broker, tmp_path, port=proxy.port) as node,
    ):
        for _ in range(8):
            node.until_happened(Connected)
            node.forget()
            proxy.cut()
            node.until_happened(Disconnected)
        node.until_happened(Connected)
    said = [line["event"] for line in lines if line["event"].startswith("broker.")]
    assert said == ["broker.connected", *["broker.lost", "broker.connected"] * 2]


def test_a_node_with_anothers_certificate_says_so(tmp_path: Path):
    """The broker knows the node by the name in its certificate, and lets it write none of its own topics."""
    with (
        start_broker(tmp_path / "broker", tls=True, nodes=("desk-1", "desk-2")) as broker,
        structlog.testing.capture_logs() as lines,
    ):
        broker.certificates["desk-1"] = broker.certificates["desk-2"]
        with running(broker, tmp_path) as node:
            node.until(lambda: any(line["event"] == "publish.refused" for line in lines))
    refused = next(line for line in lines if line["event"] == "publish.refused")
    assert "certificate is for desk-1" in refused["do"]


def test_a_node_whose_site_is_not_the_brokers_is_told_to_look_at_its_site(tmp_path: Path):
    with (
        start_broker(tmp_path / "broker", site="other-town") as broker,
        structlog.testing.capture_logs() as lines,
        running(broker, tmp_path / "state") as node,
    ):
        node.until(lambda: any(line["event"] == "publish.refused" for line in lines))
    refused = next(line for line in lines if line["event"] == "publish.refused")
    assert "the broker is for the site mairie (SUIVANT_SITE)" in refused["do"]


def test_a_broker_that_is_down_for_a_long_time_ends_no_node(node: Node, broker: Broker):
    broker.stop()
    node.until_happened(Disconnected)
    assert node.turn(50_000) is None
    broker.start()
    node.forget()
    node.until_happened(Connected)


def test_identify_is_handed_on_once_however_often_it_is_delivered(node: Node, hub: Peer):
    command = NodeCommand(id=ID + "1", command=CommandKind.IDENTIFY)
    for _ in range(3):
        say(hub, NodeTopic.COMMAND, command)
    say(hub, NodeTopic.COMMAND, NodeCommand(id=ID + "2", command=CommandKind.TEST_PRINT))
    node.until_happened(Commanded)
    asked = [event for event in node.core.happened if isinstance(event, Identify | Commanded)]
    assert asked == [Identify(node.now_ms + 30_000), Commanded(CommandKind.TEST_PRINT)]


def test_a_commanded_restart_ends_it_for_systemd_to_start_it_again(node: Node, hub: Peer):
    say(hub, NodeTopic.COMMAND, NodeCommand(id=ID + "1", command=CommandKind.RESTART))
    assert node.until(lambda: False) == RESTART_STATUS


def test_a_retained_restart_does_not_end_it_at_every_start(broker: Broker, tmp_path: Path, hub: Peer):
    say(hub, NodeTopic.COMMAND, NodeCommand(id=ID + "1", command=CommandKind.RESTART), retain=True)
    with running(broker, tmp_path) as node:
        node.until_happened(Connected)
        say(hub, NodeTopic.REPLY, CONFIG)
        node.until_happened(Message)
        assert node.runtime.step() is None


def test_a_state_folder_that_cannot_be_used_is_said_by_its_variable(broker: Broker, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(WrongSetting, match=r"SUIVANT_STATE_DIR is .*file/state"):
        Node(broker, tmp_path / "file" / "state")


@pytest.fixture
def disk_fault(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the writing of each new file fail with this error number."""

    def fails_with(number: int) -> None:
        def refuse(**_options: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("nodes.kept_config.TemporaryFile", refuse)

    return fails_with


def test_a_state_folder_that_others_own_is_said_by_its_variable(broker: Broker, tmp_path: Path, disk_fault):
    disk_fault(errno.EACCES)
    with pytest.raises(WrongSetting, match=r"SUIVANT_STATE_DIR is .*Permission denied"):
        Node(broker, tmp_path)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_card_that_takes_nothing_at_the_start_stops_nothing(broker: Broker, tmp_path: Path, disk_fault, number: int):
    """The system has made it read-only, or it is full: a button needs no disk to call somebody."""
    kept_at(tmp_path).write_bytes(encode(CONFIG))
    disk_fault(number)
    with structlog.testing.capture_logs() as lines, running(broker, tmp_path) as node:
        assert node.core.happened[0] == Configured(CONFIG)
        node.until_happened(Connected)
    assert "state_dir.unusable" in [line["event"] for line in lines]


def test_a_disk_that_takes_nothing_stops_nothing_and_is_told(node: Node, hub: Peer, tmp_path: Path):
    (fresh := kept_at(tmp_path / "state").with_suffix(".new")).mkdir()
    hub.subscribe(own(NodeTopic.TELEMETRY))
    say(hub, NodeTopic.CONFIG, CONFIG)
    node.until_happened(Configured)
    node.turn(6_000)
    while "disk: the configuration could not be saved" not in told(hub).warnings:
        pass

    fresh.rmdir()
    say(hub, NodeTopic.CONFIG, replace(CONFIG, revision=(1, 2)))
    node.until(lambda: sum(isinstance(event, Configured) for event in node.core.happened) == 2)
    node.turn(6_000)
    while told(hub).warnings != ("paper_low",):
        pass


def told(hub: Peer) -> Telemetry:
    return TELEMETRY.parse(hub.wait_for(own(NodeTopic.TELEMETRY)).payload)


def test_more_messages_than_a_worker_can_take_are_not_kept_without_end(broker: Broker):
    inbox = Inbox()
    for _ in range(INBOX_MOST + 50):
        inbox.put(Incoming("t", b"", False, 0))
    taken = 0
    while inbox.take(0) is not None:
        taken += 1
    assert taken == INBOX_MOST


def test_one_step_takes_no_more_than_a_frame_can_wait_for(node: Node):
    node.forget()
    for number in range(STEP_MOST + 50):
        node.inbox.put(number)
    node.runtime.step()
    assert len(node.core.happened) <= STEP_MOST
    node.runtime.step()
    assert [event for event in node.core.happened if isinstance(event, int)] == list(range(STEP_MOST + 50))


def test_it_listens_to_signals_until_it_ends_and_then_whoever_did_before(broker: Broker, tmp_path: Path):
    """A program that hangs in its last steps can still be ended."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    with running(broker, tmp_path):
        assert all(signal.getsignal(number) not in before for number in numbers)
    assert [signal.getsignal(number) for number in numbers] == before
