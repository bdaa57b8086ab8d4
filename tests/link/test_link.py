import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.x509 import load_pem_x509_certificate
from paho.mqtt.client import Client

from protocol.environment import WrongSetting
from protocol.link import (
    Incoming,
    Link,
    LinkDown,
    LinkEvent,
    LinkUp,
    Publication,
    PublishRefused,
    read_broker_settings,
)
from provisioning.certificates import write_site
from tests.broker import Broker, make_broker, peer, start_broker
from tests.proxy import Proxy, Way, proxy_to

OWN = "suivant/1/mairie/node/desk-1"
WILL = Publication(f"{OWN}/status", b"gone")
WAIT_S = 15.0


class Linked:
    """A link and the queue it delivers into."""

    def __init__(self, broker: Broker, *, port: int | None = None, **options) -> None:
        self.events: queue.SimpleQueue[LinkEvent] = queue.SimpleQueue()
        settings = broker.settings("desk-1", port=port)
        self.link = Link(settings, "desk-1", self.events.put, will=WILL, jitter=lambda: 0.0, **options)

    def next(self, kind: type[LinkEvent]) -> LinkEvent:
        """The next event of this kind; skips others."""
        until = time.monotonic() + WAIT_S
        while True:
            event = self.events.get(timeout=max(until - time.monotonic(), 0.001))
            if isinstance(event, kind):
                return event


@contextmanager
def linked(broker: Broker, *filters: str, port: int | None = None, **options: int) -> Iterator[Linked]:
    made = Linked(broker, port=port, **options)
    made.link.subscribe(filters)
    made.link.start()
    try:
        made.next(LinkUp)
        yield made
    finally:
        made.link.close()


def test_what_is_published_comes_to_who_subscribed(any_broker: Broker):
    with linked(any_broker, f"{OWN}/echo") as desk:
        assert desk.link.publish(f"{OWN}/echo", b"1", qos=0)
        incoming = desk.next(Incoming)
        assert (incoming.topic, incoming.payload, incoming.retained) == (f"{OWN}/echo", b"1", False)


def test_who_connects_is_told_when_the_brokers_certificate_ends(any_broker: Broker):
    desk = Linked(any_broker)
    desk.link.start()
    told = desk.next(LinkUp).certificate_ends_s
    desk.link.close()
    if not any_broker.certificates:
        assert told is None
        return
    certificate = load_pem_x509_certificate(any_broker.certificates["broker"].cert.read_bytes())
    assert told == certificate.not_valid_after_utc.timestamp()


def test_a_filter_added_later_brings_its_retained_message(any_broker: Broker):
    with linked(any_broker) as desk, peer(any_broker, "hub") as hub:
        hub.publish(f"{OWN}/config", b"config", retain=True)
        desk.link.subscribe([f"{OWN}/config"])
        assert desk.next(Incoming).retained


def test_a_filter_that_was_left_brings_nothing_more(broker: Broker):
    with linked(broker, f"{OWN}/config", f"{OWN}/echo") as desk, peer(broker, "hub") as hub:
        desk.link.unsubscribe([f"{OWN}/config"])
        desk.link.publish(f"{OWN}/echo", b"left")
        assert desk.next(Incoming).payload == b"left"
        hub.publish(f"{OWN}/config", b"config")
        desk.link.publish(f"{OWN}/echo", b"fence")
        assert desk.next(Incoming).payload == b"fence"


def test_before_there_is_a_connection_nothing_is_kept(broker: Broker):
    desk = Linked(broker)
    assert not desk.link.publish(f"{OWN}/request", b"too early")
    with peer(broker) as observer:
        observer.subscribe(f"{OWN}/request")
        desk.link.start()
        desk.next(LinkUp)
        assert desk.link.publish(f"{OWN}/request", b"in time")
        assert observer.seen.get(timeout=WAIT_S).payload == b"in time"
    desk.link.close()


def test_after_the_broker_came_back_the_same_topics_are_heard_and_nothing_old_is_sent(any_broker: Broker):
    with linked(any_broker, f"{OWN}/reply") as desk:
        any_broker.stop()
        desk.next(LinkDown)
        assert not desk.link.publish(f"{OWN}/request", b"pressed while it was away")
        any_broker.start()
        desk.next(LinkUp)
        with peer(any_broker) as observer, peer(any_broker, "hub") as hub:
            observer.subscribe(f"{OWN}/request")
            desk.link.publish(f"{OWN}/request", b"new")
            assert observer.seen.get(timeout=WAIT_S).payload == b"new"
            hub.publish(f"{OWN}/reply", b"answer")
            assert desk.next(Incoming).payload == b"answer"


def test_what_was_under_way_on_a_dead_line_is_not_sent_again_on_the_next(broker: Broker):
    with proxy_to(broker.port) as proxy, linked(broker, port=proxy.port) as desk, peer(broker) as observer:
        observer.subscribe(f"{OWN}/request")
        proxy.be(Way.STALLED)
        assert desk.link.publish(f"{OWN}/request", b"pressed on a dead line")
        proxy.cut()
        proxy.be(Way.OPEN)
        desk.next(LinkDown)
        desk.next(LinkUp)
        desk.link.publish(f"{OWN}/request", b"new")
        assert observer.seen.get(timeout=WAIT_S).payload == b"new"


def test_what_is_said_while_a_line_is_lost_is_heard_where_the_session_outlives_it(any_broker: Broker):
    with (
        proxy_to(any_broker.port) as proxy,
        linked(any_broker, f"{OWN}/reply", port=proxy.port, session_s=20) as desk,
        peer(any_broker, "hub") as hub,
    ):
        for said in (b"once", b"twice"):
            proxy.be(Way.STALLED)
            proxy.cut()
            desk.next(LinkDown)
            hub.publish(f"{OWN}/reply", said)
            proxy.be(Way.OPEN)
            # An earlier message comes again if its acknowledgement was lost in the cut.
            while desk.next(Incoming).payload != said:
                pass
    # Another run of the program starts without the messages of the run before.
    with peer(any_broker, "hub") as hub:
        hub.publish(f"{OWN}/reply", b"said before the start")
        desk = Linked(any_broker, session_s=20)
        desk.link.subscribe([f"{OWN}/reply"])
        desk.link.start()
        assert isinstance(desk.events.get(timeout=WAIT_S), LinkUp)
        desk.link.close()


def test_what_is_said_while_a_line_is_lost_is_gone_without_a_session(broker: Broker):
    with (
        proxy_to(broker.port) as proxy,
        linked(broker, f"{OWN}/reply", port=proxy.port) as desk,
        peer(broker, "hub") as hub,
    ):
        proxy.be(Way.STALLED)
        proxy.cut()
        desk.next(LinkDown)
        hub.publish(f"{OWN}/reply", b"said meanwhile")
        proxy.be(Way.OPEN)
        desk.next(LinkUp)
        hub.publish(f"{OWN}/reply", b"new")
        assert desk.next(Incoming).payload == b"new"


def test_a_line_that_hangs_with_messages_under_way_is_left_at_once(any_broker: Broker):
    with proxy_to(any_broker.port) as proxy, linked(any_broker, port=proxy.port) as desk:
        proxy.be(Way.STALLED)
        desk.link.publish(f"{OWN}/request", b"unanswered")
        begun = time.monotonic()
        desk.link.reconnect("the test said so")
        assert desk.next(LinkDown) == LinkDown("the test said so")
        assert time.monotonic() - begun < 5
        proxy.be(Way.OPEN)
        desk.next(LinkUp)


def test_a_broker_that_does_not_answer_is_given_up(broker: Broker, monkeypatch):
    monkeypatch.setattr("protocol.link.CONNACK_TIMEOUT_S", 0.2)
    with proxy_to(broker.port) as proxy:
        proxy.be(Way.MUTE)
        desk = Linked(broker, port=proxy.port)
        desk.link.start()
        assert desk.next(LinkDown) == LinkDown("the broker did not answer")
        proxy.be(Way.OPEN)
        desk.next(LinkUp)
        desk.link.close()


def test_a_broker_that_is_not_there_is_named_with_its_address(broker: Broker):
    broker.stop()
    desk = Linked(broker)
    desk.link.start()
    down = desk.next(LinkDown)
    assert f"cannot reach 127.0.0.1:{broker.port}" in down.reason
    desk.link.close()


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_that_answers_to_another_name_is_not_trusted(tmp_path: Path):
    broker = make_broker(tmp_path, tls=True, nodes=["desk-1"], reached_as=["broker.example"])
    broker.start()
    desk = Linked(broker)
    desk.link.start()
    down = desk.next(LinkDown)
    assert "127.0.0.1" in down.reason
    assert "certificate" in down.reason
    desk.link.close()
    broker.stop()


def test_a_certificate_that_the_broker_does_not_take_is_named(tmp_path: Path):
    """It has expired or, as here, is of another authority: with TLS 1.3 the broker hangs up after our own handshake."""
    with start_broker(tmp_path / "broker", tls=True, nodes=["desk-1"]) as broker:
        elsewhere = write_site(tmp_path / "elsewhere", ["desk-1"], now=datetime.now(UTC))["desk-1"]
        broker.certificates["desk-1"] = replace(elsewhere, ca=broker.certificates["desk-1"].ca)
        desk = Linked(broker)
        desk.link.start()
        down = desk.next(LinkDown)
        desk.link.close()
    assert "it may have refused this program's certificate" in down.reason


def test_whoever_is_cut_off_leaves_the_will(broker: Broker):
    with proxy_to(broker.port) as proxy, linked(broker, port=proxy.port), peer(broker) as observer:
        observer.subscribe(WILL.topic)
        proxy.cut()
        assert observer.wait_for(WILL.topic).payload == b"gone"


def test_whoever_takes_leave_says_so_and_leaves_no_will(any_broker: Broker):
    with peer(any_broker) as observer:
        observer.subscribe(WILL.topic)
        with linked(any_broker) as desk:
            desk.link.close(Publication(WILL.topic, b"goodbye"))
        with linked(any_broker) as again:
            again.link.publish(WILL.topic, b"back")
            assert observer.wait_for(WILL.topic).payload == b"goodbye"
            assert observer.wait_for(WILL.topic).payload == b"back"


def test_a_link_that_is_closed_while_it_connects_ends_at_once(broker: Broker, monkeypatch):
    desk, connect = Linked(broker), Client.connect

    def closed_meanwhile(client: Client, *arguments, **options):
        done = connect(client, *arguments, **options)
        desk.link._closing.set()
        return done

    monkeypatch.setattr(Client, "connect", closed_meanwhile)
    desk.link.start()
    assert desk.next(LinkDown).reason == "closed"
    desk.link.close()


def test_a_message_the_broker_throws_away_is_told(broker: Broker):
    with linked(broker) as desk:
        desk.link.publish("suivant/1/mairie/node/desk-2/request", b"not mine")
        assert desk.next(PublishRefused) == PublishRefused("Not authorized")


def test_a_receiver_that_fails_costs_one_connection_and_not_the_link(broker: Broker):
    """An exception in a callback kills paho's thread, but paho still says that it is connected."""
    events: queue.SimpleQueue[LinkEvent] = queue.SimpleQueue()
    failed = threading.Event()

    def deliver(event: LinkEvent) -> None:
        if isinstance(event, Incoming) and not failed.is_set():
            failed.set()
            raise RuntimeError("a fault in the program")
        events.put(event)

    link = Link(broker.settings("desk-1"), "desk-1", deliver, jitter=lambda: 0.0)
    link.subscribe([f"{OWN}/echo"])
    link.start()
    assert events.get(timeout=WAIT_S) == LinkUp()
    link.publish(f"{OWN}/echo", b"1")
    down = events.get(timeout=WAIT_S)
    assert isinstance(down, LinkDown)
    assert "a fault in the program" in down.reason
    assert events.get(timeout=WAIT_S) == LinkUp()
    link.publish(f"{OWN}/echo", b"2")
    assert isinstance(events.get(timeout=WAIT_S), Incoming)
    link.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_network_thread_that_died_is_replaced_at_a_reconnect(broker: Broker):
    with linked(broker, f"{OWN}/echo") as desk:
        connection = desk.link._connection
        assert connection is not None
        connection.client._loop = dies
        until_dead(connection.client)
        assert desk.link.connected
        desk.link.reconnect("no echo")
        desk.next(LinkUp)
        desk.link.publish(f"{OWN}/echo", b"alive")
        assert desk.next(Incoming).payload == b"alive"


def dies(*_arguments) -> None:
    raise RuntimeError("the network thread dies")


def until_dead(client) -> None:
    client._sockpairW.send(b"wake")
    until = time.monotonic() + WAIT_S
    while client._thread is not None:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_nothing_waits_for_nagle(any_broker: Broker):
    with linked(any_broker) as desk:
        connection = desk.link._connection
        assert connection is not None
        opened = connection.client.socket()
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_a_message_lives_no_longer_than_it_was_given(broker: Broker):
    with linked(broker) as desk, peer(broker) as observer:
        observer.subscribe(f"{OWN}/request")
        expiries: queue.SimpleQueue[int] = queue.SimpleQueue()
        observer.client.on_message = lambda _c, _d, message: expiries.put(message.properties.MessageExpiryInterval)
        desk.link.publish(f"{OWN}/request", b"press", expiry_s=9)
        assert expiries.get(timeout=WAIT_S) in {8, 9}


def test_a_line_that_fails_again_and_again_is_tried_ever_more_seldom(broker: Broker, monkeypatch):
    waits: list[float] = []
    broker.stop()
    desk = Linked(broker)
    enough = threading.Event()

    def wait(timeout_s: float) -> bool:
        waits.append(timeout_s)
        if len(waits) == 6:
            desk.link._closing.set()
            enough.set()
        return False

    closing = _Patient(wait)
    monkeypatch.setattr(desk.link, "_closing", closing)
    monkeypatch.setattr(desk.link, "_jitter", lambda: 1.0)
    desk.link.start()
    assert enough.wait(WAIT_S)
    assert waits == [2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


@contextmanager
def hasty(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, clock_ms: Callable[[], int]
) -> Iterator[tuple[Linked, Proxy, list[float]]]:
    """A link through a proxy that only notes how long it would wait; gives the link, the proxy and the waits.

    It retries without end, so it is closed with the test, however that ends.
    """
    waits: list[float] = []

    def wait(timeout_s: float) -> bool:
        waits.append(timeout_s)
        return False

    with proxy_to(broker.port) as proxy:
        desk = Linked(broker, port=proxy.port, clock_ms=clock_ms)
        monkeypatch.setattr(desk.link, "_closing", _Patient(wait))
        monkeypatch.setattr(desk.link, "_jitter", lambda: 1.0)
        with closing(desk.link):
            desk.link.start()
            yield desk, proxy, waits


def test_a_line_that_breaks_again_and_again_as_soon_as_it_is_up_is_tried_ever_more_seldom(broker: Broker, monkeypatch):
    """So that two programs with the same name do not disconnect each other every second."""
    with hasty(broker, monkeypatch, lambda: 0) as (desk, proxy, waits):
        for _ in range(6):
            desk.next(LinkUp)
            proxy.cut()
            desk.next(LinkDown)
        desk.next(LinkUp)
    assert waits[:6] == [1.0, 1.0, 2.0, 4.0, 8.0, 10.0]


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_a_line_that_breaks_after_it_lasted_was_good_and_is_tried_again_soon(
    broker: Broker, monkeypatch, chance: float
):
    hours_ms = iter(range(0, 1_000_000_000, 3_600_000))
    with hasty(broker, monkeypatch, lambda: next(hours_ms)) as (desk, proxy, waits):
        monkeypatch.setattr(desk.link, "_jitter", lambda: chance)
        for _ in range(5):
            desk.next(LinkUp)
            proxy.cut()
            assert desk.next(LinkDown).lasted
        desk.next(LinkUp)
    assert waits[:5] == [1.0] * 5


def test_whoever_is_pushed_off_by_another_of_its_name_is_told_of_it(broker: Broker):
    with linked(broker) as desk:
        for _ in range(3):
            with peer(broker, "desk-1"):
                down = desk.next(LinkDown)
            desk.next(LinkUp)
    assert "is another client called desk-1" in down.reason
    assert not down.lasted


class _Patient(threading.Event):
    """Notes how long it would have waited."""

    def __init__(self, wait: Callable[[float], bool]) -> None:
        super().__init__()
        self.wait = wait  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"HOST": "broker.example"}, "SUIVANT_BROKER_HOST is 'broker.example': it should be this machine (127.0.0.1)"),
        ({"CA_FILE": "/ca.pem"}, "SUIVANT_BROKER_CERT_FILE is not set: it should be a file"),
        ({"PORT": "65536"}, "SUIVANT_BROKER_PORT is '65536': it should be a whole number from 1 to 65535"),
        (
            {"CA_FILE": "/nowhere/ca.pem", "CERT_FILE": "/nowhere/c", "KEY_FILE": "/nowhere/k"},
            "SUIVANT_BROKER_CA_FILE is '/nowhere/ca.pem': it should be a readable PEM file",
        ),
    ],
)
def test_a_wrong_way_to_the_broker_is_said_by_its_variable(environ, sentence):
    with pytest.raises(WrongSetting) as wrong:
        read_broker_settings({f"SUIVANT_BROKER_{name}": value for name, value in environ.items()})
    assert str(wrong.value).startswith(sentence)


def test_a_key_that_cannot_be_opened_is_said_by_its_own_variable(tmp_path):
    there = tmp_path / "there.pem"
    there.touch()
    files = {"CA_FILE": there, "CERT_FILE": there, "KEY_FILE": tmp_path / "not there.key"}
    with pytest.raises(WrongSetting, match=r"^SUIVANT_BROKER_KEY_FILE is '.*not there.key': .* \(No such file"):
        read_broker_settings({f"SUIVANT_BROKER_{name}": str(file) for name, file in files.items()})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_this_machine_may_be_reached_plainly(host):
    assert read_broker_settings({"SUIVANT_BROKER_HOST": host}).host == host


def test_a_proxy_that_opens_again_lets_what_waited_through(broker: Broker):
    """The tests' proxy behaves like a real link: delayed bytes keep their order and are not lost."""
    with proxy_to(broker.port) as proxy, linked(broker, f"{OWN}/echo", port=proxy.port) as desk:
        proxy.be(Way.STALLED)
        for number in range(5):
            desk.link.publish(f"{OWN}/echo", str(number).encode())
        assert desk.events.empty()
        proxy.be(Way.OPEN)
        assert [desk.next(Incoming).payload for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
