"""Who may write and read what, proved by the messages that arrive: a SUBACK proves nothing."""

import contextlib
import socket
import ssl
from datetime import UTC, datetime

import pytest

from provisioning.certificates import write_site
from tests.broker import Broker, Peer, peer

ROOT = "suivant/1/mairie"
# MQTT 5, clean start, client id `ab`.
CONNECT = b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02ab"
CONNACK = b"\x20"

OWN = f"{ROOT}/node/desk-1"
OTHER = f"{ROOT}/node/desk-2"

# (topic, may desk-1 write it, may desk-1 read it)
MATRIX = [
    (f"{OWN}/status", True, False),
    (f"{OWN}/telemetry", True, False),
    (f"{OWN}/request", True, False),
    (f"{OWN}/clock/up", True, False),
    (f"{OWN}/echo", True, True),
    (f"{OWN}/reply", False, True),
    (f"{OWN}/config", False, True),
    (f"{OWN}/command", False, True),
    (f"{OWN}/clock/down", False, True),
    (f"{OWN}/anything", False, False),
    (f"{OWN}", False, False),
    *[
        (f"{OTHER}/{kind}", False, False)
        for kind in (
            "status",
            "telemetry",
            "request",
            "clock/up",
            "echo",
            "reply",
            "config",
            "command",
            "clock/down",
        )
    ],
    (f"{ROOT}/hub/status", False, True),
    (f"{ROOT}/hub/beat", False, True),
    (f"{ROOT}/hub/echo", False, False),
    (f"{ROOT}/hub/secret", False, False),
    (f"{ROOT}/desk/guichet-1/state", False, True),
    (f"{ROOT}/desk/guichet-1/other", False, False),
    (f"{ROOT}/hall/rez/state", False, True),
    (f"{ROOT}/hall/rez/announce", False, True),
    (f"{ROOT}/hall/rez/other", False, False),
    ("suivant/1/annexe/node/desk-1/request", False, False),
    ("suivant/1/annexe/node/desk-1/reply", False, False),
    ("suivant/1/annexe/hub/beat", False, False),
    ("suivant/1/annexe/desk/guichet-1/state", False, False),
    ("suivant/2/mairie/node/desk-1/request", False, False),
    ("elsewhere", False, False),
    ("$SYS/broker/version", False, False),
]


@pytest.mark.parametrize(("topic", "writes", "_reads"), MATRIX)
def test_what_a_node_may_write_and_nothing_else_arrives(tls_broker: Broker, topic, writes, _reads):
    fence = f"{OWN}/telemetry"
    with peer(tls_broker) as observer, peer(tls_broker, "desk-1") as node:
        observer.subscribe("suivant/1/mairie/#")
        node.publish(topic, b"probe")
        node.publish(fence, b"fence")
        arrived = until_fence(observer)
    assert (topic in arrived) is writes


@pytest.mark.parametrize(("topic", "_writes", "reads"), MATRIX)
def test_what_a_node_may_read_and_nothing_else_reaches_it(tls_broker: Broker, topic, _writes, reads):
    with peer(tls_broker, "desk-1") as node, peer(tls_broker, "hub") as hub:
        node.subscribe("#")
        hub.publish(topic, b"probe")
        hub.publish(f"{ROOT}/hub/status", b"fence")
        arrived = until_fence(node)
    assert (topic in arrived) is reads


def until_fence(reader: Peer) -> list[str]:
    topics: list[str] = []
    while True:
        seen = reader.seen.get(timeout=10)
        if seen.payload == b"fence":
            return topics
        topics.append(seen.topic)


@pytest.mark.parametrize("topic", [f"{OWN}/request", f"{OTHER}/reply", f"{ROOT}/hub/echo", f"{ROOT}/hall/rez/announce"])
def test_the_hub_may_write_and_read_all_of_its_site(tls_broker: Broker, topic):
    with peer(tls_broker, "hub") as hub:
        hub.subscribe(f"{ROOT}/#")
        hub.publish(topic, b"probe")
        assert hub.wait_for(topic).payload == b"probe"


def test_the_hub_of_one_site_says_nothing_in_another(tls_broker: Broker):
    with peer(tls_broker, "hub") as hub:
        assert hub.publish("suivant/1/annexe/hub/beat", b"probe") == "Not authorized"


def test_a_nodes_own_will_arrives_when_its_line_is_cut(tls_broker: Broker):
    with peer(tls_broker) as observer:
        observer.subscribe(f"{OWN}/status")
        cut_with_will(tls_broker, f"{OWN}/status")
        assert observer.wait_for(f"{OWN}/status").payload == b"will"


@pytest.mark.parametrize("topic", [f"{OTHER}/status", f"{OWN}/config", f"{ROOT}/hub/status"])
def test_a_will_in_somebody_elses_name_never_arrives(tls_broker: Broker, topic):
    with peer(tls_broker) as observer:
        observer.subscribe(f"{ROOT}/#")
        cut_with_will(tls_broker, topic)
        cut_with_will(tls_broker, f"{OWN}/status")
        assert observer.wait_for(f"{OWN}/status").payload == b"will"
        assert observer.seen.empty()


def cut_with_will(broker: Broker, topic: str) -> None:
    node = Peer(broker, "desk-1")
    node.client.will_set(topic, b"will", 1)
    node.connect()
    opened = node.client.socket()
    if opened is not None:
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
    node.client.loop_stop()


def test_nobody_can_take_another_nodes_place_by_its_client_id(tls_broker: Broker):
    with peer(tls_broker, "desk-1") as node, peer(tls_broker, "desk-2", client_id="desk-1") as thief:
        node.subscribe(f"{OWN}/echo")
        thief.publish(f"{OTHER}/telemetry", b"I am here")
        node.publish(f"{OWN}/echo", b"still here")
        assert node.wait_for(f"{OWN}/echo").payload == b"still here"


def test_a_client_without_a_certificate_is_refused(tls_broker: Broker):
    context = ssl.create_default_context(cafile=tls_broker.certificates["hub"].ca)
    assert refused(tls_broker, context)


def test_a_certificate_of_another_authority_is_refused(tls_broker: Broker, tmp_path):
    stranger = write_site(tmp_path, ["desk-1"], now=datetime.now(UTC))["desk-1"]
    context = ssl.create_default_context(cafile=tls_broker.certificates["hub"].ca)
    context.load_cert_chain(stranger.cert, stranger.key)
    assert refused(tls_broker, context)


def test_a_certificate_of_the_sites_authority_is_not_refused(tls_broker: Broker):
    files = tls_broker.certificates["desk-1"]
    context = ssl.create_default_context(cafile=files.ca)
    context.load_cert_chain(files.cert, files.key)
    assert not refused(tls_broker, context)


def test_a_broker_of_another_authority_is_not_trusted(tls_broker: Broker, tmp_path):
    stranger = write_site(tmp_path, [], now=datetime.now(UTC))["hub"]
    context = ssl.create_default_context(cafile=stranger.ca)
    with (
        socket.create_connection(("127.0.0.1", tls_broker.port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_plain_client_gets_no_answer_from_a_broker_with_certificates(tls_broker: Broker):
    with socket.create_connection(("127.0.0.1", tls_broker.port), timeout=5) as plain:
        plain.sendall(CONNECT)
        with contextlib.suppress(ConnectionResetError):
            assert plain.recv(100)[:1] != CONNACK


def refused(broker: Broker, context: ssl.SSLContext) -> bool:
    """Whether the broker ends the connection instead of answering CONNECT."""
    with socket.create_connection(("127.0.0.1", broker.port), timeout=5) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                secure.sendall(CONNECT)
                return secure.recv(100) == b""
        except (ssl.SSLError, ConnectionError):
            return True


def test_a_payload_that_no_message_can_have_is_cut_off_and_reaches_nobody(tls_broker: Broker):
    with peer(tls_broker) as observer:
        observer.subscribe(f"{ROOT}/#")
        node = Peer(tls_broker, "desk-1")
        node.connect()
        node.client.publish(f"{OWN}/request", b"x" * 30_000, 1)
        assert node.change().startswith("disconnected")
        node.client.loop_stop()
        with peer(tls_broker, "desk-2") as other:
            other.publish(f"{OTHER}/telemetry", b"fence")
        assert until_fence(observer) == []


def test_without_certificates_a_node_is_bound_to_its_topics_too(broker: Broker):
    with peer(broker) as observer, peer(broker, "desk-1") as node:
        observer.subscribe(f"{ROOT}/#")
        assert node.publish(f"{OTHER}/request", b"probe") == "Not authorized"
        node.publish(f"{OWN}/request", b"fence")
        assert until_fence(observer) == []


def test_who_gives_no_name_is_no_node(broker: Broker):
    with peer(broker, "hub") as hub:
        nobody = Peer(broker, client_id="desk-1")
        nobody.client.username_pw_set(None)
        nobody.connect()
        nobody.subscribe("#")
        hub.publish(f"{OWN}/reply", b"probe")
        assert nobody.publish(f"{OWN}/request", b"probe") == "Not authorized"
        # The answer above came on the same connection, after anything that the broker sent before it.
        assert nobody.seen.empty()
        nobody.close()
