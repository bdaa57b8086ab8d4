"""The MQTT connection that all programs use.

paho's callbacks only pass typed events to `deliver`, which puts them into a queue and must not block. Each connection
has its own paho client, which is discarded with it. So nothing waits inside paho for a later connection: a press that
was not sent is not sent minutes later, and a network thread that died is replaced.
"""

import contextlib
import ipaddress
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from time import monotonic_ns
from typing import Annotated, Any

from msgspec import Meta, Struct
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from protocol.environment import PREFIX, WrongSetting, read

BROKER_PREFIX = f"{PREFIX}BROKER_"

# The broker publishes a dead node's will after 1.5 times this, which is within the 30 s in which staff must see it.
KEEPALIVE_S = 15
CONNECT_TIMEOUT_S = 5.0
CONNACK_TIMEOUT_S = 10.0
RECONNECT_LEAST_S = 1.0
RECONNECT_MOST_S = 10.0
# If two clients use one name, the broker disconnects one whenever the other connects, and mosquitto does not say why.
# Each reconnects within 10 s, so neither connection lasts. After more than BRIEF_MOST such connections in a row, the
# link waits longer each time.
LASTING_MS = 15_000
BRIEF_MOST = 2
CLOSE_TIMEOUT_S = 1.0
# The hub publishes to 300 nodes and 200 desks at once. If more than this is queued, the broker does not accept it.
OUTGOING_MOST = 4_000
INFLIGHT_MOST = 1_000


class BrokerSettings(Struct, frozen=True, kw_only=True):
    """How to reach the broker: over TLS if all three files are set; if none is, without TLS on this machine only."""

    host: Annotated[str, Meta(description="name or address of the MQTT broker")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of the MQTT broker")] = 1883
    ca_file: Annotated[
        Path | None, Meta(description="PEM file of the authority that signed the broker's certificate")
    ] = None
    cert_file: Annotated[Path | None, Meta(description="PEM file of this program's own certificate")] = None
    key_file: Annotated[Path | None, Meta(description="PEM file of this program's own private key")] = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message. `arrived_ms` is on this machine's monotonic clock. The payload may be anything, of any size."""

    topic: str
    payload: bytes
    retained: bool
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Connected, and every filter is subscribed again.

    `certificate_ends_s`: when the broker's certificate expires, in Unix time; None without TLS.
    """

    certificate_ends_s: int | None = None


@dataclass(frozen=True, slots=True)
class LinkDown:
    """A connection was lost or an attempt failed. The link tries again. `lasted`: it was up for at least 15 s."""

    reason: str
    lasted: bool = False


@dataclass(frozen=True, slots=True)
class PublishRefused:
    """The broker discarded a message: its ACL does not let us write to the topic."""

    reason: str


LinkEvent = Incoming | LinkUp | LinkDown | PublishRefused


@dataclass(frozen=True, slots=True)
class Publication:
    """A retained message, for a will or for `Link.close`."""

    topic: str
    payload: bytes


@dataclass(slots=True)
class _Connection:
    """One paho client, from connect to end.

    `accepted`: the broker accepted the connection. `up`: it confirmed the subscriptions too.
    """

    client: Client
    accepted: bool = False
    up: bool = False
    up_since_ms: int | None = None
    subscription: int | None = None
    reason: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.accepted = self.up = False
        self.over.set()


def monotonic_ms() -> int:
    return monotonic_ns() // 1_000_000


def read_broker_settings(environ: Mapping[str, str]) -> BrokerSettings:
    """Read and check the settings.

    Raises WrongSetting if a value is wrong, if only some of the three files are set, or if the host is another machine
    and no files are set.
    """
    settings = read(BrokerSettings, environ, prefix=BROKER_PREFIX)
    files = {"CA_FILE": settings.ca_file, "CERT_FILE": settings.cert_file, "KEY_FILE": settings.key_file}
    missing = [name for name, path in files.items() if path is None]
    if len(missing) == len(files):
        _refuse_plain_abroad(settings.host)
        return settings
    if missing:
        raise WrongSetting(
            BROKER_PREFIX + missing[0], None, "a file, since CA_FILE, CERT_FILE and KEY_FILE must be set together"
        )
    _tls_context(settings)
    return settings


def _refuse_plain_abroad(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        wanted = f"this machine (127.0.0.1) unless {BROKER_PREFIX}CA_FILE, CERT_FILE and KEY_FILE are set"
        raise WrongSetting(f"{BROKER_PREFIX}HOST", host, wanted)


def _must_open(name: str, file: Path) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise WrongSetting(name, str(file), f"a readable PEM file ({error.strerror})") from error


def _tls_context(settings: BrokerSettings) -> ssl.SSLContext | None:
    if settings.ca_file is None or settings.cert_file is None:
        return None
    # Each by itself: OpenSSL does not say which of two files it could not open.
    for name, file in (("CA", settings.ca_file), ("CERT", settings.cert_file), ("KEY", settings.key_file)):
        if file is not None:
            _must_open(f"{BROKER_PREFIX}{name}_FILE", file)
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=settings.ca_file)
    except OSError as error:
        wanted = f"a readable PEM file ({error})"
        raise WrongSetting(f"{BROKER_PREFIX}CA_FILE", str(settings.ca_file), wanted) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        wanted = f"a readable PEM file that matches the key in {BROKER_PREFIX}KEY_FILE, {settings.key_file} ({error})"
        raise WrongSetting(f"{BROKER_PREFIX}CERT_FILE", str(settings.cert_file), wanted) from error
    return context


@lru_cache(maxsize=32)
def _expiry(expiry_s: int) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = expiry_s
    return properties


def _session(session_s: int) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_s
    return properties


class Link:
    """A connection to the broker that reconnects automatically.

    `name` is the client id and, without TLS, the user name. `deliver` gets each LinkEvent on another thread. All
    methods may be called from any thread, before and after `start`.

    `session_s`: for how long after a lost connection the broker keeps messages of QoS 1 for the next connection, unless
    they expire. Messages kept for an earlier run of this program are discarded.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        name: str,
        deliver: Callable[[LinkEvent], None],
        *,
        will: Publication | None = None,
        session_s: int = 0,
        jitter: Callable[[], float] = random.random,
        clock_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._settings = settings
        self._name = name
        self._deliver = deliver
        self._will = will
        self._session_s = session_s
        self._was_accepted = False
        self._jitter = jitter
        self._clock_ms = clock_ms
        self._tls = _tls_context(settings)
        self._filters: dict[str, int] = {}
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def connected(self) -> bool:
        connection = self._connection
        return connection is not None and connection.up

    def subscribe(self, filters: Iterable[str], *, qos: int = 1) -> None:
        """Subscribe now if connected, and again at each connection. Retained messages come each time."""
        with self._lock:
            new = [each for each in filters if each not in self._filters]
            self._filters |= dict.fromkeys(new, qos)
            connection = self._connection
            if new and connection is not None and connection.accepted:
                connection.client.subscribe([(each, SubscribeOptions(qos=qos)) for each in new])

    def unsubscribe(self, filters: Iterable[str]) -> None:
        with self._lock:
            old = [each for each in filters if self._filters.pop(each, None) is not None]
            connection = self._connection
            if old and connection is not None and connection.accepted:
                connection.client.unsubscribe(old)

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, expiry_s: int | None = None
    ) -> bool:
        """Publish a message. Returns True if an open connection took it; else False, and the message is dropped."""
        connection = self._connection
        if connection is None or not connection.up:
            return False
        properties = None if expiry_s is None else _expiry(expiry_s)
        sent = connection.client.publish(topic, payload, qos, retain, properties)
        return sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def reconnect(self, reason: str) -> None:
        """End the present connection; the next one follows within about a second."""
        connection = self._connection
        if connection is not None:
            connection.end(reason)

    def close(self, last: Publication | None = None) -> None:
        """Publish `last` (retained) if connected, disconnect and end. The broker then sends no will."""
        self._closing.set()
        connection = self._connection
        if connection is not None and connection.up:
            _take_leave(connection, last)
        if connection is not None:
            connection.end("closed")
        if self._thread.is_alive():
            self._thread.join(CONNECT_TIMEOUT_S + CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        delay_s, brief = RECONNECT_LEAST_S, 0
        while not self._closing.is_set():
            reason, lived_ms = self._serve()
            was_up, lasted = lived_ms is not None, lived_ms is not None and lived_ms >= LASTING_MS
            brief = 0 if lasted else brief + was_up
            good = was_up and brief <= BRIEF_MOST
            if was_up and not good:
                reason = f"{reason}, soon after each connection: is another client called {self._name}?"
            self._deliver(LinkDown(reason, lasted))
            delay_s = RECONNECT_LEAST_S if good else min(2 * delay_s, RECONNECT_MOST_S)
            # The random part keeps 300 nodes from connecting at the same instant when a broker comes back.
            self._closing.wait(max(RECONNECT_LEAST_S, delay_s * (0.5 + self._jitter() / 2)))

    def _serve(self) -> tuple[str, int | None]:
        """Run one connection to its end. Returns why it ended, and for how many ms it was up, None if it never was."""
        connection = self._open()
        try:
            connection.client.connect(
                self._settings.host,
                self._settings.port,
                keepalive=KEEPALIVE_S,
                clean_start=not (self._session_s and self._was_accepted),
                properties=_session(self._session_s),
            )
        except (OSError, ValueError) as error:
            _cut(connection.client)
            return f"cannot reach {self._settings.host}:{self._settings.port}: {error}", None
        # Set before paho's thread starts: the receiver of LinkUp may publish at once.
        self._connection = connection
        if self._closing.is_set():  # `close` came meanwhile, and could not end a connection that was not set yet
            connection.end("closed")
        connection.client.loop_start()
        if not connection.over.wait(CONNACK_TIMEOUT_S) and not connection.up:
            connection.end("the broker did not answer")
        connection.over.wait()
        self._connection = None
        _cut(connection.client)
        lived_ms = None if connection.up_since_ms is None else self._clock_ms() - connection.up_since_ms
        return connection.reason, lived_ms

    def _open(self) -> _Connection:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._name,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        connection = _Connection(client)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(INFLIGHT_MOST)
        client.max_queued_messages_set(OUTGOING_MOST)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        else:
            client.username_pw_set(self._name)
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=True)
        self._set_callbacks(connection)
        return connection

    def _set_callbacks(self, connection: _Connection) -> None:
        """Set guarded callbacks: an exception in one would kill paho's thread, and paho would still say 'connected'."""
        client, guarded = connection.client, partial(_guarded, connection)
        client.on_socket_open = guarded(lambda _client, _data, opened: _without_delay(opened))
        client.on_connect = guarded(lambda _client, _data, _flags, code, _more: self._answered(connection, code))
        client.on_disconnect = guarded(lambda _client, _data, _flags, code, _more: self._lost(connection, code))
        client.on_subscribe = guarded(lambda _client, _data, mid, _codes, _more: self._subscribed(connection, mid))
        client.on_message = guarded(lambda _client, _data, message: self._arrived(connection, message))
        client.on_publish = guarded(lambda _client, _data, _mid, code, _more: self._published(code))

    def _answered(self, connection: _Connection, code: ReasonCode) -> None:
        if code.is_failure:
            connection.end(f"the broker refused the connection: {code}")
            return
        with self._lock:
            connection.accepted = not connection.over.is_set()
            self._was_accepted |= connection.accepted
            wanted = [(each, SubscribeOptions(qos=qos)) for each, qos in self._filters.items()]
            if wanted:
                _, connection.subscription = connection.client.subscribe(wanted)
        if not wanted:
            self._up(connection)

    def _lost(self, connection: _Connection, code: ReasonCode) -> None:
        if self._tls is None or connection.accepted:
            connection.end(f"the connection was lost: {code}")
            return
        # With TLS 1.3 the broker checks our certificate after the handshake is over for us. Its alert does not reach
        # this code.
        connection.end(
            "the broker closed the connection before it answered: it may have refused this program's certificate "
            "because it has expired or another authority signed it; the broker's log gives the reason"
        )

    def _subscribed(self, connection: _Connection, mid: int) -> None:
        if mid == connection.subscription:
            self._up(connection)

    def _up(self, connection: _Connection) -> None:
        connection.up = not connection.over.is_set()
        if connection.up:
            connection.up_since_ms = self._clock_ms()
            self._deliver(LinkUp(_certificate_end(connection.client.socket())))

    def _arrived(self, connection: _Connection, message: MQTTMessage) -> None:
        if connection.over.is_set():
            return
        # Our programs write no topic that is not UTF-8.
        with contextlib.suppress(UnicodeDecodeError):
            topic, payload = message.topic, bytes(message.payload)
            self._deliver(Incoming(topic, payload, message.retain, self._clock_ms()))

    def _published(self, code: ReasonCode) -> None:
        if code.is_failure:
            self._deliver(PublishRefused(str(code)))


def _without_delay(opened: socket.socket) -> None:
    # Nagle's algorithm and delayed ACK add 44 ms each way.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _certificate_end(opened: Any) -> int | None:
    certificate = opened.getpeercert() if isinstance(opened, ssl.SSLSocket) else None
    return int(ssl.cert_time_to_seconds(str(certificate["notAfter"]))) if certificate else None


def _guarded(connection: _Connection, callback: Callable[..., None]) -> Callable[..., None]:
    def guarded(*arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever failed, end this connection; the next is a new one
            connection.end(f"a callback failed: {error!r}")

    return guarded


def _take_leave(connection: _Connection, last: Publication | None) -> None:
    try:
        if last is not None:
            connection.client.publish(last.topic, last.payload, 1, True).wait_for_publish(CLOSE_TIMEOUT_S)
        connection.client.disconnect()
    except (RuntimeError, ValueError):
        return  # the connection was lost first; the broker sends the will
    connection.over.wait(CLOSE_TIMEOUT_S)


def _cut(client: Client) -> None:
    """End the client's thread at once, even if the connection hangs with messages in flight."""
    opened = client.socket()
    if opened is not None:
        with contextlib.suppress(OSError):
            # SSLSocket's own shutdown would remove the TLS object while the reading thread uses it.
            socket.socket.shutdown(opened, socket.SHUT_RDWR)  # type: ignore[arg-type]
    client.loop_stop()
    # Without callbacks there is no reference cycle, so its sockets are closed now, not at the next garbage collection.
    client.on_socket_open = client.on_connect = client.on_disconnect = None
    client.on_subscribe = client.on_message = client.on_publish = None
